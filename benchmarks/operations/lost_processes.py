"""The whole stack under random kills: what `status` says, how it comes back, which rows are lost.

    python benchmarks/operations/lost_processes.py            # 30 kills, some fifteen minutes
    python benchmarks/operations/lost_processes.py --kills 5  # a look

Prefect's server, runner, BentoML's supervisor, its worker and the scrubbing process run as
`newsloop up` starts them, with a tiny model. One client asks for predictions all the time and sends
their labels. At random moments one process is killed by SIGKILL, or all of one name are stopped
by SIGSTOP. Then:

1. `newsloop status`, with the clock set by up to a day, must say what is dead, left over, stopped;
2. what does not come back by itself within some seconds is brought back by one `newsloop up`;
3. at the end, each prediction and each label that was answered with 200 is looked up in the ledger.

Prints a line for each kill and writes benchmarks/operations/lost_processes.json.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

import psutil
import sqlalchemy as sa

from components.core import ledger as ledgers
from components.core.ledger import LABELS, PREDICTIONS, TEXTS, Ledger
from components.core.runtime import long_running
from flows import stack
from serving.client import Client
from tests import tiny
from tests.project import Project
from tests.running_stack import RECOVERED_WITHIN, RUNS, Stack

RESULT = Path(__file__).with_suffix(".json")
STEPS = (0, 1, -1, 86_400, -86_400)  # seconds by which the clock is set when status is asked
BY_ITSELF = 15  # seconds: BentoML's supervisor starts a worker again, a worker its scrubber
LATE = 2  # requests between an answer and its label
SETTLED = 8.0  # seconds after the last request, for what waits for the ledger


class Traffic(threading.Thread):
    """Asks and labels without a pause; keeps what was answered with 200."""

    def __init__(self, url: str) -> None:
        super().__init__(daemon=True)
        self._client = Client(url, timeout=5, patience=0)
        self._over = threading.Event()
        self.predictions: list[tuple[str, float]] = []  # id, when it was answered
        self.labels: list[str] = []
        self.failed, self.unknown = 0, 0

    def run(self) -> None:
        turn, unlabelled = 0, []
        while not self._over.wait(0.02):
            turn += 1
            label = tiny.LABELS[turn % len(tiny.LABELS)]
            try:
                answer = self._client.classify([f"the {tiny.WORDS[label][0]} of day {turn}"])
                (prediction,) = answer.predictions
                self.predictions.append((prediction.prediction_id, time.monotonic()))
                unlabelled.append((prediction.prediction_id, label))
                if len(unlabelled) > LATE:
                    given = unlabelled.pop(0)
                    counts = self._client.feedback([given])
                    self.labels += [given[0]] * counts.accepted
                    self.unknown += counts.unknown
            except Exception as error:  # noqa: BLE001 - whatever a killed service makes of it
                self.failed += 1
                del error

    def end(self) -> None:
        self._over.set()
        self.join(30)
        self._client.close()


def expected(ours: Stack, victim: str, stopped: bool) -> set[str]:
    """The words that are true of the name that was hit."""
    if stopped:
        return {"stopped"}
    if victim in ("worker", "scrubber"):
        return {"runs", "silent"}  # it is on its way back
    left = len(long_running.members(ours.paths.processes, _name(victim)))
    return {f"left {left}"} if left else {"dead"}


def _name(victim: str) -> str:
    return victim if victim in stack.NAMES else stack.SERVICE


def victims(ours: Stack) -> dict[str, psutil.Process]:
    service = long_running.members(ours.paths.processes, stack.SERVICE)
    processes = dict(zip(("service", "worker", "scrubber"), service, strict=False))
    for name in (stack.SERVER, stack.RUNNER):
        processes[name] = long_running.members(ours.paths.processes, name)[0]
    return processes


def hit(ours: Stack, chance: random.Random, stop: bool, order: list[str]) -> dict[str, Any]:
    """One kill or stop, and the way back."""
    there = victims(ours)
    victim = chance.choice(list(stack.NAMES)) if stop else order.pop()
    begun = time.monotonic()
    if stop:
        for process in long_running.members(ours.paths.processes, victim):
            process.suspend()
    else:
        there[victim].kill()
        psutil.wait_procs([there[victim]], 5)
    dead = time.monotonic()
    step = chance.choice(STEPS)
    words = expected(ours, victim, stop)
    status = ours.status(step)
    others = {name: word for name, word in status.items() if name != _name(victim)}
    true = status[_name(victim)] in words and others == {n: RUNS[n] for n in others}
    commands = 0
    until = begun + (BY_ITSELF if victim in ("worker", "scrubber") and not stop else 0)
    while (state := ours.status()) != RUNS and time.monotonic() < until:
        time.sleep(0.2)
    if state != RUNS:
        commands = 1
        answer = ours.project.newsloop("up", "--json")
        if answer.status:
            print(answer.err[-2000:], flush=True)
        state = ours.status()
    return {
        "victim": victim, "signal": "SIGSTOP" if stop else "SIGKILL", "clock_step": step,
        "dead": dead, "status": status, "true": true, "commands": commands, "back": state == RUNS,
        "seconds": round(time.monotonic() - begun, 1),
    }  # fmt: skip


def rows(ledger: Ledger, column: sa.Column[Any]) -> Counter[str]:
    return Counter(row["id"] for row in ledger.query(sa.select(column.label("id"))))


def compared(traffic: Traffic, ours: Stack, kills: list[float]) -> dict[str, Any]:
    """Compares the answers with status 200 with the rows of the ledger."""
    ledger = Ledger(ledgers.url(ours.paths.ledger))
    try:
        predicted, labelled = rows(ledger, PREDICTIONS.c.id), rows(ledger, LABELS.c.prediction_id)
        texts = rows(ledger, TEXTS.c.prediction_id)
        empty = len(ledger.query(sa.select(TEXTS.c.prediction_id).where(TEXTS.c.text.is_(None))))
    finally:
        ledger.close()
    lost = [
        (prediction_id, when)
        for prediction_id, when in traffic.predictions
        if not predicted[prediction_id]
    ]
    ages = [min((k - when for k in kills if k >= when), default=0.0) for _, when in lost]
    return {
        "predictions_answered": len(traffic.predictions), "predictions_lost": len(lost),
        "oldest_lost_seconds_before_the_kill": round(max(ages, default=0.0), 2),
        "predictions_doubled": sum(n - 1 for n in predicted.values()),
        "labels_accepted": len(traffic.labels),
        "labels_lost": sum(not labelled[prediction_id] for prediction_id in traffic.labels),
        "labels_doubled": sum(n - 1 for n in labelled.values()),
        "labels_for_a_lost_prediction": traffic.unknown,
        "predictions_without_text": sum(not texts[prediction_id] for prediction_id in predicted),
        "empty_texts": empty,
        "requests_failed": traffic.failed,
    }  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--stops", type=int, default=6)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    chance = random.Random(arguments.seed)
    names = ("server", "runner", "service", "worker", "scrubber")
    order = [names[i % len(names)] for i in range(arguments.kills)]
    chance.shuffle(order)
    turns = [False] * arguments.kills + [True] * arguments.stops
    chance.shuffle(turns)
    hits = []
    with tempfile.TemporaryDirectory() as folder:
        tiny.shared = Path(folder)
        project = Project(Path(folder) / "project", per_class=3)
        ours = Stack(project)
        tiny.make_champion(ours.paths)
        try:
            ours.up()
            traffic = Traffic(project.service)
            traffic.start()
            for stop in turns:
                time.sleep(chance.uniform(0.5, 3))
                hits.append(hit(ours, chance, stop, order))
                print(len(hits), hits[-1], flush=True)
            time.sleep(1)
            traffic.end()
            time.sleep(SETTLED)
            comparison = compared(traffic, ours, [hit_row.pop("dead") for hit_row in hits])
        finally:
            project.newsloop("down")
    seconds = [hit_row["seconds"] for hit_row in hits]
    result = {
        "cores": os.cpu_count(), "seed": arguments.seed, "kills": arguments.kills,
        "stops": arguments.stops, "status_true": sum(hit_row["true"] for hit_row in hits),
        "back": sum(hit_row["back"] for hit_row in hits),
        "most_commands": max(hit_row["commands"] for hit_row in hits),
        "seconds_to_recover": {"median": statistics.median(seconds), "most": max(seconds)},
        **comparison, "hits": hits,
    }  # fmt: skip
    RESULT.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps({key: value for key, value in result.items() if key != "hits"}, indent=1))
    right = result["status_true"] == result["back"] == len(hits)
    nothing_lost = not any(comparison[f"{what}_{how}"] for what in ("predictions", "labels")
                   for how in ("lost", "doubled"))  # fmt: skip
    return int(not (right and nothing_lost and max(seconds) <= RECOVERED_WITHIN))


if __name__ == "__main__":
    sys.exit(main())
