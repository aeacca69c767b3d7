"""Trials and their counts in SQLite and in PostgreSQL: one verdict, whoever is first."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from components.core.errors import LedgerError, NoWayBack
from components.core.ledger import PREDICTIONS, Champion, Ledger, deployments, trials
from components.core.ledger.counts import Counts
from serving.http.answers import Prediction
from serving.models.predictions import Answer

NOW = datetime(2026, 1, 5, 3, tzinfo=UTC)


def version(number: int) -> dict[str, Any]:
    return {
        "version": number, "bundle": f"{number:064x}", "time": NOW,
        "tag": f"newsloop@v{number}.0.0", "commit": "c" * 40, "dvc_lock": "d" * 64,
        "snapshot": "s" * 64, "metrics": {}, "decision": {},
    }  # fmt: skip


@pytest.fixture(autouse=True)
def released(ledger: Ledger) -> None:
    """Versions 1 and 2 are known, and 1 serves."""
    ledger.add_version(version(2), "a test")
    ledger.add_version(version(1), "a test")


def challenge_of(ledger: Ledger) -> trials.Challenge:
    found = trials.newest(ledger)
    assert found is not None
    return found


def champion_of(ledger: Ledger) -> Champion:
    found = ledger.champion()
    assert found is not None
    return found


def together(count: int, work: Callable[[], Any]) -> list[Any]:
    """What threads get that start `work` at the same moment."""
    found: list[Any] = []
    start = threading.Barrier(count)

    def one() -> None:
        start.wait()
        found.append(work())

    threads = [threading.Thread(target=one) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def test_a_trial_is_told_step_by_step(ledger: Ledger) -> None:
    assert trials.newest(ledger) is None
    trials.start(ledger, version(2), [0.0, 0.5], "a test", NOW)
    first = trials.newest(ledger)
    assert first is not None
    assert (first.event, first.share, first.running, first.tag) == (
        "start", 0.0, True, "newsloop@v2.0.0",
    )  # fmt: skip
    assert trials.go_on(ledger, first, "step", "fine", NOW)
    assert not trials.go_on(ledger, first, "failed", "another service was first", NOW)
    second = trials.newest(ledger)
    assert second is not None
    assert (second.id, second.event, second.share) == (first.id, "step", 0.5)
    assert trials.go_on(ledger, second, "promoted", "fine", NOW)
    champion = ledger.champion()
    assert champion is not None
    assert (champion.version, champion.reason) == (2, "fine")
    assert [one.event for one in trials.history(ledger, 9)] == ["promoted", "step", "start"]


def test_who_promote_at_once_promote_once(ledger: Ledger) -> None:
    trials.start(ledger, version(2), [0.5], "a test", NOW)
    challenge = challenge_of(ledger)
    found = together(4, lambda: trials.go_on(ledger, challenge, "promoted", "x", NOW))
    assert sorted(found) == [False, False, False, True]
    assert [one.version for one in ledger.deployments()] == [2, 1, 2]


_GOING_BACK = """
import sys
import time
from datetime import UTC, datetime
from components.core.errors import ChampionChanged, NoWayBack
from components.core.ledger import Ledger, deployments

ledger = Ledger(sys.argv[1], create=False)
print("ready", flush=True)
sys.stdin.readline()
steps = 0
while True:
    try:
        champion, _ = deployments.way_back(ledger)
        deployments.roll_back(ledger, champion, datetime.now(UTC), "a test")
        steps += 1
        time.sleep(0.005)  # the other process has its turn
    except ChampionChanged:
        continue
    except NoWayBack:
        break
