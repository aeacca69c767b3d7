"""Ninety days of hourly windows in four worlds: is a retraining asked for when it should be?

    python benchmarks/ninety_days.py [--runs 20] [--pool 200] [--worlds still step slide broken]

Real texts: the ingested BBC articles, one class of which (tech) is rare at first. The models are
TF-IDF with logistic regression, one for each share that the rare class may have; they give the
signals that a bundle gives. Each is trained and judged beforehand, so a retraining is a swap to the
model of the share at that hour. For each model and share a pool of windows of 100 articles that no
model learned from is judged by monitoring's own test; an hour draws its verdict from that pool.
Policy, history and ledger are the real ones.

still: the share stays. step: it jumps on day 30. slide: it grows from day 15 to 75. broken: from
day 30 on, three days of texts are bad data, as monitoring's verdict would be. Each run is done
twice, the second time with the ledger closed and opened anew in the middle: the decisions must be
the same. Prints a table, and writes benchmarks/ninety_days.json. Needs one `make run` before.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

sys.path.insert(0, str(Path(__file__).parents[1]))

from components.core import ledger as ledgers
from components.core import params as parameters
from components.core import tables
from components.core.ledger import LABELS, WINDOWS, Ledger
from components.core.params import Params
from components.core.paths import Paths
from monitoring import drift, governor, history
from monitoring.governor import Verdict

DAYS, HOURS = 90, 24
ROWS = 100  # articles in a window
RARE = "tech"
SHARES = (0.03, 0.1, 0.2, 0.3, 0.4, 0.5)  # of the rare class, that the world may have
LABELS_AN_HOUR = 5
TRAIN, REFERENCE = 0.45, 0.2  # of the articles; the rest is traffic
DIRECTIONS = 4  # of the features that are watched, as in params.yaml
SEED = 23
START = datetime(2026, 1, 1, tzinfo=UTC)
JUMP, SLIDE, BROKEN = 30, (15, 75), (30, 33)  # days
ALLOWED = {"still": (0, 0), "step": (1, 1), "slide": (0, 3), "broken": (0, 0)}  # retrainings
WITHIN = 3  # windows after the jump, until the retraining is asked for
GAP = 0.03  # accuracy that the slide may cost, against a model retrained daily


def share_at(world: str, hour: int) -> float:
    """The rare class's share of the traffic."""
    day = hour / HOURS
    if world == "step":
        return SHARES[-1] if day >= JUMP else SHARES[0]
    if world == "slide":
        way = min(max((day - SLIDE[0]) / (SLIDE[1] - SLIDE[0]), 0.0), 1.0)
        return SHARES[round(way * (len(SHARES) - 1))]
    return SHARES[0]


@dataclass(frozen=True)
class Sides:
    """The articles, cut three ways."""

    train: pl.DataFrame
    reference: pl.DataFrame
    traffic: pl.DataFrame

    @classmethod
    def of(cls, paths: Paths) -> Sides:
        documents = tables.read_table(paths.ingested / "documents.parquet")
        unique = documents.unique(pl.col("text").str.slice(0, 200), keep="first")
        mixed = unique.sort("id").sample(fraction=1.0, shuffle=True, seed=SEED)
        first, second = int(TRAIN * len(mixed)), int((TRAIN + REFERENCE) * len(mixed))
        return cls(mixed[:first], mixed[first:second], mixed[second:])


def draw(side: pl.DataFrame, share: float, rows: int, rng: np.random.Generator) -> pl.DataFrame:
    """`rows` articles at most, `share` of them of the rare class, none twice."""
    rare, common = side.filter(pl.col("label") == RARE), side.filter(pl.col("label") != RARE)
    rows = min(rows, int(len(common) / (1 - share)), int(len(rare) / share))
    many = int(rng.binomial(rows, share))
    parts = [(rare, min(many, len(rare))), (common, min(rows - many, len(common)))]
    return pl.concat([part[rng.permutation(len(part))[:count]] for part, count in parts])


