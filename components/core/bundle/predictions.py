"""Predictions of a model for texts."""

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
    """Predictions for N texts.

    Attributes:
        labels: N names of classes.
        confidence: (N,) float32, the probability of the label.
        probabilities: (N, C) float32, rows sum to 1, columns in the order of `Bundle.labels`.
        words: (N,) int32, words in each text.
        unknown_share: (N,) float32 in [0, 1], share of the words read outside the vocabulary.
        features: (N, D) float32, the model's features projected on D principal components.
        abstained: (N,) bool, True if the confidence is too low for an answer, or novelty above 1.
        novelty: (N,) float32, see bundle/novelty.py; None for a bundle older than it.
    """

    labels: list[str]
    confidence: Array
    probabilities: Array
    words: Array
    unknown_share: Array
    features: Array
    abstained: Array
    novelty: Array | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def taken(self, rows: Sequence[int]) -> Predictions:
        """Selects predictions by their indices, in the order of `rows`."""
        arrays = [field.name for field in fields(self) if field.name != "labels"]
        labels = [self.labels[i] for i in rows]
        columns: dict[str, Any] = {name: getattr(self, name) for name in arrays}
        given = {name: column for name, column in columns.items() if column is not None}
        return Predictions(labels, **{name: column[rows] for name, column in given.items()})

    def signals(self) -> pl.DataFrame:
        """Returns monitoring's signals: label, confidence, words, unknown_share, feature_0, ..."""
        import polars as pl

        columns: dict[str, Any] = {
            "label": pl.Series(self.labels, dtype=pl.String),
            "confidence": self.confidence,
            "words": self.words,
            "unknown_share": self.unknown_share,
        }
        columns |= {f"feature_{i}": column for i, column in enumerate(self.features.T)}
        return pl.DataFrame(columns)
