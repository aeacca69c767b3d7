"""Inputs of the governor's rules from the ledger: requests, windows, labels, failures."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from components.core import params
from components.core.ledger import DECISIONS, PREDICTIONS, WINDOWS, Champion, Ledger, decisions
from components.core.ledger.verdicts import RunOutcome
from components.core.paths import Paths
from monitoring import governor_inputs
from monitoring.governor import History
from monitoring.governor_inputs import GovernorInputs

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)
SETTINGS = params.load(Paths.find().params).governor.model_copy(
    update={"reconcile_minutes": 5.0, "last_windows": 2}
)
SINCE = NOW - timedelta(days=3)
CHAMPION = Champion(
    1, "b", "newsloop@v1.0.0", "c", SINCE, "a test", {}, {"feedback_watermark": 2}, "s", "l"
)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    opened = Ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}")
    yield opened
    opened.close()


def ask(ledger: Ledger, id_: str, minutes: float, by: str = "monitoring", **details: Any) -> None:
    row = {"id": id_, "kind": "governor", "time": NOW - timedelta(minutes=minutes),
           "verdict": "retrain", "reasons": ["Because.", "It drifted."]}  # fmt: skip
    ledger.insert(DECISIONS, [{**row, "details": {"by": by, "bundle": "b", **details}}])


def gather(ledger: Ledger, at_work: bool = False) -> GovernorInputs:
    return governor_inputs.gather(ledger, CHAMPION, SETTINGS, NOW, at_work=at_work)


def test_an_empty_ledger_has_no_history(ledger: Ledger) -> None:
    assert gather(ledger) == GovernorInputs(History(champion_since=SINCE), None)
    assert gather(ledger).lost(NOW, SETTINGS) is None
    assert gather(ledger, at_work=True).history.under_way == "A learning run is at work"


@pytest.mark.parametrize(
    ("minutes", "lost"), [(0, False), (4.9, False), (5, True), (-4.9, False), (-5, True)]
)
def test_a_request_that_nobody_took_up_is_lost_after_a_while(
    ledger: Ledger, minutes: float, lost: bool
) -> None:
    """Also one of the future: the clock was set back."""
    ask(ledger, "0123456789", minutes)
    inputs = gather(ledger, at_work=True)
    expected = ("0123456789", "Because. It drifted.") if lost else None
    assert inputs.lost(NOW, SETTINGS) == expected
    assert inputs.history.under_way == "A retraining is asked for (01234567) and not begun yet"
    ledger.claim("0123456789", "run", NOW)
    assert gather(ledger).lost(NOW, SETTINGS) is None
    assert gather(ledger).history.under_way == ""


def test_what_people_ask_for_spends_no_budget(ledger: Ledger) -> None:
    for id_, minutes, by in (("a", 50, "monitoring"), ("b", 40, "person"), ("c", 30, "schedule")):
        ask(ledger, id_, minutes, by)
    asked = gather(ledger).history.asked
    assert asked == (NOW - timedelta(minutes=30), NOW - timedelta(minutes=50))


def test_the_last_window_that_was_judged(ledger: Ledger) -> None:
    for i, verdict in enumerate(["none", "drift", "cannot say", "bad data"]):
        row = {"time": NOW + timedelta(minutes=i), "bundle": "b", "after": i, "until": i + 1}
        ledger.insert(WINDOWS, [{**row, "rows": 1, "verdict": verdict, "details": {}}])
        judged = gather(ledger).history.judged
        assert judged == NOW + timedelta(minutes=min(i, 1))


def test_labels_windows_and_failures_of_the_champion(ledger: Ledger) -> None:
    row = {"time": NOW, "bundle": "b", "label": "x", "confidence": 0.5, "probabilities": {},
           "words": 1, "unknown_share": 0.0, "features": []}  # fmt: skip
    ledger.insert(PREDICTIONS, [{**row, "id": name} for name in "abcde"])
    ledger.add_labels(((name, "y") for name in "abcde"), NOW)
    for id_, moved in (("1", True), ("2", False), ("3", True)):
        ask(ledger, id_, 9, world_moved=moved)
        ledger.claim(id_, f"run {id_}", NOW)
    decisions.end(ledger, "run 3", "3", RunOutcome.FAILED, NOW)
    history = gather(ledger).history
    assert (history.new_labels, history.moved) == (3, (True, False))
    assert (history.failures, history.champion_since) == ((NOW,), SINCE)
