"""The OpenAPI document of the service, at /docs.json: what it takes, and all that it may answer.

BentoML writes one, too: without the paths that are ours, without limits, and with other bodies of
errors than the guard sends. A client can be made from this one, and tests/pipeline/test_openapi.py
asks a running service whether it is true.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from components.core.params import Serve
from serving.http.request_parsing import MAX_LABELS

PATH = "/docs.json"
_STATUSES = {
    400: "Not what this path takes.",
    401: "No key, an unknown one, or a revoked one.",
    403: "The key lacks the scope.",
    405: "No such method for this path.",
    408: "The body came too slowly.",
    413: "The body is too large.",
    415: "Not JSON.",
    429: "Too much at once; Retry-After says how many seconds to wait.",
    431: "More than 64 KiB beside the body, or more than 100 headers.",
    500: "The model gave no answer.",
    503: "No model yet, about to end, or the ledger is away.",
    504: "Not ready within the deadline.",
}
_EVERYWHERE = (400, 401, 403, 405, 408, 413, 415, 429, 431)
_WORK = (*_EVERYWHERE, 500, 503, 504)
_TEXT, _NUMBER, _COUNT = {"type": "string"}, {"type": "number"}, {"type": "integer", "minimum": 0}
_SHARE = {"type": "number", "minimum": 0, "maximum": 1}


def document(limits: Serve, labels: Sequence[str] | None) -> dict[str, Any]:
    """The document in OpenAPI 3.1.

    Args:
        limits: the numbers of params.yaml.
        labels: of the model that serves; None while there is none.
    """
    label = {"type": "string"} | ({"enum": list(labels)} if labels is not None else {})
    text = {"type": "string", "maxLength": limits.max_characters}
    texts = {"type": "array", "items": text, "minItems": 1, "maxItems": limits.max_texts}
    said = _object(prediction_id=_TEXT, label=label)
    marked = {"type": "array", "items": said, "minItems": 1, "maxItems": MAX_LABELS}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "newsloop",
            "version": "1",
            "description": "Sorts texts into classes. A request may carry X-Deadline-Ms: the "
            "milliseconds after which you need no answer any more.",
        },
        "servers": [{"url": "/"}],
        "security": [{"key": []}],
        "paths": {
            "/classify": _post(
                "The label of each text.", _object(texts=texts), _classified()
            ),
            "/explain": _post(
                "The words that carried a text's label.", _object(text=text), _explained()
            ),
            "/feedback": _post(
                "Takes what people say the labels are.",
                _object(labels=marked),
                _object(accepted=_COUNT, duplicate=_COUNT, unknown=_COUNT),
            ),
            "/model": _get("The model that serves.", "application/json", {"type": "object"}, 503),
            "/ui": _page("A page to try it; without a key it asks for one."),
            "/metrics": _get("Numbers for Prometheus.", "text/plain"),
            PATH: _get("This document.", "application/json", {"type": "object"}),
            "/livez": _open("Whether the process lives."),
            "/readyz": _open("Whether it has a model and takes requests.", 503),
        },
        "components": {
            "schemas": {"Error": _object(error=_TEXT)},
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
        },
    }  # fmt: skip


def _classified() -> dict[str, Any]:
    prediction = _object(
        prediction_id={"type": "string", "pattern": "^[0-9a-f]{32}$"},
        label=_TEXT,
        confidence=_SHARE,
        probabilities={"type": "object", "additionalProperties": _SHARE},
        abstained={"type": "boolean"},
    )
    return _object(model=_TEXT, predictions={"type": "array", "items": prediction})


def _explained() -> dict[str, Any]:
    words = {"type": "array", "items": _object(word=_TEXT, weight=_NUMBER)}
    return _object(
        model=_TEXT,
        label=_TEXT,
        confidence=_SHARE,
        method=_TEXT,
        baseline={"type": ["number", "null"]},
        words=words,
        tried=_COUNT,
        distinct=_COUNT,
    )


def _object(**properties: dict[str, Any]) -> dict[str, Any]:
    """An object that has all of these properties and no other."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _post(summary: str, body: dict[str, Any], answer: dict[str, Any]) -> dict[str, Any]:
    return {
        "post": {
            "summary": summary,
            "requestBody": {"required": True, "content": _content("application/json", body)},
            "responses": _responses("application/json", answer, _WORK),
        }
    }


def _get(
    summary: str, kind: str, answer: dict[str, Any] | None = None, *more: int
) -> dict[str, Any]:
    responses = _responses(kind, answer or _TEXT, (*_EVERYWHERE, *more))
    return {"get": {"summary": summary, "responses": responses}}


def _page(summary: str) -> dict[str, Any]:
    found = _get(summary, "text/html")
    found["get"]["responses"]["401"]["content"] = _content("text/html", _TEXT)
    return found


def _open(summary: str, *more: int) -> dict[str, Any]:
    """A path that needs no key. Its 503 comes from BentoML, or with a sentence from the guard."""
    responses = _responses("text/plain", _TEXT, (405, 415, 431))
    responses |= {str(status): {"description": _STATUSES[status]} for status in more}
    return {"get": {"summary": summary, "security": [], "responses": responses}}


def _responses(kind: str, answer: dict[str, Any], errors: Sequence[int]) -> dict[str, Any]:
    refused = _content("application/json", {"$ref": "#/components/schemas/Error"})
    return {"200": {"description": "Done.", "content": _content(kind, answer)}} | {
        str(status): {"description": _STATUSES[status], "content": refused} for status in errors
    }


def _content(kind: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {kind: {"schema": schema}}