print(steps)
"""


def test_two_processes_that_go_back_leave_each_version_once(database: str, ledger: Ledger) -> None:
    last = 60
    for number in range(3, last + 1):
        ledger.add_version(version(number), "a test")
    command = [sys.executable, "-c", _GOING_BACK, database]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    processes = [subprocess.Popen(command, **pipes) for _ in range(2)]  # type: ignore[call-overload]
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    steps = [int(process.communicate(timeout=60)[0]) for process in processes]
    backs = [row for row in deployments.history(ledger) if row["returns_to"]]
    # 2, 1, 3, 4, ... were deployed: the way back passes each of them once.
    assert [row["version"] for row in backs] == [*range(last - 1, 2, -1), 1, 2]
    assert sum(steps) == len(backs)
    assert all(steps), "one process did everything: nothing was tried at once"


def test_a_version_that_is_retired_does_not_come_back(ledger: Ledger) -> None:
    ledger.retire(2, f"{2:064x}", NOW, "erased")
    with pytest.raises(NoWayBack):
        deployments.roll_back(ledger, champion_of(ledger), NOW, "errors")
    assert champion_of(ledger).version == 1


def test_counts_of_services_add_up_since_a_time(ledger: Ledger) -> None:
    assert trials.observed(ledger, "a", NOW) == (Counts(), None)
    for seconds in (-1, 0, 5):
        when = NOW + timedelta(seconds=seconds)
        counts = Counts(batches=2, errors=1, texts=3, confidence=1.5, compared=3)
        trials.observe(ledger, {"a": counts, "b": Counts(batches=1)}, when)
    found = trials.observed(ledger, "a", NOW)
    assert found == (
        Counts(batches=4, errors=2, texts=6, confidence=3.0, compared=6),
        NOW + timedelta(seconds=5),
    )


@pytest.mark.parametrize(
    ("number", "running", "retired", "message"),
    [
        (1, False, False, "Expected another version to serve than newsloop@v1"),
        (2, True, False, "newsloop@v2.0.0 is on trial"),
        (2, False, True, "newsloop@v2.0.0 is retired"),
    ],
)
def test_a_trial_that_cannot_be_started(
    ledger: Ledger, number: int, running: bool, retired: bool, message: str
) -> None:
    if running:
        trials.start(ledger, version(2), [0.5], "a test", NOW)
    if retired:
        ledger.retire(2, "b", NOW, "erased")
    with pytest.raises(LedgerError, match=message):
        trials.start(ledger, version(number), [0.5], "a test", NOW)


def row(i: int, bundle: int, label: str) -> dict[str, Any]:
    answer = Answer(Prediction(f"{i:032x}", label, 0.9, {"tech": 0.9}, False), 4, 0.25, [0.5])
    return answer.row(f"{bundle:064x}", NOW)


@pytest.mark.parametrize(
    "order", [[0, 1, 2, 3, 4, 5], [5, 4, 3, 2, 1, 0], [2, 2, 0, 5, 1, 3, 4, 5]]
)
def test_labels_count_once_in_whatever_order_they_come(ledger: Ledger, order: list[int]) -> None:
    """Row 27: late (before or after the shadow's answer), twice, out of order, unknown."""
    said = [(f"{i:032x}", "tech" if i != 1 else "sport") for i in range(5)] + [("f" * 32, "tech")]
    ledger.insert(PREDICTIONS, [row(i, 1, "tech") for i in range(4)])
    ledger.insert(PREDICTIONS, [row(4, 2, "sport")])
    for i in order:
        ledger.add_labels([said[i]], NOW)
    shadows = [
        {"prediction_id": f"{i:032x}", "bundle": f"{2:064x}", "label": "sport", "confidence": 0.9}
        for i in range(4)
    ]
    trials.add_shadows(ledger, shadows)
    assert trials.labelled(ledger, f"{1:064x}") == (3, 4)
    assert trials.labelled(ledger, f"{2:064x}") == (1, 5)
    assert trials.labelled(ledger, f"{2:064x}", NOW + timedelta(seconds=1)) == (0, 0)
    ledger.add_labels([(f"{0:032x}", "sport")], NOW)  # a change of mind: the last word counts
    assert trials.labelled(ledger, f"{1:064x}") == (2, 4)
