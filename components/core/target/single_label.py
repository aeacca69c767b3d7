"""A document has one class: the likeliest one is the answer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from components.core import metrics
from components.core.target import calibration
from components.core.target.calibration import Calibration

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

    from components.core.params import Evaluate

    Array = np.ndarray[Any, Any]

_LEAST = 1e-7  # probability that a logarithm is taken of
_DIGITS = 6  # of each number in files: more would be noise


class SingleLabel:
    """Encodes a label as the number of its class; see components.core.target.Target.

    Args:
        classes: C names, in the order of the probabilities.
    """

    def __init__(self, classes: Sequence[str]) -> None:
        self.classes = list(classes)
        self._number = {name: i for i, name in enumerate(classes)}

    def encode(self, labels: Iterable[str]) -> Array:
        """(N,) int32.

        >>> SingleLabel(["a", "b"]).encode(["b", "a"]).tolist()
        [1, 0]
        """
        import numpy as np

        number = self._number
        return np.array([number[label] for label in labels], np.int32)

    def decode(self, encoded: Array) -> list[str]:
        classes = self.classes
        return [classes[i] for i in encoded.tolist()]

    def marks(self, labels: Iterable[str]) -> Array:
        """(N, C); of a label that is no class all are 0.

        >>> SingleLabel(["a", "b"]).marks(["b", "c"]).tolist()
        [[0.0, 1.0], [0.0, 0.0]]
        """
        import numpy as np

        return np.array([[label == name for name in self.classes] for label in labels], np.float64)

    def decide(self, probabilities: Array) -> tuple[Array, Array]:
        """The likeliest class of each document, and its probability."""
        return probabilities.argmax(axis=1), probabilities.max(axis=1)

    def right(self, actual: pl.Series, predicted: pl.Series) -> pl.Series:
        return actual == predicted

    def judge(self, probabilities: Array, actual: Array, smoothing: float) -> tuple[float, float]:
        """Accuracy, and the mean cross-entropy with smoothed labels."""
        import numpy as np

        logs = np.log(np.clip(probabilities.astype(np.float64), _LEAST, 1))
        own = logs[np.arange(len(actual)), actual]
        losses = -(1 - smoothing) * own - smoothing * logs.mean(axis=1)
        hits = self.decide(probabilities)[0] == actual
        return float(hits.mean()), float(losses.mean())

    def calibrate(
        self, probabilities: Array, actual: Array, answered_accuracy: float
    ) -> tuple[Calibration, float]:
        """A temperature, and the confidence below which the answer is "unsure"."""
        temperature = calibration.temperature(probabilities, actual)
        decided, confidence = self.decide(calibration.tempered(probabilities, temperature))
        least = calibration.abstain_below(confidence, decided == actual, answered_accuracy)
        return Calibration(temperature, least), float((confidence >= least).mean())

    def confusion(self, actual: Sequence[str], predicted: Sequence[str]) -> Array:
        """(C, C) int64 counts, rows actual, columns predicted, both in the order of the classes."""
        import numpy as np

        table = np.zeros((len(self.classes), len(self.classes)), np.int64)
        np.add.at(table, (self.encode(actual), self.encode(predicted)), 1)
        return table

    def score(
        self,
        actual: Sequence[str],
        predicted: Sequence[str],
        settings: Evaluate,
        independent: float | None = None,
    ) -> dict[str, Any]:
        """Accuracy and macro F1 with intervals, and each class.

        Args:
            actual, predicted: N labels each.
            settings: confidence of the intervals, resamples, seed.
            independent: number of independent documents that the N are worth; None: N.

        Returns:
            accuracy and macro_f1 (each value, low, high), errors, documents, and for each class
            precision, recall, f1, documents; all shares in [0, 1].
        """
        table = self.confusion(actual, predicted)
        hits, scores = int(table.trace()), metrics.by_class(table)
        count = len(actual) if independent is None else independent
        share = hits / max(len(actual), 1)
        f1 = metrics.macro_f1(
            table, settings.confidence, settings.resamples, settings.seed, independent
        )
        return {
            "documents": len(actual),
            "errors": len(actual) - hits,
            "accuracy": metrics.wilson(share * count, count, settings.confidence).rounded(),
            "macro_f1": f1.rounded(),
            "classes": {
                label: {
                    "precision": round(float(scores[i, 0]), _DIGITS),
                    "recall": round(float(scores[i, 1]), _DIGITS),
                    "f1": round(float(scores[i, 2]), _DIGITS),
                    "documents": int(table[i].sum()),
                }
                for i, label in enumerate(self.classes)
            },
        }
