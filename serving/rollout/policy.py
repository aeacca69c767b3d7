"""Whether a version on trial has failed, has passed, or needs more time. Absent counts fail.

Errors and slow batches are judged by themselves; confidence, labels and accuracy beside the
champion of the same time.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from components.core.ledger.counts import Counts
from components.core.params.serving import Challenger


class RolloutVerdict(StrEnum):
    FAILED = "failed"
    PASSED = "passed"
    WAIT = "wait"


@dataclass(frozen=True)
class Evidence:
    """What is known of a version on trial.

    Attributes:
        ours: its counts; other: the champion's of the same time.
        right, labels: how many of its answers people called right, of how many they labelled.
        other_right, other_labels: the same of the other one.
        silent_seconds: since something was counted last.
        seconds: since the step began.
        shadow: it gives no answers, so `ours.compared` says how much it did.
    """

    ours: Counts
    other: Counts = Counts()  # noqa: RUF009 - frozen
    right: int = 0
    labels: int = 0
    other_right: int = 0
    other_labels: int = 0
    silent_seconds: float = 0
    seconds: float = 0
    shadow: bool = False


def judge(evidence: Evidence, limits: Challenger, seconds: float) -> tuple[RolloutVerdict, str]:
    """The verdict after a step of `seconds`, and its reason."""
    if found := faults(evidence, limits):
        return RolloutVerdict.FAILED, "; ".join(found)
    done = evidence.ours.compared if evidence.shadow else evidence.ours.texts
    if evidence.seconds < seconds or done < limits.min_texts:
        return RolloutVerdict.WAIT, (
            f"{done} of {limits.min_texts} texts, {evidence.seconds:.0f} of {seconds:.0f} s"
        )
    return RolloutVerdict.PASSED, f"{done} texts in {evidence.seconds:.0f} s without a fault"


def faults(evidence: Evidence, limits: Challenger) -> list[str]:
    """What speaks against it, each in a few words."""
    ours, other = evidence.ours, evidence.other
    found = []
    if evidence.silent_seconds > limits.absent_seconds:
        found.append(f"no metrics for {evidence.silent_seconds:.0f} s")
    for name, count, share in (
        ("errors", ours.errors, limits.max_error_share),
        ("slow", ours.slow, limits.max_slow_share),
    ):
        if count >= limits.min_failures and count > share * ours.batches:
            found.append(f"{name}: {count} of {ours.batches} batches")
    drop = other.mean_confidence - ours.mean_confidence
    if min(ours.texts, other.texts) >= limits.min_texts and drop > limits.max_confidence_drop:
        found.append(
            f"confidence {ours.mean_confidence:.3f}, the champion's {other.mean_confidence:.3f}"
        )
    if (
        ours.compared >= limits.min_texts
        and ours.disagreed > limits.max_disagreement * ours.compared
    ):
        found.append(f"another label than the champion's: {ours.disagreed} of {ours.compared}")
    if less_accurate(evidence, limits):
        found.append(
            f"accuracy {evidence.right} of {evidence.labels} labelled answers, the other's "
            f"{evidence.other_right} of {evidence.other_labels}"
        )
    return found


def less_accurate(evidence: Evidence, limits: Challenger) -> bool:
    """Fisher's exact test, one-sided, of "its answers are called right as often"."""
    if min(evidence.labels, evidence.other_labels) < limits.min_labels:
        return False
    from scipy.stats import fisher_exact

    table = [
        [evidence.right, evidence.labels - evidence.right],
        [evidence.other_right, evidence.other_labels - evidence.other_right],
    ]
    return bool(fisher_exact(table, alternative="less").pvalue < limits.level)
