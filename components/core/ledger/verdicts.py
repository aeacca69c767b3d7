"""The words of the ledger's columns. Each is written as its value, and read back as a member.

The values of DECISIONS.verdict are different for each kind of decision, so that the column needs no
other one to be read.
"""

from __future__ import annotations

from enum import StrEnum


class DecisionKind(StrEnum):
    GATE = "gate"
    GOVERNOR = "governor"
    CIRCUIT = "circuit"


class GateVerdict(StrEnum):
    RELEASE = "release"
    KEEP = "keep"  # the champion
    REFUSE = "refuse"
    UNCHANGED = "unchanged"
    CANNOT_SAY = "cannot say"  # the rehearsal had no result


class GovernorVerdict(StrEnum):
    RETRAIN = "retrain"
    WAIT = "wait"
    ALERT = "alert"  # a person must look


class CircuitVerdict(StrEnum):
    CLOSED = "closed"  # by a person


class WindowFinding(StrEnum):
    """Of monitoring, about a window of predictions."""

    DRIFT = "drift"
    NONE = "none"
    CANNOT_SAY = "cannot say"
    BAD_DATA = "bad data"


class RunOutcome(StrEnum):
    """Of a learning run."""

    RELEASED = "released"
    KEPT = "kept"  # the champion, as good as the candidate
    UNCHANGED = "unchanged"
    REFUSED = "refused"  # by the gate
    FAILED = "failed"
    CRASHED = "crashed"  # killed, as the next run found
    MERGED = "merged"  # another run did or does this one's work
    HELD_BACK = "held back"  # the governor said wait to a schedule
    INTERRUPTED = "interrupted"  # by a person
    CANNOT_SAY = "cannot say"  # the rehearsal had no result


class TrialEvent(StrEnum):
    """Of a version on trial beside the champion."""

    START = "start"
    STEP = "step"
    PASSED = "passed"
    PROMOTED = "promoted"
    FAILED = "failed"
    STOPPED = "stopped"


class AlertDelivery(StrEnum):
    """Of an alert."""

    NOT_YET = "not yet"
    TOLD = "told"
    NO_CHANNEL = "no channel"
