"""One answer of the service: what the client gets of it, and what the ledger keeps."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from components.core.bundle import Bundle
from serving.http.answers import Prediction, predictions


@dataclass(slots=True)  # `frozen` would cost 0.5 us a text
class Answer:
    """The answer to one text.

    Attributes:
        prediction: what the client gets.
        words, unknown_share, features: signals that monitoring watches; see core/bundle.
    """

    prediction: Prediction
    words: int
    unknown_share: float
    features: list[float]

    def row(self, bundle: str, time: datetime) -> dict[str, Any]:
        """A row of ledger.PREDICTIONS."""
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
    """What `bundle` says of each text, each answer with an id of its own."""
    found = bundle.predict(texts)
    given = predictions(bundle.labels, found)
    signals = found.words.tolist(), found.unknown_share.tolist(), found.features.tolist()
    return list(map(Answer, given, *signals))
