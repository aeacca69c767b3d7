"""Requests and answers of every route, each written once.

The OpenAPI document (openapi.py), the service and the Python client (serving/client.py) are built
from these classes. A new field of a prediction needs its line and its value here. Readers
ignore fields that they do not know, so a new field breaks no client; with a default value it breaks
no new client of an older service either.

Answers are plain dataclasses, which orjson encodes as they are: with `frozen` one takes almost four
times as long to make, with `slots` more than twice as long to encode. Bounds of values stand in the
schema only, so that a client accepts what a later service sends.
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

T = TypeVar("T")
PredictionId = Annotated[str, WithJsonSchema({"type": "string", "pattern": "^[0-9a-f]{32}$"})]
Share = Annotated[float, WithJsonSchema({"type": "number", "minimum": 0, "maximum": 1})]
Count = Annotated[int, WithJsonSchema({"type": "integer", "minimum": 0})]


class _RequestBody(pydantic.BaseModel):
    """A body with these fields and no other. The service checks it in request_parsing.py."""

    model_config = ConfigDict(extra="forbid")


class ClassifyRequest(_RequestBody):
    """Texts to classify."""

    texts: list[str]


class ExplainRequest(_RequestBody):
    """A text whose label is to be explained."""

    text: str


class Label(_RequestBody):
    """The right label of a prediction, as a person gives it."""

    prediction_id: str
    label: str


class FeedbackRequest(_RequestBody):
    """Labels of predictions that the service gave before."""

    labels: list[Label]


@dataclass
class Prediction:
    """The answer to one text.

    Attributes:
        prediction_id: names this prediction in feedback.
        label: the class with the highest probability.
        confidence: probability of the label.
        probabilities: of each label; they add up to 1.
        abstained: the model is unsure; the label is its best guess.
    """

    prediction_id: PredictionId
    label: str
    confidence: Share
    probabilities: dict[str, Share]
    abstained: bool


def predictions(classes: Sequence[str], found: Predictions) -> list[Prediction]:
    """The answers of a model to N texts, each with an id of its own."""
    columns = zip(
        found.labels,
        found.confidence.tolist(),
        found.probabilities.tolist(),
        found.abstained.tolist(),
        strict=True,
    )
    return [
        Prediction(
            prediction_id=uuid.uuid4().hex,
            label=label,
            confidence=confidence,
            probabilities=dict(zip(classes, row, strict=True)),
            abstained=abstained,
        )
        for label, confidence, row, abstained in columns
    ]


@dataclass
class Classified:
    """The answer of POST /classify: a prediction for each text, in the order of the texts."""

    model: str
    predictions: list[Prediction]


@dataclass
class WordWeight:
    """A word of a text, and how much it spoke for the label (above 0) or against it (below 0)."""

    word: str
    weight: float


@dataclass
class Explained:
    """The answer of POST /explain; serving/models/explain.py computes it.

    Attributes:
        model: that was asked.
        label, confidence: of the text.
        method: how the weights were found.
        baseline: probability of the label where there is nothing to read; null by occlusion.
        words: the strongest first.
        tried, distinct: how many words have a weight, of how many distinct ones.
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
    """The answer of POST /feedback: how many labels were accepted, sent before, or for unknown
    predictions.
    """

    accepted: Count
    duplicate: Count
    unknown: Count


@dataclass
class ModelDescription:
    """The answer of GET /model; null where the ledger does not know the bundle.

    Attributes:
        model: as answers name it.
        version, tag: of the release.
        snapshot, commit, dvc_lock: hashes of the data, the code and the pipeline's lock file.
        metrics: of the evaluation.
        decision: of the gate.
        bundle: its name, the SHA-256 of its manifest.
        since: when it began to serve; UTC, ISO 8601.
        reason: why it serves.
        facts: the content of its bundle.json.
        card: its model card in Markdown.
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
    """The answer of every route that refuses: one sentence, which never repeats the input."""

    error: str


REQUESTS = (ClassifyRequest, ExplainRequest, FeedbackRequest)
ANSWERS = (Classified, Explained, FeedbackCounts, ModelDescription, Error)


def encode(answer: object) -> bytes:
    """An answer as JSON; floats that are no number become null."""
    return orjson.dumps(answer)


def decode(kind: type[T], value: object) -> T:
    """An answer from parsed JSON; fields that `kind` lacks are ignored.

    Raises:
        pydantic.ValidationError: a field is missing or of another type.
    """
    adapter: TypeAdapter[T] = _adapter(kind)  # type: ignore[arg-type]  # mypy: no Hashable
    return adapter.validate_python(value)


@functools.cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def as_model(kind: type) -> type[pydantic.BaseModel]:
    """A pydantic model with the fields of the dataclass `kind`, for BentoML's own schema."""
    hints = get_type_hints(kind, include_extras=True)
    fields: dict[str, Any] = {name: (hint, ...) for name, hint in hints.items()}
    return pydantic.create_model(kind.__name__, **fields)


class _Schema(GenerateJsonSchema):
    def field_title_should_be_set(self, schema: Any) -> bool:
        """A field's title would repeat its name."""
        del schema
        return False


def schemas(ref_template: str, kinds: Sequence[type] = (*REQUESTS, *ANSWERS)) -> dict[str, Any]:
    """Name -> JSON schema of each of `kinds`, and of what they consist of.

    Args:
        ref_template: where a schema refers to another one, with {model} for its name.
    """
    inputs = [(kind, "serialization", _adapter(kind)) for kind in kinds]
    _, found = TypeAdapter.json_schemas(
        inputs,  # type: ignore[arg-type]
        ref_template=ref_template,
        schema_generator=_Schema,
    )
    definitions: dict[str, Any] = found["$defs"]
    return definitions
