"""The governor's policy, as tables."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from components.core.params import Governor
from monitoring.governor import Asker, History, WindowVerdict, circuit_open, decide

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)
VALUES: dict[str, Any] = {
    "drifted_windows": 2, "last_windows": 3, "max_accuracy_drop": 0.05, "min_new_labels": 50,
    "harmless_drop": 0.03,
    "cooldown_hours": 6.0, "per_day": 2, "per_month": 3, "quiet_hours": [13],
    "max_age_days": 30.0, "blind_hours": 24.0, "failures": 3, "circuit_hours": 24.0,
    "reconcile_minutes": 5.0, "compare_windows": 3,
}  # fmt: skip
SETTINGS = Governor(**VALUES)


def ago(hours: float) -> datetime:
    return NOW - timedelta(hours=hours)


# What suffices for a retraining; each row below changes one thing.
READY = History(50, moved=(True, False), champion_since=ago(48), judged=ago(1))
DRIFT, NONE, UNCLEAR = WindowVerdict("drift"), WindowVerdict("none"), WindowVerdict("cannot say")


@pytest.mark.parametrize(
    ("verdict", "changes", "expected", "rule"),
    [
        (DRIFT, {}, "retrain", "monitoring"),
        (NONE, {}, "wait", "no_reason"),
        (WindowVerdict("bad data"), {}, "alert", "bad_data"),
        (WindowVerdict("bad data", real_drop=0.9), {}, "alert", "bad_data"),
        (UNCLEAR, {}, "alert", "cannot_say"),
        (replace(UNCLEAR, enough=False), {}, "wait", "cannot_say"),
        (replace(UNCLEAR, enough=False), {"judged": ago(23.9)}, "wait", "cannot_say"),
        (replace(UNCLEAR, enough=False), {"judged": ago(24)}, "alert", "cannot_say"),
        (replace(UNCLEAR, enough=False), {"judged": None}, "alert", "cannot_say"),
        # Accuracy that fell counts as drift does, also where nothing else can be said.
        (replace(NONE, real_drop=0.051), {}, "retrain", "monitoring"),
        (replace(NONE, estimated_drop=0.051), {}, "retrain", "monitoring"),
        (replace(NONE, real_drop=0.05, estimated_drop=-0.1), {}, "wait", "no_reason"),
        (replace(UNCLEAR, real_drop=0.2), {}, "retrain", "monitoring"),
        # Drift that costs nothing is let be, as long as nothing else says that it costs.
        (replace(DRIFT, estimated_drop=-0.01, estimated_most=0.029), {}, "wait", "no_reason"),
        (replace(DRIFT, estimated_drop=-0.01, estimated_most=0.03), {}, "retrain", "monitoring"),
        (
            replace(DRIFT, estimated_drop=-0.01, estimated_most=0.01, real_drop=0.06),
            {}, "retrain", "monitoring",
        ),
        # k of n windows: this one and the two before it.
        (DRIFT, {"moved": (False, True)}, "retrain", "monitoring"),
        (DRIFT, {"moved": (False, False, True)}, "wait", "too_few_windows"),
        (DRIFT, {"moved": ()}, "wait", "too_few_windows"),
        # One at a time, and seldom.
        (DRIFT, {"under_way": "A run is at work"}, "wait", "under_way"),
        (DRIFT, {"asked": (ago(6),)}, "retrain", "monitoring"),
        (DRIFT, {"asked": (ago(5.9),)}, "wait", "cooldown"),
        (DRIFT, {"asked": (ago(-1),)}, "wait", "cooldown"),  # the clock was set back
        (DRIFT, {"asked": (ago(-8760),)}, "retrain", "monitoring"),  # it was a year ahead
        (DRIFT, {"asked": (ago(6).astimezone(),)}, "retrain", "monitoring"),  # another zone
        (DRIFT, {"asked": (ago(7), ago(25))}, "retrain", "monitoring"),
        (DRIFT, {"asked": (ago(7), ago(23))}, "alert", "budget"),
        (DRIFT, {"asked": (ago(30), ago(60), ago(90))}, "alert", "budget"),
        (DRIFT, {"asked": (ago(30), ago(60), ago(721))}, "retrain", "monitoring"),
        (DRIFT, {"new_labels": 49}, "alert", "too_few_labels"),
        (DRIFT, {"new_labels": 0, "asked": (ago(2),)}, "wait", "cooldown"),
        # The circuit: open after three, closed by time.
        (DRIFT, {"failures": (ago(1), ago(9))}, "retrain", "monitoring"),
        (DRIFT, {"failures": (ago(1), ago(9), ago(20))}, "alert", "circuit"),
        (DRIFT, {"failures": (ago(24), ago(32), ago(40))}, "retrain", "monitoring"),
        # Old age needs no drift, but labels.
        (NONE, {"champion_since": ago(30 * 24 + 1)}, "retrain", "monitoring"),
        (NONE, {"champion_since": ago(30 * 24 - 1)}, "wait", "no_reason"),
        (NONE, {"champion_since": ago(999), "new_labels": 9}, "alert", "too_few_labels"),
    ],
)  # fmt: skip
def test_policy(verdict: WindowVerdict, changes: dict[str, Any], expected: str, rule: str) -> None:
    decision = decide(
        replace(verdict, reasons=("Because.",)), replace(READY, **changes), SETTINGS, NOW
    )
    assert (decision.verdict, decision.rule) == (expected, rule)
    assert decision.reasons[0] == "Because."


@pytest.mark.parametrize(
    ("by", "changes", "expected", "rule"),
    [
        ("schedule", {"new_labels": 0, "moved": ()}, "retrain", "schedule"),
        ("schedule", {"under_way": "A run is at work"}, "wait", "under_way"),
        ("schedule", {"asked": (ago(1),)}, "wait", "cooldown"),
        ("schedule", {"failures": (ago(1),) * 3}, "alert", "circuit"),
        ("schedule", {"asked": (ago(7), ago(23))}, "alert", "budget"),
        ("person", {"failures": (ago(1),) * 3, "asked": (ago(1),) * 9}, "retrain", "person"),
        ("person", {"under_way": "A run is at work"}, "wait", "under_way"),
    ],
)
def test_other_askers(by: Asker, changes: dict[str, Any], expected: str, rule: str) -> None:
    decision = decide(NONE, replace(READY, **changes), SETTINGS, NOW, by)
    assert (decision.verdict, decision.rule) == (expected, rule)


def test_quiet_hours_are_utc() -> None:
    for hours, expected in ((0, "retrain"), (1, "wait"), (2, "retrain")):
        time = (NOW + timedelta(hours=hours)).astimezone()
        assert decide(DRIFT, READY, SETTINGS, time).verdict == expected


@pytest.mark.parametrize(
    ("verdict", "changes", "says"),
    [
        (DRIFT, {}, "There are 50 labels"),
        (DRIFT, {"new_labels": 49}, "must label 1 more"),
        (DRIFT, {"asked": (ago(2),)}, "2.0 hours ago, and 6 hours"),
        (DRIFT, {"moved": (False, False)}, "1 of the last 3 windows moved; 2 of 3 are needed"),
        (UNCLEAR, {}, "no pass"),
        (DRIFT, {"failures": (ago(1),) * 3}, "before 2026-01-06 11:00 UTC"),
        (NONE, {"champion_since": ago(31 * 24)}, "The champion is 31 days old."),
    ],
)
def test_the_last_reason_says_what_to_do(
    verdict: WindowVerdict, changes: dict[str, Any], says: str
) -> None:
    assert says in decide(verdict, replace(READY, **changes), SETTINGS, NOW).reasons[-1]


def test_the_drop_is_said() -> None:
    reasons = decide(replace(NONE, estimated_drop=0.0712), READY, SETTINGS, NOW).reasons
    assert reasons[0] == (
        "The estimated accuracy is 0.071 below the held-back texts'; 0.05 is allowed."
    )


@pytest.mark.parametrize(
    ("failed", "opened"),
    [((), False), ((1, 2), False), ((1, 2, 3), True), ((24, 25, 26), False), ((1, 99, 999), True)],
)
def test_circuit(failed: tuple[float, ...], opened: bool) -> None:
    history = History(failures=tuple(ago(hours) for hours in failed))
    assert circuit_open(history, SETTINGS, NOW) is opened


def test_more_windows_than_are_looked_at_cannot_be_asked_for() -> None:
    with pytest.raises(ValidationError, match="drifted_windows must not be more"):
        Governor(**VALUES | {"drifted_windows": 4})
