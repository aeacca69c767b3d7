"""Ninety days of hourly windows in four worlds: is a retraining asked for when it should be?

    python benchmarks/ninety_days.py [--runs 20] [--worlds still step slide broken]
    python benchmarks/ninety_days.py --runs 10 --first 10 --into OTHER.json   # another process
    python benchmarks/ninety_days.py --merge OTHER.json

Real texts: the ingested BBC articles, one class of which (tech) is rare at first. The models are
TF-IDF with logistic regression, one for each whole percent that the rare class may have; they give
the signals that a bundle gives, except words and language. Each is trained beforehand, so a
retraining is a swap to the model of the share at that hour. The articles that no model learns from
are the world: a model's reference and each hour's 100 texts are drawn from them with replacement,
so that without a shift both come from one distribution. Level, test, look back, estimate, policy,
history and ledger are monitoring's own. To save time the test looks back each LOOK_HOURS
only, where the service does each hour, and the estimate has fewer resamples.

still: the share stays. step: it jumps on day 30. slide: it grows evenly from day 15 to 75. broken:
from day 30 on, three days of texts are bad data, as monitoring's verdict would be. Until then all
worlds are one, and are lived once. The gap is how much less accurate the model is than one that is
trained anew each day. In the middle of each run a copy of its ledger is opened by itself and lived
on: the decisions must be the same. The bound is the least gap that anybody can reach in the slide
with as many retrainings, who knows at the beginning what will come.

Rows that the file holds are not done again. Prints a table, and writes benchmarks/ninety_days.json.
Needs one `make run` before.
"""

from __future__ import annotations

import argparse
import json
import sqlite3
import sys
import tempfile
import uuid
from collections.abc import Iterable, Iterator
from contextlib import closing
from copy import copy
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

sys.path.insert(0, str(Path(__file__).parents[1]))

from components.core import ledger as ledgers
from components.core import ledger_watch, tables
from components.core import params as parameters
from components.core.ledger import LABELS, WINDOWS, Ledger
from components.core.params import Params
from components.core.paths import Paths
from components.core.reference import TRUTH
from monitoring import drift, governor, history, judgement, monitor
from monitoring.drift import Drift
from monitoring.governor import Verdict
from monitoring.judgement import Answered, Estimate, Seen
from monitoring.windows import Window

DAYS, HOURS = 90, 24
ROWS = 100  # articles in a window
RARE = "tech"
FIRST, LAST = 0.03, 0.5  # share of the rare class, at the beginning and at the end of a change
LABELS_AN_HOUR = 5
TRAIN = 0.45  # of the articles; the rest is the world
REFERENCE_ROWS = 1000  # of a project with some 7,000 documents
LOOK_HOURS = 6
RESAMPLES = 20  # of the estimate's bootstrap
DIRECTIONS = 4  # of the features that are watched, as in params.yaml
SEED = 23
START = datetime(2026, 1, 1, tzinfo=UTC)
MIDDLE = DAYS // 2 * HOURS
JUMP, SLIDE, BROKEN = 30, (15, 75), (30, 33)  # days
BEGINS = {"still": DAYS, "step": JUMP, "slide": SLIDE[0], "broken": BROKEN[0]}
ALLOWED = {"still": (0, 0), "step": (1, 1), "slide": (0, 3), "broken": (0, 0)}  # retrainings
WITHIN = 3  # windows after the jump, until the retraining is asked for
GAP = 0.03  # accuracy that the slide may cost, against a model retrained daily


def share_at(world: str, hour: int) -> float:
    """The rare class's share of the traffic."""
    day = hour / HOURS
    if world == "step":
        return LAST if day >= JUMP else FIRST
    if world == "slide":
        way = min(max((day - SLIDE[0]) / (SLIDE[1] - SLIDE[0]), 0.0), 1.0)
        return FIRST + way * (LAST - FIRST)
    return FIRST


def whole(share: float) -> float:
    """The share in whole percents, of which there is a model."""
    return round(share, 2)


def articles(paths: Paths) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Those that models learn from, and the world."""
    documents = tables.read_table(paths.ingested / "documents.parquet")
    unique = documents.unique(pl.col("text").str.slice(0, 200), keep="first")
    mixed = unique.sort("id").sample(fraction=1.0, shuffle=True, seed=SEED)
    return mixed[: int(TRAIN * len(mixed))], mixed[int(TRAIN * len(mixed)) :]


def kept_share(side: pl.DataFrame, share: float, rng: np.random.Generator) -> pl.DataFrame:
    """As many articles as there are with this share of the rare class, none twice."""
    rare, common = side.filter(pl.col("label") == RARE), side.filter(pl.col("label") != RARE)
    rows = min(len(side), int(len(common) / (1 - share)), int(len(rare) / share))
    many = int(rng.binomial(rows, share))
    parts = [(rare, min(many, len(rare))), (common, min(rows - many, len(common)))]
    return pl.concat([part[rng.permutation(len(part))[:count]] for part, count in parts])


def split_texts(world: pl.DataFrame) -> list[list[str]]:
    """The words of each article, as the models see them."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    analyze = TfidfVectorizer().build_analyzer()
    return [analyze(text) for text in world["text"]]


