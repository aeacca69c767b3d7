"""Retraining decisions in ninety simulated days of hourly windows, in four worlds.

    python benchmarks/monitoring/ninety_days.py [--runs 20] [--worlds still step slide broken]
    python benchmarks/monitoring/ninety_days.py --runs 10 --first 10 --into OTHER.json  # beside it
    python benchmarks/monitoring/ninety_days.py --merge OTHER.json

Real texts: the ingested BBC articles, one class of which (tech) is rare at first. The models are
TF-IDF with logistic regression, one for each whole percent that the rare class may have; they give
the signals that a bundle gives, except words and language. Each is trained beforehand, so a
retraining is a swap to the model of the share at that hour. The articles that no model learns from
are the world: a model's reference and each hour's 100 texts are drawn from them with replacement,
so that without a shift both come from one distribution. Level, test, look back, estimate, policy,
history and ledger are monitoring's own. To save time the estimate has fewer resamples.

still: the share stays. step: it jumps on day 30. slide: it grows evenly from day 15 to 75. broken:
from day 30 on, three days of texts are bad data, as monitoring's verdict would be. Until then all
worlds are one, and are lived once. The gap is how much less accurate the model is than one that is
trained anew each day. In the middle of each run a copy of its ledger is opened by itself and lived
on: the decisions must be the same. The bound is the least gap that anybody can reach in the slide
with as many retrainings, who knows at the beginning what will come.

Rows that the file holds are not done again. Prints a table, and writes
benchmarks/monitoring/ninety_days.json. Needs one `make run` before.
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
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))

from benchmarks.monitoring.ninety_days_world import (
    BEGINS,
    BROKEN,
    DAYS,
    FIRST,
    HOURS,
    JUMP,
    RARE,
    ROWS,
    START,
    Simulated,
    share_at,
    whole,
)
from components.core import ledger as ledgers
from components.core import params as parameters
from components.core.ledger import LABELS, WINDOWS, Ledger
from components.core.ledger import windows as ledger_windows
from components.core.paths import Paths
from monitoring import (
    governor,
    governor_inputs,
    monitor,
    window_evaluation,
)
from monitoring.drift import Drift
from monitoring.governor import WindowVerdict
from monitoring.window_evaluation import Seen

LABELS_AN_HOUR = 5
MIDDLE = DAYS // 2 * HOURS
ALLOWED = {"still": (0, 0), "step": (1, 1), "slide": (0, 3), "broken": (0, 0)}  # retrainings
WITHIN = 3  # windows after the jump, until the retraining is asked for
GAP = 0.03  # accuracy that the slide may cost, against a model retrained daily


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
    """Run of one world.

    Attributes:
        asked: hours in which a retraining was requested.
        verdicts: verdicts of the governor, one per hour.
        gap: largest accuracy gap so far.
        drifted: number of windows with drift.
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
        """Copies the run with its ledger, to continue in a world that was equal until now."""
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
        loud = {
            after // ROWS
            for verdict in ("drift", "bad data")
            for after, _ in ledger_windows.spans(ledger, champion.bundle, verdict)
        }
        level = window_evaluation.level(
            ledger_windows.spent(ledger, now - timedelta(days=1)), params.monitor
        )
        if self.world == "broken" and BROKEN[0] <= hour / HOURS < BROKEN[1]:
            shift, estimate = Drift(WindowVerdict("bad data")), None
        else:
            shift, estimate = simulated.judge(self.world, self.run, hour, model, begun, loud, level)
        seen = Seen(shift, {}, estimate=estimate)
        verdict = monitor.with_accuracy(shift.verdict, seen, None, champion)
        past = governor_inputs.gather(ledger, champion, params.governor, now, at_work=False)
        decision = governor.decide(verdict, past.history, params.governor, now)
        record(ledger, champion.bundle, now, hour, shift, decision)
        rows = [{"prediction_id": uuid.uuid4().hex, "label": RARE, "time": now}] * LABELS_AN_HOUR
        ledger.insert(LABELS, rows)
        self._labels += len(rows)
        self.verdicts.append(decision.verdict)
        self.drifted += shift.verdict.finding == "drift"
        if decision.verdict == "retrain":
            self.asked.append(hour)
            tested = simulated.tested(whole(share), self.run)
            release(ledger, champion.version + 1, now, whole(share), tested, self._labels)
        self.gap = max(self.gap, simulated.gap(self.world, hour, model))


def record(
    ledger: Ledger, bundle: str, now: datetime, hour: int, shift: Drift, decision: Any
) -> None:
    details = {"bundle": bundle, "world_moved": decision.moved, "rule": decision.rule}
    window = {"time": now, "bundle": bundle, "after": hour * ROWS, "until": (hour + 1) * ROWS}
    window |= {"rows": ROWS, "verdict": shift.verdict.finding, "details": {"level": shift.level}}
    ledger.insert(WINDOWS, [window])
    row = {"id": uuid.uuid4().hex, "kind": "governor", "time": now, "verdict": decision.verdict}
    ledger.add_decision({**row, "reasons": decision.reasons, "details": details})


def meets_goals(world: str, life: Life) -> bool:
    """Returns True if a run met its goals."""
    low, high = ALLOWED[world]
    good = low <= len(life.asked) <= high
    if world == "step":
        jump = JUMP * HOURS
        return good and jump <= life.asked[0] < jump + WITHIN
    return good and (world != "slide" or life.gap <= GAP)


def row(life: Life, again: Life) -> dict[str, Any]:
    """Makes the row of a run.

    Args:
        life: finished run.
        again: finished copy of the run from its middle on.
    """
    return {
        "run": life.run,
        "kept": meets_goals(life.world, life),
        "asked_at_hour": life.asked,
        "greatest_gap": round(life.gap, 4),
        "windows_with_drift": life.drifted,
        "same_after_restart": life.verdicts == again.verdicts,
    }


def lived(
    simulated: Simulated, folder: Path, run: int, worlds: Iterable[str]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Runs `worlds`; yields each with its row, ordered by their first change."""
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
    """Computes the smallest gap in the slide with so many retrainings, and their days."""
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
    """Merges the rows of another file."""
    for world, stored in json.loads(path.read_text()).items():
        if world not in ALLOWED:
            results[world] = stored
            continue
        had = {result["run"] for result in results.get(world, [])}
        rows = [*results.get(world, []), *(result for result in stored if result["run"] not in had)]
        results[world] = sorted(rows, key=lambda result: result["run"])


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
                    if all(result["run"] != run for result in results.get(world, []))
                ]
                for world, result in lived(simulated, Path(folder), run, missing):
                    rows = [*results.get(world, []), result]
                    results[world] = sorted(rows, key=lambda stored: stored["run"])
                    target.write_text(json.dumps(results, indent=2) + "\n")
                    print(f"{world:<8}{result}", flush=True)
        least, days = bound(simulated, ALLOWED["slide"][1])
        results["bound"] = {"greatest_gap": round(least, 4), "days": days}
    target.write_text(json.dumps(results, indent=2) + "\n")
    print(f"bound   {results.get('bound')}")
    for world in ALLOWED:
        if not (runs := results.get(world, [])):
            continue
        counts = [len(result["asked_at_hour"]) for result in runs]
        print(
            f"{world:<8} kept in {sum(result['kept'] for result in runs)} of {len(runs)} runs; "
            f"retrainings {min(counts)} to {max(counts)}; greatest gap "
            f"{max(result['greatest_gap'] for result in runs):.3f}; the same after a restart in "
            f"{sum(result['same_after_restart'] for result in runs)}"
        )


if __name__ == "__main__":
    main()
