"""The answers of a model to texts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

    Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Predictions:
    """Answers for N texts.

    Attributes:
        labels: N names of classes.
        confidence: (N,) float32, the probability of the label.
        probabilities: (N, C) float32, rows sum to 1, columns in the order of `Bundle.labels`.
        words: (N,) int32, words in each text.
        unknown_share: (N,) float32 in [0, 1], share of the words read outside the vocabulary.
        features: (N, D) float32, the model's features along the kept directions.
        abstained: (N,) bool, the confidence is too low for an answer; the label is a guess.
    """

    labels: list[str]
    confidence: Array
    probabilities: Array
    words: Array
    unknown_share: Array
    features: Array
    abstained: Array

    def __len__(self) -> int:
        return len(self.labels)

    def taken(self, rows: Sequence[int]) -> Predictions:
        """The answers with these numbers, in this order."""
        arrays = [one.name for one in fields(self) if one.name != "labels"]
        labels = [self.labels[i] for i in rows]
        return Predictions(labels, **{name: getattr(self, name)[rows] for name in arrays})

    def signals(self) -> pl.DataFrame:
        """Signals for monitoring: label, confidence, words, unknown_share, feature_0, ..."""
        import polars as pl

        columns: dict[str, Any] = {
            "label": pl.Series(self.labels, dtype=pl.String),
            "confidence": self.confidence,
            "words": self.words,
            "unknown_share": self.unknown_share,
        }
        columns |= {f"feature_{i}": column for i, column in enumerate(self.features.T)}
        return pl.DataFrame(columns)
