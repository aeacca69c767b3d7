"""Requests and answers of every route.

The OpenAPI document (openapi.py), the service and the Python client (serving/client.py) use these
classes. A new field of a prediction needs a line and a value here. Clients ignore unknown fields,
so a new field breaks no old client. With a default value, it also breaks no new client of an older
service.

Answers are plain dataclasses, which orjson encodes directly. With `frozen` they take almost four
times as long to make, with `slots` more than twice as long to encode. Only the schema has bounds of
values, so that a client accepts the answers of a later service.
"""

from __future__ import annotations

import functools
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, get_type_hints

import orjson
import pydantic
from pydantic import ConfigDict, TypeAdapter, WithJsonSchema
from pydantic.json_schema import GenerateJsonSchema

if TYPE_CHECKING:
    from components.core.bundle import Predictions

# Probabilities of an answer. A person reads no more, and with 1,000 classes all of them would take
# 35 KB of each answer and of each row of the ledger.
BEST = 10
_DIGITS = 6  # of these probabilities

T = TypeVar("T")
PredictionId = Annotated[str, WithJsonSchema({"type": "string", "pattern": "^[0-9a-f]{32}$"})]
Share = Annotated[float, WithJsonSchema({"type": "number", "minimum": 0, "maximum": 1})]
Score = Annotated[float, WithJsonSchema({"type": "number", "minimum": 0})]
Count = Annotated[int, WithJsonSchema({"type": "integer", "minimum": 0})]


class _RequestBody(pydantic.BaseModel):
    """Body without further fields; the service checks it in request_parsing.py."""

    model_config = ConfigDict(extra="forbid")


class ClassifyRequest(_RequestBody):
    """Texts to classify."""

    texts: list[str]


class ExplainRequest(_RequestBody):
    """Text whose label is explained."""

    text: str


class Label(_RequestBody):
    """The right label of a prediction, as a person gives it."""

    prediction_id: str
    label: str


class FeedbackRequest(_RequestBody):
    """Right labels of earlier predictions."""

    labels: list[Label]


@dataclass
class Prediction:
    """Prediction for one text.

    Attributes:
        prediction_id: id of this prediction for feedback.
        label: class with the highest probability.
        confidence: probability of the label.
        probabilities: probability of each label, adding up to 1; with more than BEST classes only
            of the BEST likeliest, the likeliest first, rounded to _DIGITS but for the label's.
        abstained: True if the model is unsure; the label is its best guess.
        novelty: unlikeness to the texts that the model learned from, at least 0; above 1 the model
            is unsure. Null for a model older than this score.
    """

    prediction_id: PredictionId
    label: str
    confidence: Share
    probabilities: dict[str, Share]
    abstained: bool
    novelty: Score | None = None


def best(classes: Sequence[str], predicted: Predictions) -> list[dict[str, float]]:
    """Selects the `probabilities` of each answer, see Prediction."""
    rows = predicted.probabilities
    if len(classes) <= BEST:
        return [dict(zip(classes, row, strict=True)) for row in rows.tolist()]
    import numpy as np

    columns = np.argpartition(-rows, BEST, axis=1)[:, :BEST]
    order = np.argsort(-np.take_along_axis(rows, columns, axis=1), axis=1, kind="stable")
    columns = np.take_along_axis(columns, order, axis=1)
    values = np.take_along_axis(rows, columns, axis=1).astype(np.float64).round(_DIGITS).tolist()
    named = [
        {classes[i]: value for i, value in zip(numbers, row, strict=True)}
        for numbers, row in zip(columns.tolist(), values, strict=True)
    ]
    # Of equal probabilities, the label's may not be among the selected ones.
    label_and_confidence = zip(predicted.labels, predicted.confidence.tolist(), strict=True)
    return [row | {label: c} for row, (label, c) in zip(named, label_and_confidence, strict=True)]


def predictions(classes: Sequence[str], predicted: Predictions) -> list[Prediction]:
    """Converts a model's predictions for N texts; each gets a new id."""
    columns = zip(
        predicted.labels,
        predicted.confidence.tolist(),
        best(classes, predicted),
        predicted.abstained.tolist(),
        [None] * len(predicted) if predicted.novelty is None else predicted.novelty.tolist(),
        strict=True,
    )
    return [
        Prediction(
            prediction_id=uuid.uuid4().hex,
            label=label,
            confidence=confidence,
            probabilities=probabilities,
            abstained=abstained,
            novelty=novelty,
        )
        for label, confidence, probabilities, abstained, novelty in columns
    ]