class Model:
    """One share's model, and what it says of each article of the world.

    Attributes:
        table: (N, ...) signals of the world's articles, and TRUTH.
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
        found = words.transform(world["text"])
        self.probabilities = model.predict_proba(found)
        columns: dict[str, Any] = {
            "label": [self.classes[i] for i in self.probabilities.argmax(axis=1)],
            "confidence": self.probabilities.max(axis=1),
            "words": [len(one) for one in split],
            "unknown_share": [
                sum(word not in words.vocabulary_ for word in one) / max(len(one), 1)
                for one in split
            ],
        }
        kept = TruncatedSVD(DIRECTIONS, random_state=SEED).fit(features).transform(found)
        columns |= {f"feature_{i}": kept[:, i] for i in range(DIRECTIONS)}
        columns |= {"actual": world["label"], "probabilities": self.probabilities.tolist()}
        self.table = pl.DataFrame(columns)

    def accuracy(self, share: float) -> float:
        """Where the rare class has this share."""
        right, rare = self.table["label"] == self.table["actual"], self.table["actual"] == RARE
        return share * float(right.filter(rare).mean() or 0) + (1 - share) * float(
            right.filter(~rare).mean() or 0
        )


class Simulated:
    """What monitoring says of each hour; the same question is answered once."""

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
        self._said: dict[tuple[Any, ...], tuple[Drift, Estimate | None]] = {}

    def drawn(self, share: float, rows: int, *seed: int) -> Any:
        """(rows,) numbers of articles."""
        rng = np.random.default_rng([SEED, *seed])
        many = rng.binomial(rows, share)
        parts = [rng.choice(self._rare, many), rng.choice(self._common, rows - many)]
        return rng.permutation(np.concatenate(parts))

    def window(self, world: str, run: int, hour: int) -> Any:
        return self.drawn(share_at(world, hour), ROWS, run, hour)

    def tested(self, share: float, run: int) -> float:
        """The accuracy that was measured of a model before it was released."""
        test = self.model(share).table[self.drawn(share, REFERENCE_ROWS, run, DAYS * HOURS)]
        return float((test["label"] == test["actual"]).mean() or 0)

    def gap(self, world: str, hour: int, model: float) -> float:
        """How much more accurate a model is that was trained at midnight."""
        share, daily = share_at(world, hour), whole(share_at(world, hour // HOURS * HOURS))
        return self.model(daily).accuracy(share) - self.model(model).accuracy(share)

    def judge(
        self, world: str, run: int, hour: int, share: float, quiet: int, level: float
    ) -> tuple[Drift, Estimate | None]:
        """What monitoring finds in an hour, and the estimated accuracy if it finds drift.

        Args:
            share: of the model.
            quiet: hour since which no window has shown anything.
            level: that the window may take.
        """
        known = world if hour >= BEGINS[world] * HOURS else "still"  # until then all are the same
        most = drift.look_back(REFERENCE_ROWS, ROWS) // ROWS
        since = max(quiet, hour - most) if hour % LOOK_HOURS == 0 else hour
        key = (known, run, hour, share, since, level)
        if key not in self._said:
            self._said[key] = self._judged(world, run, hour, share, since, level)
        return self._said[key]

    def forget(self) -> None:
        """What was said in a run that is over."""
        self._said.clear()

    def _judged(
        self, world: str, run: int, hour: int, share: float, since: int, level: float
    ) -> tuple[Drift, Estimate | None]:
        model = self.model(share)
        reference = model.table[self.drawn(share, REFERENCE_ROWS, run, DAYS * HOURS + 1)]
        signals = model.table.drop(TRUTH)
        rows = np.concatenate([self.window(world, run, one) for one in range(since, hour + 1)])
        found = drift.judge(
            reference.drop(TRUTH), signals[rows[-ROWS:]], self.params.monitor,
            signals[rows[:-ROWS]] if since < hour else None, level, draw=False,
        )  # fmt: skip
        if found.verdict.finding != "drift":
            return found, None
        rows = rows[-found.rows :]
        shown = Window("", 0, 0, [str(row) for row in rows])
        answered = Answered(shown, model.probabilities[rows], signals[rows])
        return found, judgement.estimate(reference, answered, model.classes, found, self.params)


def release(
    ledger: Ledger, version: int, time: datetime, share: float, tested: float, labels: int
) -> None:
    row = {"version": version, "bundle": f"{version:064x}", "time": time, "tag": f"v{version}"}
    row |= {"commit": "0" * 40, "dvc_lock": "0" * 64, "snapshot": "0" * 64}
    hour = round((time - START) / timedelta(hours=1)) + (version > 1)
    decision = {"feedback_watermark": labels, "share": share, "hour": hour}
    metrics = {"accuracy": {"value": tested}}
    ledger.add_version({**row, "metrics": metrics, "decision": decision}, "a simulation")


class Life:
    """A run of one world.

    Attributes:
        asked: hours in which a retraining was asked for.
        verdicts: of the governor, one an hour.
        gap: the greatest so far.
        drifted: windows.
    """

    def __init__(self, world: str, simulated: Simulated, folder: Path, run: int) -> None:
        self.world, self.run, self._simulated, self._folder = world, run, simulated, folder
        self._open()
        self.hour, self.gap, self.drifted, self._labels = 0, 0.0, 0, 0
        self.asked, self.verdicts = list[int](), list[str]()
        release(self._ledger, 1, START, FIRST, simulated.tested(FIRST, run), 0)

    def _open(self) -> None:
        self._file = self._folder / f"{uuid.uuid4().hex}.sqlite"
        self._ledger = Ledger(ledgers.url(self._file))

    def close(self) -> None:
        self._ledger.close()
        self._file.unlink()

    def copy(self, world: str) -> Life:
        """The same life, with a copy of the ledger, in what was the same world until now."""
        other = copy(self)
        other.world, other.asked, other.verdicts = world, [*self.asked], [*self.verdicts]
        file = self._folder / f"{uuid.uuid4().hex}.sqlite"
        with closing(sqlite3.connect(self._file)) as old, closing(sqlite3.connect(file)) as new:
            old.backup(new)
        other._file, other._ledger = file, Ledger(ledgers.url(file))
        return other

    def until(self, hour: int) -> None:
        while self.hour < hour:
            self._live(self.hour)
            self.hour += 1

    def _live(self, hour: int) -> None:
        simulated, ledger, params = self._simulated, self._ledger, self._simulated.params
        now, share = START + timedelta(hours=hour), share_at(self.world, hour)
        champion = ledger.champion()
        assert champion is not None
        model, begun = champion.decision["share"], champion.decision["hour"]
        quiet = max(begun, ledger_watch.quiet_since(ledger, champion.bundle) // ROWS)
        level = judgement.level(ledger_watch.spent(ledger, now - timedelta(days=1)), params.monitor)
        if self.world == "broken" and BROKEN[0] <= hour / HOURS < BROKEN[1]:
            found, estimate = Drift(Verdict("bad data")), None
        else:
            found, estimate = simulated.judge(self.world, self.run, hour, model, quiet, level)
        seen = Seen(found, {}, estimate=estimate)
        verdict = monitor.with_accuracy(found.verdict, seen, None, champion)
        past = history.gather(ledger, champion, params.governor, now, at_work=False)
        decision = governor.decide(verdict, past.history, params.governor, now)
        record(ledger, champion.bundle, now, hour, found, decision)
        rows = [{"prediction_id": uuid.uuid4().hex, "label": RARE, "time": now}] * LABELS_AN_HOUR
        ledger.insert(LABELS, rows)
        self._labels += len(rows)
        self.verdicts.append(decision.verdict)
        self.drifted += found.verdict.finding == "drift"
        if decision.verdict == "retrain":
            self.asked.append(hour)
            tested = simulated.tested(whole(share), self.run)
            release(ledger, champion.version + 1, now, whole(share), tested, self._labels)
        self.gap = max(self.gap, simulated.gap(self.world, hour, model))


def record(
    ledger: Ledger, bundle: str, now: datetime, hour: int, found: Drift, decision: Any
) -> None:
    details = {"bundle": bundle, "world_moved": decision.moved, "rule": decision.rule}
    window = {"time": now, "bundle": bundle, "after": hour * ROWS, "until": (hour + 1) * ROWS}
    window |= {"rows": ROWS, "verdict": found.verdict.finding, "details": {"level": found.level}}
    ledger.insert(WINDOWS, [window])
    row = {"id": uuid.uuid4().hex, "kind": "governor", "time": now, "verdict": decision.verdict}
    ledger.add_decision({**row, "reasons": decision.reasons, "details": details})


def kept(world: str, life: Life) -> bool:
    """Whether a run did what it should."""
    low, high = ALLOWED[world]
    good = low <= len(life.asked) <= high
    if world == "step":
        jump = JUMP * HOURS
        return good and jump <= life.asked[0] < jump + WITHIN
    return good and (world != "slide" or life.gap <= GAP)


def row(life: Life, again: Life) -> dict[str, Any]:
    """What a run gave.

    Args:
        life: whole.
        again: a copy since the middle, whole.
    """
    return {
        "run": life.run,
        "kept": kept(life.world, life),
        "asked_at_hour": life.asked,
        "greatest_gap": round(life.gap, 4),
        "windows_with_drift": life.drifted,
        "same_after_restart": life.verdicts == again.verdicts,
    }


def lived(
    simulated: Simulated, folder: Path, run: int, worlds: Iterable[str]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each of `worlds` and its row, those that differ first first."""
    trunk = Life("still", simulated, folder, run)
    for world in sorted(worlds, key=BEGINS.__getitem__):
        trunk.until(min(BEGINS[world] * HOURS, MIDDLE))
        life = trunk.copy(world)
        life.until(MIDDLE)
        again = life.copy(world)
        life.until(DAYS * HOURS)
        again.until(DAYS * HOURS)
        yield world, row(life, again)
        life.close()
        again.close()
    trunk.close()
    simulated.forget()


