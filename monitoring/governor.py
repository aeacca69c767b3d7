"""The governor: turns monitoring's verdict into "retrain", "wait" or "alert", and says why.

A pure policy, a table of five rows: no drift waits, "cannot say" waits, drift soon after the last
request waits, drift without enough new labels calls a person, and other drift asks for a
retraining.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from components.core.params import Governor

Finding = Literal["drift", "none", "cannot say", "bad data"]


@dataclass(frozen=True)
class Verdict:
    """What monitoring found in a window.

    Attributes:
        finding: what the ledger's `windows.verdict` says.
        reasons: why, in English, with numbers.
    """

    finding: Finding
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True)
class History:
    """What happened before.

    Attributes:
        last_retrain: when the newest decision "retrain" was taken, UTC; None if never.
        new_labels: labels that came since the champion's snapshot.
    """

    last_retrain: datetime | None
    new_labels: int


@dataclass(frozen=True)
class Decision:
    """What is to be done, and why."""

    verdict: Literal["retrain", "wait", "alert"]
    reasons: list[str]


def decide(verdict: Verdict, history: History, params: Governor, now: datetime) -> Decision:
    """What to do about a window.

    Args:
        verdict: of the window.
        history: the last request for a retraining, and how many labels wait to be learned.
        params: `min_new_labels`, `cooldown_hours`.
        now: UTC. A last request that lies in the future (a clock was set back) counts as long ago
            as it is ahead, so that it can hold up retraining for one cooldown only.

    >>> settings = Governor(min_new_labels=50, cooldown_hours=6.0, reconcile_minutes=5.0)
    >>> decide(Verdict("drift"), History(None, 20), settings, datetime(2026, 1, 5)).verdict
    'alert'
    """
    reasons: Sequence[str] = verdict.reasons
    if verdict.finding == "none":
        return Decision("wait", [*reasons, "There is no reason to retrain."])
    if verdict.finding == "cannot say":
        return Decision(
            "wait", [*reasons, "Whether there is drift cannot be said; this is no pass."]
        )
    if verdict.finding == "bad data":
        return Decision("alert", [*reasons, "Bad data is not drift: nothing is retrained."])
    cooldown = timedelta(hours=params.cooldown_hours)
    if history.last_retrain is not None and abs(now - history.last_retrain) < cooldown:
        hours = abs(now - history.last_retrain) / timedelta(hours=1)
        return Decision(
            "wait",
            [
                *reasons,
                f"A retraining was asked for {hours:.1f} hours ago, and {params.cooldown_hours:g} "
                "hours must lie between two.",
            ],
        )
    if history.new_labels < params.min_new_labels:
        missing = params.min_new_labels - history.new_labels
        return Decision(
            "alert",
            [
                *reasons,
                f"There are {history.new_labels} labels since the champion's snapshot, and "
                f"{params.min_new_labels} are needed to learn anything new: a person must label "
                f"{missing} more (POST /feedback).",
            ],
        )
    return Decision(
        "retrain",
        [
            *reasons,
            f"There are {history.new_labels} labels since the champion's snapshot, "
            f"{params.min_new_labels} are needed.",
        ],
    )
