"""Verdict on a version on trial: failed, passed, or wait. Absent counts fail.

Errors and slow batches are judged by themselves; confidence and labels beside the champion of the
same time; accuracy beside what the other model says of the same texts.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

from components.core.ledger.counts import Counts
from components.core.params.serving import Challenger
from serving.rollout.comparison import Comparison


class RolloutVerdict(StrEnum):
    FAILED = "failed"
    PASSED = "passed"
    WAIT = "wait"


@dataclass(frozen=True)
class Evidence:
    """Evidence on a version on trial.

    Attributes:
        ours: its counts; other: the champion's of the same time.
        labelled: both on the texts that people labelled.
        silent_seconds: since something was counted last.
        seconds: since the step began.
        shadow: it gives no answers, so `ours.compared` says how much it did.
    """

    ours: Counts
    other: Counts = Counts()  # noqa: RUF009 - frozen
    labelled: Comparison = Comparison()  # noqa: RUF009 - frozen
    silent_seconds: float = 0
    seconds: float = 0
    shadow: bool = False


def judge(evidence: Evidence, limits: Challenger, seconds: float) -> tuple[RolloutVerdict, str]:
    """Returns the verdict after a step of `seconds`, and its reason."""
    if reasons := faults(evidence, limits):
        return RolloutVerdict.FAILED, "; ".join(reasons)
    done = evidence.ours.compared if evidence.shadow else evidence.ours.texts
    if evidence.seconds < seconds or done < limits.min_texts:
        return RolloutVerdict.WAIT, (
            f"{done} of {limits.min_texts} texts, {evidence.seconds:.0f} of {seconds:.0f} s"
        )
    return RolloutVerdict.PASSED, f"{done} texts in {evidence.seconds:.0f} s without a fault"


def faults(evidence: Evidence, limits: Challenger) -> list[str]:
    """Lists the reasons against the version, each in a few words."""
    ours, other = evidence.ours, evidence.other
    reasons = []
    if evidence.silent_seconds > limits.absent_seconds:
        reasons.append(f"no metrics for {evidence.silent_seconds:.0f} s")
    for name, count, share in (
        ("errors", ours.errors, limits.max_error_share),
        ("slow", ours.slow, limits.max_slow_share),
    ):
        if count >= limits.min_failures and count > share * ours.batches:
            reasons.append(f"{name}: {count} of {ours.batches} batches")
    drop = other.mean_confidence - ours.mean_confidence
    if min(ours.texts, other.texts) >= limits.min_texts and drop > limits.max_confidence_drop:
        reasons.append(
            f"confidence {ours.mean_confidence:.3f}, the champion's {other.mean_confidence:.3f}"
        )
    if (
        ours.compared >= limits.min_texts
        and ours.disagreed > limits.max_disagreement * ours.compared
    ):
        reasons.append(f"another label than the champion's: {ours.disagreed} of {ours.compared}")
    labelled = evidence.labelled
    if less_accurate(labelled, limits):
        reasons.append(
            f"accuracy {labelled.right} of {labelled.labels} labelled texts, the other's "
            f"{labelled.other_right} of the same"
        )
    return reasons


def less_accurate(labelled: Comparison, limits: Challenger) -> bool:
    """Returns the verdict of the paired test; see serving/rollout/paired_test.py.

    A rollback does not help where the other model is wrong on most of the texts, too: the inputs
    have drifted, or people label wrong answers only.
    """
    return (
        labelled.labels >= limits.min_labels
        and labelled.plausible
        and labelled.log_evidence >= -math.log(limits.level)
    )
