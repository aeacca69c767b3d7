"""The seam between labels and numbers: a target encodes labels, decides and scores.

`SingleLabel`: a document has one class. Another target, such as several labels a document, is a
class with the methods of `Target` and its entry in TARGETS; `train.target` of params.yaml and
bundle.json name it. docs/learning.md says what else several labels would need.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from components.core.errors import ParamsError
from components.core.target.calibration import Calibration
from components.core.target.single_label import SingleLabel

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

    from components.core.params import Evaluate, Params

    Array = np.ndarray[Any, Any]

__all__ = ["DEFAULT", "TARGETS", "Calibration", "SingleLabel", "Target", "make", "of"]


class Target(Protocol):
    """Converts labels of N documents with C classes to numbers, and numbers to answers."""

    @property
    def classes(self) -> list[str]:
        """Their names, in the order of the probabilities."""
        ...

    def encode(self, labels: Iterable[str]) -> Array:
        """(N, ...) numbers that a network learns from."""
        ...

    def decode(self, encoded: Array) -> list[str]:
        """N labels of what `encode` or `decide` gave."""
        ...

    def marks(self, labels: Iterable[str]) -> Array:
        """(N, C) float64: 1 where a document has the class, else 0."""
        ...

    def decide(self, probabilities: Array) -> tuple[Array, Array]:
        """The answers to (N, C) probabilities, encoded, and (N,) the confidence in each."""
        ...

    def right(self, actual: pl.Series, predicted: pl.Series) -> pl.Series:
        """(N,) bool of labels: the answer is right."""
        ...

    def judge(self, probabilities: Array, actual: Array, smoothing: float) -> tuple[float, float]:
        """Accuracy and mean loss of (N, C) probabilities; `actual` is encoded."""
        ...

    def calibrate(
        self, probabilities: Array, actual: Array, answered_accuracy: float
    ) -> tuple[Calibration, float]:
        """The calibration, and the share of these documents that it answers.

        Args:
            probabilities: (N, C) of documents that the model did not learn from.
            actual: encoded.
            answered_accuracy: of the answers that are given, in [0, 1]; 0 abstains from none.
        """
        ...

    def score(
        self,
        actual: Sequence[str],
        predicted: Sequence[str],
        settings: Evaluate,
        independent: float | None = None,
    ) -> dict[str, Any]:
        """The metrics of N answers: the head of metrics.json, which the gate reads."""
        ...


DEFAULT = "single_label"  # of bundles that name none, too
TARGETS: dict[str, Callable[[Sequence[str]], Target]] = {DEFAULT: SingleLabel}


def make(kind: str, classes: Sequence[str]) -> Target:
    """The target `kind` with these classes.

    Raises:
        ParamsError: there is no such kind.
    """
    if kind not in TARGETS:
        raise ParamsError(
            f"Expected one of the targets {', '.join(TARGETS)} (train.target), got {kind}. Correct "
            "params.yaml, or install the newsloop that made this bundle."
        )
    return TARGETS[kind](classes)


def of(params: Params) -> Target:
    """The target of a project; raises as `make`."""
    return make(params.train.target, params.ingest.labels)
