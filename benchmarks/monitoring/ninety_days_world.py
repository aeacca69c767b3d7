"""World of ninety_days.py: articles, models, and monitoring's verdict for each hour."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

sys.path.insert(0, str(Path(__file__).parents[2]))

from components.core import tables
from components.core.bundle.reference import ACTUAL
from components.core.params import Params
from components.core.paths import Paths
from components.core.target import SingleLabel
from monitoring import drift, window_evaluation
from monitoring.drift import Drift
from monitoring.window_evaluation import Answered, Estimate
from monitoring.windows import Window

DAYS, HOURS = 90, 24
ROWS = 100  # articles in a window
RARE = "tech"
FIRST, LAST = 0.03, 0.5  # share of the rare class, at the beginning and at the end of a change
TRAIN = 0.45  # of the articles; the rest is the world
SIDE_ROWS = 1000  # of the validation and of the test side: of a project with some 7,000 documents
REFERENCE_ROWS = 2 * SIDE_ROWS  # both
RESAMPLES = 20  # of the estimate's bootstrap
DIRECTIONS = 4  # of the features that are watched, as in params.yaml
SEED = 23
START = datetime(2026, 1, 1, tzinfo=UTC)
JUMP, SLIDE, BROKEN = 30, (15, 75), (30, 33)  # days
BEGINS = {"still": DAYS, "step": JUMP, "slide": SLIDE[0], "broken": BROKEN[0]}


def share_at(world: str, hour: int) -> float:
    """Returns the rare class's share of the traffic."""
    day = hour / HOURS
    if world == "step":
        return LAST if day >= JUMP else FIRST
    if world == "slide":
        way = min(max((day - SLIDE[0]) / (SLIDE[1] - SLIDE[0]), 0.0), 1.0)
        return FIRST + way * (LAST - FIRST)
    return FIRST


def whole(share: float) -> float:
    """Rounds the share to whole percents, for each of which there is a model."""
    return round(share, 2)


def articles(paths: Paths) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Returns the training articles and the articles of the traffic."""
    documents = tables.read_table(paths.ingested / "documents.parquet")
    unique = documents.unique(pl.col("text").str.slice(0, 200), keep="first")
    mixed = unique.sort("id").sample(fraction=1.0, shuffle=True, seed=SEED)
    return mixed[: int(TRAIN * len(mixed))], mixed[int(TRAIN * len(mixed)) :]


def kept_share(side: pl.DataFrame, share: float, rng: np.random.Generator) -> pl.DataFrame:
    """Draws as many articles as possible with this share of the rare class, without repeats."""
    rare, common = side.filter(pl.col("label") == RARE), side.filter(pl.col("label") != RARE)
    rows = min(len(side), int(len(common) / (1 - share)), int(len(rare) / share))
    many = int(rng.binomial(rows, share))
    parts = [(rare, min(many, len(rare))), (common, min(rows - many, len(common)))]
    return pl.concat([part[rng.permutation(len(part))[:count]] for part, count in parts])


def split_texts(world: pl.DataFrame) -> list[list[str]]:
    """Splits each article into the words that the models read."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    analyze = TfidfVectorizer().build_analyzer()
    return [analyze(text) for text in world["text"]]


class Model:
    """Model of one share, and its predictions for each article of the world.

    Attributes:
        table: (N, ...) signals of the world's articles, and ACTUAL.
        probabilities: (N, C).
        classes: C labels.
    """

    def __init__(
        self, train: pl.DataFrame, world: pl.DataFrame, split: list[list[str]], share: float
    ) -> None:
        from sklearn.decomposition import TruncatedSVD
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.linear_model import LogisticRegression

        chosen = kept_share(train, share, np.random.default_rng(SEED))
        words = TfidfVectorizer(min_df=2, sublinear_tf=True)
        features = words.fit_transform(chosen["text"])
        model = LogisticRegression(C=10, max_iter=500).fit(features, chosen["label"])
        self.classes = model.classes_.tolist()
        counts = words.transform(world["text"])
        self.probabilities = model.predict_proba(counts)
        columns: dict[str, Any] = {
            "label": [self.classes[i] for i in self.probabilities.argmax(axis=1)],
            "confidence": self.probabilities.max(axis=1),
            "words": [len(text_words) for text_words in split],
            "unknown_share": [
                sum(word not in words.vocabulary_ for word in text_words) / max(len(text_words), 1)
                for text_words in split
            ],
        }
        projected = TruncatedSVD(DIRECTIONS, random_state=SEED).fit(features).transform(counts)
        columns |= {f"feature_{i}": projected[:, i] for i in range(DIRECTIONS)}
        columns |= {"actual": world["label"], "probabilities": self.probabilities.tolist()}
        self.table = pl.DataFrame(columns)

    def accuracy(self, share: float) -> float:
        """Computes the accuracy in traffic with this share of the rare class."""
        right, rare = self.table["label"] == self.table["actual"], self.table["actual"] == RARE
        return share * float(right.filter(rare).mean() or 0) + (1 - share) * float(
            right.filter(~rare).mean() or 0
        )


