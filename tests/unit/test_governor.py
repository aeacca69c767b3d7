"""The governor's policy, as a table."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from components.core.params import Governor
from monitoring.governor import Finding, History, Verdict, decide

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)
SETTINGS = Governor(min_new_labels=50, cooldown_hours=6.0, reconcile_minutes=5.0)


def ago(hours: float) -> datetime:
    return NOW - timedelta(hours=hours)


@pytest.mark.parametrize(
    ("finding", "last", "labels", "expected", "says"),
    [
        ("none", None, 500, "wait", "no reason to retrain"),
        ("none", ago(1), 0, "wait", "no reason to retrain"),
        ("cannot say", None, 500, "wait", "no pass"),
        ("drift", None, 50, "retrain", "50 labels"),
        ("drift", None, 49, "alert", "must label 1 more"),
        ("drift", None, 0, "alert", "must label 50 more"),
        ("drift", ago(6), 50, "retrain", "50 labels"),
        ("drift", ago(5.9), 500, "wait", "5.9 hours ago, and 6 hours"),
        ("drift", ago(0), 500, "wait", "0.0 hours ago"),
        ("drift", ago(2), 0, "wait", "2.0 hours ago"),
        ("drift", ago(-1), 500, "wait", "1.0 hours ago"),  # the clock was set back
        ("drift", ago(-8760), 500, "retrain", "500 labels"),  # it was a year ahead
        ("drift", ago(6).astimezone(), 50, "retrain", "50 labels"),  # another zone, the same time
    ],
)
def test_policy(
    finding: Finding, last: datetime | None, labels: int, expected: str, says: str
) -> None:
    decision = decide(Verdict(finding, ("Because.",)), History(last, labels), SETTINGS, NOW)
    assert decision.verdict == expected
    assert decision.reasons[0] == "Because."
    assert says in decision.reasons[-1]
