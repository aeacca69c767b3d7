"""One answer of the service: what the client gets of it, and what the ledger keeps."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from components.core.bundle import Bundle, Predictions


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to one text.

    Attributes:
        id: 32 hexadecimal digits, by which people speak of it later.
        probabilities: of each label, in the order of the bundle's labels.
        words, unknown_share, features: signals that monitoring watches; see core/bundle.
        abstained: the model is unsure; the label is its best guess.
    """

    id: str
    label: str
    confidence: float
    probabilities: dict[str, float]
    words: int
    unknown_share: float
    features: list[float]
    abstained: bool = False

    def public(self) -> dict[str, Any]:
        """What the client gets."""
        return {
            "prediction_id": self.id,
            "label": self.label,
            "confidence": self.confidence,
            "probabilities": self.probabilities,
            "abstained": self.abstained,
        }

    def row(self, bundle: str, time: datetime) -> dict[str, Any]:
        """A row of ledger.PREDICTIONS."""
        return {
            "id": self.id,
            "time": time,
            "bundle": bundle,
            "label": self.label,
            "confidence": self.confidence,
            "probabilities": self.probabilities,
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
        found.words.tolist(),
        found.unknown_share.tolist(),
        found.features.tolist(),
        found.abstained.tolist(),
        strict=True,
    )
    return [
        Answer(uuid.uuid4().hex, label, confidence, dict(zip(labels, row, strict=True)), *signals)
        for label, confidence, row, *signals in columns
    ]
