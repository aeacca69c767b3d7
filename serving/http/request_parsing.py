"""Reads and checks what clients send: the answer is data or one sentence, whatever they send.

BentoML's own reading is passed by: its errors put the input, which is a raw text, into the log, and
its answers to bad input are lists of pydantic's internals. What is too large or of another media
type does not get here; see gateway.py.
"""

from __future__ import annotations

import json
import re
from typing import Any

import bentoml
import orjson
import pydantic
from starlette.requests import Request

from components.core import params as parameters
from serving.errors import Refused
from serving.http.answers import ClassifyRequest, ExplainRequest, FeedbackRequest, Label

MAX_LABELS = 1000  # in one request for feedback: each is looked up in the ledger
_PREDICTION_ID = re.compile(r"[0-9a-f]{32}")
_JSON_TYPES = {
    dict: "an object", list: "a list", str: "a string", int: "a number", float: "a number",
    bool: "true or false", type(None): "null",
}  # fmt: skip


class _Body(bentoml.IODescriptor):  # type: ignore[misc]
    """A body that is read by the handler; the fields only tell the API's schema what it holds."""

    _request: Any = pydantic.PrivateAttr(default=None)

    @classmethod
    async def from_http_request(cls, request: Request, serde: object) -> _Body:
        del serde
        body: _Body = cls.model_construct()
        body._request = request
        return body

    async def read(self) -> Any:
        """The JSON value that the client sent.

        Raises:
            Refused: it is no JSON (400). Its size and media type were the gateway's business.
        """
        return await read_json(self._request)

    async def raw(self) -> bytes:
        """The bytes that the client sent."""
        content: bytes = await self._request.body()
        return content


class ClassifyBody(_Body, ClassifyRequest):
    pass


class ExplainBody(_Body, ExplainRequest):
    pass


class FeedbackBody(_Body, FeedbackRequest):
    pass


async def read_json(request: Request) -> Any:
    """As `_Body.read`."""
    return parse(await request.body())


def parse(body: bytes) -> Any:
    """The JSON value in `body`.

    Raises:
        Refused: it is none (400).
    """
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        pass  # it takes no lone surrogates, which Python's own parser does
    try:
        return json.loads(body)
    except (ValueError, RecursionError):  # its message holds a piece of the body
        raise Refused(400, "Expected a body in JSON; it cannot be parsed.") from None


def texts(value: Any, limits: parameters.Serve) -> list[str]:
    """Parses the texts of a request to classify.

    Raises:
        Refused: not {"texts": [str, ...]}, none, too many, or one too long.
    """
    given: list[str] = _only(value, ClassifyRequest, list)
    if not given:
        raise Refused(400, "Expected at least one text in texts, got an empty list.")
    if len(given) > limits.max_texts:
        raise Refused(
            400,
            f"Expected at most {limits.max_texts} texts in one request, got {len(given)}; send "
            "them in several.",
        )
    for i, text in enumerate(given):
        _check_text(text, f"texts[{i}]", limits)
    return given


def text(value: Any, limits: parameters.Serve) -> str:
    """Parses the text of a request to explain.

    Raises:
        Refused: not {"text": str}, or too long.
    """
    given: str = _only(value, ExplainRequest, str)
    _check_text(given, "text", limits)
    return given


def labels(value: Any, known: list[str]) -> list[tuple[str, str]]:
    """Parses the (prediction_id, label) pairs of a request for feedback.

    Args:
        known: the labels that the model can give.

    Raises:
        Refused: not {"labels": [{"prediction_id": str, "label": str}, ...]}, none, too many, or an
            unknown label.
    """
    given = _only(value, FeedbackRequest, list)
    if not given:
        raise Refused(400, "Expected at least one label in labels, got an empty list.")
    if len(given) > MAX_LABELS:
        raise Refused(
            400, f"Expected at most {MAX_LABELS} labels in one request, got {len(given)}."
        )
    pairs = []
    for i, item in enumerate(given):
        if (
            not isinstance(item, dict)
            or item.keys() != Label.model_fields.keys()
            or not all(isinstance(part, str) for part in item.values())
        ):
            raise Refused(
                400,
                f"Expected labels[{i}] to be an object of two strings, prediction_id and label.",
            )
        if item["label"] not in known:
            raise Refused(
                400, f"Expected the label of labels[{i}] to be one of {', '.join(known)}."
            )
        pairs.append((item["prediction_id"], item["label"]))
    return pairs


def is_prediction_id(value: str) -> bool:
    """True if `value` has the form of a prediction's id; the database sees no other."""
    return _PREDICTION_ID.fullmatch(value) is not None


def _only(value: Any, request: type[pydantic.BaseModel], kind: type) -> Any:
    """Returns the value of the only field of `request`, which must be of `kind`."""
    (key,) = request.model_fields
    if not isinstance(value, dict):
        raise Refused(
            400, f"Expected an object with the key {key}, got {_JSON_TYPES[type(value)]}."
        )
    if set(value) != {key}:
        raise Refused(400, f"Expected exactly the key {key}, got {len(value)} keys or another one.")
    if type(value[key]) is not kind:
        raise Refused(
            400, f"Expected {key} to be {_JSON_TYPES[kind]}, got {_JSON_TYPES[type(value[key])]}."
        )
    return value[key]


def _check_text(value: Any, name: str, limits: parameters.Serve) -> None:
    if not isinstance(value, str):
        raise Refused(400, f"Expected {name} to be a string, got {_JSON_TYPES[type(value)]}.")
    if len(value) > limits.max_characters:
        raise Refused(
            400,
            f"Expected {name} to have at most {limits.max_characters} characters, got "
            f"{len(value)}; cut it or send its parts.",
        )
