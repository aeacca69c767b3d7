"""Counters of a bundle that answers or is on trial."""

from __future__ import annotations

from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Counts:
    """Counts of one bundle over some time; they add up over times and services.

    Attributes:
        batches: computed or failed.
        errors: batches that gave no answer.
        slow: batches that took longer than they may.
        texts: answered.
        confidence: summed over these texts.
        compared: texts that champion and challenger both answered.
        disagreed: of these, with two different labels.
    """

    batches: int = 0
    errors: int = 0
    slow: int = 0
    texts: int = 0
    confidence: float = 0.0
    compared: int = 0
    disagreed: int = 0

    def __add__(self, other: Counts) -> Counts:
        mine, theirs = asdict(self), asdict(other)
        return Counts(**{name: mine[name] + theirs[name] for name in mine})

    @property
    def mean_confidence(self) -> float:
        return self.confidence / max(self.texts, 1)