@dataclass
class Classified:
    """Answer of POST /classify: a prediction for each text, in the order of the texts."""

    model: str
    predictions: list[Prediction]


@dataclass
class WordWeight:
    """Word of a text, and its weight for the label (above 0) or against it (below 0)."""

    word: str
    weight: float


@dataclass
class Explained:
    """Answer of POST /explain; serving/models/explain.py computes it.

    Attributes:
        model: name of the model.
        label, confidence: prediction for the text.
        method: method of the weights.
        baseline: probability of the label for an empty text; null with occlusion.
        words: words with weights, the largest absolute weight first.
        tried, distinct: number of words with a weight, and of distinct words.
    """

    model: str
    label: str
    confidence: Share
    method: str
    baseline: Share | None
    words: list[WordWeight]
    tried: Count
    distinct: Count


@dataclass
class FeedbackCounts:
    """Answer of POST /feedback: counts of labels that were accepted, known already, or unknown."""

    accepted: Count
    duplicate: Count
    unknown: Count


@dataclass
class ModelDescription:
    """Answer of GET /model; fields from the ledger are null for a bundle that it does not have.

    Attributes:
        model: name of the model in answers.
        version, tag: number and git tag of the release.
        snapshot, commit, dvc_lock: hashes of the data, the code and the pipeline's lock file.
        metrics: metrics of the evaluation.
        decision: decision of the gate.
        bundle: name of the bundle, the SHA-256 of its manifest.
        since: time of the deployment; UTC, ISO 8601.
        reason: reason of the deployment.
        facts: content of bundle.json.
        card: model card in Markdown.
    """

    model: str
    version: int | None
    tag: str | None
    snapshot: str | None
    commit: str | None
    dvc_lock: str | None
    metrics: dict[str, Any] | None
    decision: dict[str, Any] | None
    bundle: str
    since: str | None
    reason: str | None
    facts: dict[str, Any]
    card: str | None


@dataclass
class Error:
    """Answer of a refusal: one sentence, which never repeats the input."""

    error: str


REQUESTS = (ClassifyRequest, ExplainRequest, FeedbackRequest)
ANSWERS = (Classified, Explained, FeedbackCounts, ModelDescription, Error)


def encode(answer: object) -> bytes:
    """Encodes an answer as JSON; NaN and infinity become null."""
    return orjson.dumps(answer)


def decode(kind: type[T], value: object) -> T:
    """Decodes an answer from parsed JSON; ignores unknown fields.

    Raises:
        pydantic.ValidationError: a field is missing or has another type.
    """
    adapter: TypeAdapter[T] = _adapter(kind)  # type: ignore[arg-type]  # mypy: no Hashable
    return adapter.validate_python(value)


@functools.cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def as_model(kind: type) -> type[pydantic.BaseModel]:
    """Makes a pydantic model with the fields of the dataclass `kind`, for BentoML's schema."""
    hints = get_type_hints(kind, include_extras=True)
    fields: dict[str, Any] = {name: (hint, ...) for name, hint in hints.items()}
    return pydantic.create_model(kind.__name__, **fields)


class _Schema(GenerateJsonSchema):
    def field_title_should_be_set(self, schema: Any) -> bool:
        """Returns False, because a field's title would repeat its name."""
        del schema
        return False


def schemas(ref_template: str, kinds: Sequence[type] = (*REQUESTS, *ANSWERS)) -> dict[str, Any]:
    """Returns name -> JSON schema of each of `kinds` and of their parts.

    Args:
        ref_template: form of a reference to another schema, with {model} for its name.
    """
    inputs = [(kind, "serialization", _adapter(kind)) for kind in kinds]
    _, document = TypeAdapter.json_schemas(
        inputs,  # type: ignore[arg-type]
        ref_template=ref_template,
        schema_generator=_Schema,
    )
    definitions: dict[str, Any] = document["$defs"]
    return definitions