class Model:
    """One share's model, and what it says of texts."""

    def __init__(self, sides: Sides, share: float) -> None:
        from sklearn.decomposition import TruncatedSVD
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.linear_model import LogisticRegression

        rng = np.random.default_rng(SEED)
        train = draw(sides.train, share, len(sides.train), rng)
        self._words = TfidfVectorizer(min_df=2, sublinear_tf=True)
        features = self._words.fit_transform(train["text"])
        self._classes = LogisticRegression(C=10, max_iter=500).fit(features, train["label"])
        self._directions = TruncatedSVD(DIRECTIONS, random_state=SEED).fit(features)
        self._split = self._words.build_analyzer()
        reference = draw(sides.reference, share, len(sides.reference), rng)
        self.reference = self.signals(reference["text"].to_list())

    def signals(self, texts: Sequence[str]) -> pl.DataFrame:
        features = self._words.transform(texts)
        probabilities = self._classes.predict_proba(features)
        words = [self._split(text) for text in texts]
        known = self._words.vocabulary_
        columns: dict[str, Any] = {
            "label": self._classes.classes_[probabilities.argmax(axis=1)].tolist(),
            "confidence": probabilities.max(axis=1),
            "words": [len(one) for one in words],
            "unknown_share": [sum(w not in known for w in one) / max(len(one), 1) for one in words],
        }
        kept = self._directions.transform(features)
        return pl.DataFrame(columns | {f"feature_{i}": kept[:, i] for i in range(DIRECTIONS)})

    def accuracy(self, traffic: pl.DataFrame, share: float) -> float:
        """On all of the traffic side, weighed as the world is."""
        right = pl.Series(self.signals(traffic["text"].to_list())["label"]) == traffic["label"]
        rare = traffic["label"] == RARE
        return share * float(right.filter(rare).mean() or 0) + (1 - share) * float(
            right.filter(~rare).mean() or 0
        )


