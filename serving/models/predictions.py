"""Answer of the service to one text: the client's prediction, and the ledger's row."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from components.core.bundle import Bundle
from serving.http.answers import Prediction, predictions


@dataclass(slots=True)  # `frozen` would cost 0.5 us a text
class Answer:
    """Answer to one text.

    Attributes:
        prediction: prediction for the client.
        words, unknown_share, features: signals for monitoring; see core/bundle.
    """

    prediction: Prediction
    words: int
    unknown_share: float
    features: list[float]

    def row(self, bundle: str, time: datetime) -> dict[str, Any]:
        """Makes a row of ledger.PREDICTIONS."""
        return {
            "id": self.prediction.prediction_id,
            "time": time,
            "bundle": bundle,
            "label": self.prediction.label,
            "confidence": self.prediction.confidence,
            "probabilities": self.prediction.probabilities,
            "words": self.words,
            "unknown_share": self.unknown_share,
            "features": self.features,
        }


def answers(bundle: Bundle, texts: list[str]) -> list[Answer]:
    """Predicts texts by `bundle`; each answer has a new id."""
    predicted = bundle.predict(texts)
    signals = (
        predicted.words.tolist(), predicted.unknown_share.tolist(), predicted.features.tolist(),
    )  # fmt: skip
    return list(map(Answer, predictions(bundle.labels, predicted), *signals))