def bound(simulated: Simulated, retrainings: int) -> tuple[float, list[int]]:
    """The least gap in the slide with so many retrainings at midnight, and their days."""
    days = np.arange(DAYS)
    # (from day, to day): the gap of a model that is trained on the one and serves until the other.
    gaps = np.full((DAYS, DAYS + 1), np.inf)
    for start in days:
        model, worst = whole(share_at("slide", start * HOURS)), 0.0
        for day in range(start, DAYS):
            ends = (day * HOURS, (day + 1) * HOURS - 1)
            worst = max(worst, *(simulated.gap("slide", hour, model) for hour in ends))
            gaps[start, day + 1] = worst
    least, last = gaps[0], []
    for _ in range(retrainings):
        through = np.maximum(least[:DAYS, None], gaps)
        last.append(through.argmin(axis=0))
        least = through.min(axis=0)
    day, chosen = DAYS, []
    for table in reversed(last):
        day = int(table[day])
        chosen.append(day)
    return float(least[DAYS]), chosen[::-1]


def merged(results: dict[str, Any], path: Path) -> None:
    """Adds the rows of another file."""
    for world, found in json.loads(path.read_text()).items():
        if world not in ALLOWED:
            results[world] = found
            continue
        had = {one["run"] for one in results.get(world, [])}
        rows = [*results.get(world, []), *(one for one in found if one["run"] not in had)]
        results[world] = sorted(rows, key=lambda one: one["run"])