class Judged:
    """Verdicts and accuracies of each model in each world, computed once."""

    def __init__(self, sides: Sides, params: Params, pool: int) -> None:
        self._sides, self._params, self._pool = sides, params, pool
        self.model = cache(lambda share: Model(sides, share))
        self.findings = cache(self._findings)
        self.accuracy = cache(lambda model, share: self.model(model).accuracy(sides.traffic, share))

    def _findings(self, model: float, share: float) -> list[governor.Finding]:
        rng = np.random.default_rng([SEED, int(1000 * model), int(1000 * share)])
        settings = self._params.monitor.model_copy(update={"min_rows": ROWS // 2})
        asked = self.model(model)
        found = []
        for _ in range(self._pool):
            window = draw(self._sides.traffic, share, ROWS, rng)["text"].to_list()
            verdict = drift.judge(
                asked.reference, asked.signals(window), settings, draw=False
            ).verdict
            found.append(verdict.finding)
        alarms = found.count("drift")
        print(f"model {model:.2f}, world {share:.2f}: {alarms} of {len(found)} drift", flush=True)
        return found


def release(ledger: Ledger, version: int, time: datetime, share: float, labels: int) -> None:
    row = {"version": version, "bundle": f"{version:064x}", "time": time, "tag": f"v{version}"}
    row |= {"commit": "0" * 40, "dvc_lock": "0" * 64, "snapshot": "0" * 64}
    decision = {"feedback_watermark": labels, "share": share}
    ledger.add_version({**row, "metrics": {}, "decision": decision}, "a simulation")


def live(
    world: str, judged: Judged, params: Params, folder: Path, run: int, *, restart: bool
) -> dict[str, Any]:
    """Ninety days; what was asked for when, and the greatest gap in accuracy."""
    rng = np.random.default_rng([SEED, run])
    place = ledgers.url(folder / f"{world}-{run}-{restart}.sqlite")
    ledger = Ledger(place)
    release(ledger, 1, START, SHARES[0], 0)
    asked, verdicts, gap, labels = [], [], 0.0, 0
    for hour in range(DAYS * HOURS):
        if restart and hour == DAYS * HOURS // 2:
            ledger.close()
            ledger = Ledger(place)
        now, share = START + timedelta(hours=hour), share_at(world, hour)
        champion = ledger.champion()
        assert champion is not None
        model = champion.decision["share"]
        broken = world == "broken" and BROKEN[0] <= hour / HOURS < BROKEN[1]
        finding = judged.findings(model, share)[int(rng.integers(judged._pool))]
        verdict = Verdict("bad data" if broken else finding)
        past = history.gather(ledger, champion, params.governor, now, at_work=False)
        decision = governor.decide(verdict, past.history, params.governor, now)
        record(ledger, champion.bundle, now, hour, verdict, decision)
        rows = [{"prediction_id": uuid.uuid4().hex, "label": RARE, "time": now}] * LABELS_AN_HOUR
        ledger.insert(LABELS, rows)
        labels += len(rows)
        verdicts.append(decision.verdict)
        if decision.verdict == "retrain":
            asked.append(hour)
            release(ledger, champion.version + 1, now, share, labels)
        gap = max(gap, judged.accuracy(share, share) - judged.accuracy(model, share))
    ledger.close()
    return {"asked": asked, "verdicts": verdicts, "gap": gap}


def record(
    ledger: Ledger, bundle: str, now: datetime, hour: int, verdict: Verdict, decision: Any
) -> None:
    details = {"bundle": bundle, "world_moved": decision.moved, "rule": decision.rule}
    window = {"time": now, "bundle": bundle, "after": hour * ROWS, "until": (hour + 1) * ROWS}
    ledger.insert(WINDOWS, [{**window, "rows": ROWS, "verdict": verdict.finding, "details": {}}])
    row = {"id": uuid.uuid4().hex, "kind": "governor", "time": now, "verdict": decision.verdict}
    ledger.add_decision({**row, "reasons": decision.reasons, "details": details})


def kept(world: str, found: dict[str, Any]) -> bool:
    """Whether a run did what it should."""
    low, high = ALLOWED[world]
    good = low <= len(found["asked"]) <= high
    if world == "step":
        jump = JUMP * HOURS
        return good and jump <= found["asked"][0] < jump + WITHIN
    return good and (world != "slide" or found["gap"] <= GAP)


def main() -> None:
    arguments = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    arguments.add_argument("--runs", type=int, default=20)
    arguments.add_argument("--pool", type=int, default=200, help="windows judged for each state")
    arguments.add_argument("--worlds", nargs="+", default=list(ALLOWED), choices=list(ALLOWED))
    asked = arguments.parse_args()
    paths = Paths.find(Path(__file__).parent)
    params = parameters.load(paths.params)
    judged = Judged(Sides.of(paths), params, asked.pool)
    results: dict[str, Any] = {"runs": asked.runs, "pool": asked.pool}
    with tempfile.TemporaryDirectory(dir=paths.home, prefix="ninety-") as folder:
        for world in asked.worlds:
            runs, same = [], 0
            for run in range(asked.runs):
                first, second = (
                    live(world, judged, params, Path(folder), run, restart=restart)
                    for restart in (False, True)
                )
                same += first["verdicts"] == second["verdicts"]
                runs.append(first)
            counts = [len(one["asked"]) for one in runs]
            results[world] = {
                "kept": sum(kept(world, one) for one in runs),
                "retrainings": counts,
                "first_asked_at_hour": [one["asked"][0] if one["asked"] else None for one in runs],
                "greatest_gap": max(one["gap"] for one in runs),
                "same_after_restart": same,
            }
            print(
                f"{world:<8} kept in {results[world]['kept']} of {asked.runs} runs; retrainings "
                f"{min(counts)} to {max(counts)}; greatest gap {results[world]['greatest_gap']:.3f}"
                f"; the same after a restart in {same}",
                flush=True,
            )
    Path(__file__).with_suffix(".json").write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