class Simulated:
    """Simulation of monitoring for each hour; caches equal windows."""

    def __init__(self, paths: Paths, params: Params) -> None:
        train, world = articles(paths)
        resampled = {"resamples": RESAMPLES}
        self.params = params.model_copy(
            update={"monitor": params.monitor.model_copy(update=resampled)}
        )
        split = split_texts(world)
        self.model = cache(lambda share: Model(train, world, split, share))
        rare = (world["label"] == RARE).to_numpy()
        self._rare, self._common = np.flatnonzero(rare), np.flatnonzero(~rare)
        self._estimator = cache(
            lambda share, run: window_evaluation.estimator_of(
                self._reference(share, run),
                SingleLabel(self.model(share).classes),
                self.params.monitor,
            )
        )
        self._judgements: dict[tuple[Any, ...], tuple[Drift, Estimate | None]] = {}

    def drawn(self, share: float, rows: int, *seed: int) -> Any:
        """Draws (rows,) numbers of articles."""
        rng = np.random.default_rng([SEED, *seed])
        many = rng.binomial(rows, share)
        parts = [rng.choice(self._rare, many), rng.choice(self._common, rows - many)]
        return rng.permutation(np.concatenate(parts))

    def window(self, world: str, run: int, hour: int) -> Any:
        return self.drawn(share_at(world, hour), ROWS, run, hour)

    def tested(self, share: float, run: int) -> float:
        """Returns the test accuracy of a model before its release."""
        test = self.model(share).table[self.drawn(share, SIDE_ROWS, run, DAYS * HOURS)]
        return float((test["label"] == test["actual"]).mean() or 0)

    def _reference(self, share: float, run: int) -> pl.DataFrame:
        """Makes the reference: test side, which measured the accuracy, and validation side."""
        sides = [self.drawn(share, SIDE_ROWS, run, DAYS * HOURS + side) for side in range(2)]
        return self.model(share).table[np.concatenate(sides)]

    def gap(self, world: str, hour: int, model: float) -> float:
        """Computes the lead in accuracy of a model that was trained at midnight."""
        share, daily = share_at(world, hour), whole(share_at(world, hour // HOURS * HOURS))
        return self.model(daily).accuracy(share) - self.model(model).accuracy(share)

    def judge(
        self, world: str, run: int, hour: int, share: float, begun: int, loud: Iterable[int],
        level: float,
    ) -> tuple[Drift, Estimate | None]:  # fmt: skip
        """Judges an hour's window; estimates the accuracy if the window has drift.

        Args:
            share: share of the model.
            begun: hour of the model's deployment.
            loud: hours whose window had a finding.
            level: false alarm rate of the window.
        """
        known = world if hour >= BEGINS[world] * HOURS else "still"  # until then all are the same
        back = drift.look_back(REFERENCE_ROWS, ROWS)
        most = min(back, self.params.monitor.max_rows - ROWS) // ROWS
        quiet = max([begun, *(loud_hour + 1 for loud_hour in loud)])
        since = max(quiet, hour - most)
        calm = (calm_hour for calm_hour in range(begun, since) if calm_hour not in loud)
        early = tuple(islice(calm, REFERENCE_ROWS // ROWS)) if since < hour else ()
        key = (known, run, hour, share, begun, since, early, level)
        if key not in self._judgements:
            first = max(begun, hour - most)
            self._judgements[key] = self._judged(
                world, run, hour, share, early, first, since, level
            )
        return self._judgements[key]

    def forget(self) -> None:
        """Clears the cache of a finished run."""
        self._judgements.clear()
        self._estimator.cache_clear()

    def _judged(
        self, world: str, run: int, hour: int, share: float, early: tuple[int, ...], first: int,
        since: int, level: float,
    ) -> tuple[Drift, Estimate | None]:  # fmt: skip
        model = self.model(share)
        reference = self._reference(share, run)
        signals = model.table.drop(ACTUAL)
        every = np.concatenate(
            [self.window(world, run, hour_before) for hour_before in range(first, hour + 1)]
        )
        rows = every[(since - first) * ROWS :]
        long_ago = [self.window(world, run, hour_before) for hour_before in early]
        judged = drift.judge(
            reference.drop(ACTUAL), signals[rows[-ROWS:]], self.params.monitor,
            signals[rows[:-ROWS]] if since < hour else None, level, draw=False,
            early=signals[np.concatenate(long_ago)] if early else None,
        )  # fmt: skip
        if judged.verdict.finding != "drift":
            return judged, None

        def answered(some: Any) -> Answered:
            window = Window("", 0, 0, [str(row) for row in some])
            return Answered(window, model.probabilities[some], signals[some])

        shown, all_rows = answered(rows[-judged.rows :]), answered(every[-REFERENCE_ROWS:])
        estimator = self._estimator(share, run)
        assert estimator is not None
        return judged, window_evaluation.estimate(
            estimator, reference, shown, all_rows, judged, self.params.monitor
        )
