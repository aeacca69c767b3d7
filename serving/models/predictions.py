"""One answer of the service: what the client gets of it, and what the ledger keeps."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from components.core.bundle import Bundle, Predictions
from serving.http.answers import Prediction


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
    return _split(bundle.labels, bundle.predict(texts))


def _split(labels: list[str], found: Predictions) -> list[Answer]:
    columns = zip(
        found.labels,
        found.confidence.tolist(),
        found.probabilities.tolist(),
        found.abstained.tolist(),
        found.words.tolist(),
        found.unknown_share.tolist(),
        found.features.tolist(),
        strict=True,
    )
    return [
        Answer(
            Prediction(
                prediction_id=uuid.uuid4().hex,
                label=label,
                confidence=confidence,
                probabilities=dict(zip(labels, row, strict=True)),
                abstained=abstained,
            ),
            *signals,
        )
        for label, confidence, row, abstained, *signals in columns
    ]