def main() -> None:
    arguments = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    arguments.add_argument("--runs", type=int, default=20)
    arguments.add_argument("--first", type=int, default=0, help="number of the first run")
    arguments.add_argument("--worlds", nargs="+", default=list(ALLOWED), choices=list(ALLOWED))
    arguments.add_argument("--into", type=Path, default=Path(__file__).with_suffix(".json"))
    arguments.add_argument("--merge", type=Path, nargs="+", help="files of other processes; no run")
    asked = arguments.parse_args()
    target: Path = asked.into
    results: dict[str, Any] = json.loads(target.read_text()) if target.exists() else {}
    for path in asked.merge or []:
        merged(results, path)
    paths = Paths.find(Path(__file__).parent)
    if not asked.merge:
        simulated = Simulated(paths, parameters.load(paths.params))
        with tempfile.TemporaryDirectory(dir=paths.home, prefix="ninety-") as folder:
            for run in range(asked.first, asked.first + asked.runs):
                missing = [
                    world
                    for world in asked.worlds
                    if all(one["run"] != run for one in results.get(world, []))
                ]
                for world, found in lived(simulated, Path(folder), run, missing):
                    rows = [*results.get(world, []), found]
                    results[world] = sorted(rows, key=lambda one: one["run"])
                    target.write_text(json.dumps(results, indent=2) + "\n")
                    print(f"{world:<8}{found}", flush=True)
        least, days = bound(simulated, ALLOWED["slide"][1])
        results["bound"] = {"greatest_gap": round(least, 4), "days": days}
    target.write_text(json.dumps(results, indent=2) + "\n")
    print(f"bound   {results.get('bound')}")
    for world in ALLOWED:
        if not (runs := results.get(world, [])):
            continue
        counts = [len(one["asked_at_hour"]) for one in runs]
        print(
            f"{world:<8} kept in {sum(one['kept'] for one in runs)} of {len(runs)} runs; "
            f"retrainings {min(counts)} to {max(counts)}; greatest gap "
            f"{max(one['greatest_gap'] for one in runs):.3f}; the same after a restart in "
            f"{sum(one['same_after_restart'] for one in runs)}"
        )


if __name__ == "__main__":
    main()
