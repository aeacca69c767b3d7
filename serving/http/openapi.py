"""The OpenAPI document of the service, at /docs.json: what it takes, and all that it may answer.

BentoML writes one, too: without the paths that are ours, without limits, and with other bodies of
errors than the gateway sends. Bodies come from answers.py. A client can be made from this one, and
tests/hazards/test_service_attacks.py compares a running service with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from components.core.params import Serve
from serving.http import answers
from serving.http.answers import (
    Classified,
    ClassifyRequest,
    Error,
    Explained,
    ExplainRequest,
    FeedbackCounts,
    FeedbackRequest,
    Label,
    ModelDescription,
)
from serving.http.request_parsing import MAX_LABELS

PATH = "/docs.json"
_STATUSES = {
    400: "Not what this path takes.",
    401: "No key, an unknown one, or a revoked one.",
    403: "The key lacks the scope.",
    405: "No such method for this path.",
    408: "The body came too slowly.",
    413: "The body is too large.",
    415: "Not JSON, or packed.",
    429: "Too much at once; Retry-After says how many seconds to wait.",
    431: "More than 64 KiB beside the body, or more than 100 headers.",
    500: "The model gave no answer.",
    503: "No model yet, about to end, or the ledger is away.",
    504: "Not ready within the deadline.",
}
_EVERYWHERE = (400, 401, 403, 405, 408, 413, 415, 429, 431)
_WORK = (*_EVERYWHERE, 500, 503, 504)
_TEXT = {"type": "string"}
_SCHEMAS = "#/components/schemas/{model}"


def document(limits: Serve, labels: Sequence[str] | None) -> dict[str, Any]:
    """The document in OpenAPI 3.1.

    Args:
        limits: the numbers of params.yaml.
        labels: of the model that serves; None while there is none.
    """
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
            "/classify": _post("The label of each text.", ClassifyRequest, Classified),
            "/explain": _post("The words that carried a text's label.", ExplainRequest, Explained),
            "/feedback": _post(
                "Takes the right labels of predictions.", FeedbackRequest, FeedbackCounts
            ),
            "/model": _get(
                "The model that serves.", "application/json", _reference(ModelDescription), 503
            ),
            "/ui": _page("A page to try it; without a key it asks for one."),
            "/metrics": _get("Numbers for Prometheus.", "text/plain"),
            PATH: _get("This document.", "application/json", {"type": "object"}),
            "/livez": _open("Whether the process lives."),
            "/readyz": _open("Whether it has a model and takes requests.", 503),
        },
        "components": {
            "schemas": _schemas(limits, labels),
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
        },
    }


def _schemas(limits: Serve, labels: Sequence[str] | None) -> dict[str, Any]:
    """The schemas of all bodies, with what only the running service knows: limits and labels."""
    found = answers.schemas(_SCHEMAS)

    def add(kind: type, field: str, **keywords: object) -> dict[str, Any]:
        schema: dict[str, Any] = found[kind.__name__]["properties"][field]
        schema |= keywords
        return schema

    texts = add(ClassifyRequest, "texts", minItems=1, maxItems=limits.max_texts)
    texts["items"]["maxLength"] = limits.max_characters
    add(ExplainRequest, "text", maxLength=limits.max_characters)
    add(FeedbackRequest, "labels", minItems=1, maxItems=MAX_LABELS)
    if labels is not None:
        add(Label, "label", enum=list(labels))
    return found


def _reference(kind: type) -> dict[str, Any]:
    return {"$ref": _SCHEMAS.format(model=kind.__name__)}


def _post(summary: str, request: type, answer: type) -> dict[str, Any]:
    body = _content("application/json", _reference(request))
    return {
        "post": {
            "summary": summary,
            "requestBody": {"required": True, "content": body},
            "responses": _responses("application/json", _reference(answer), _WORK),
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
    """A path that needs no key. Its 503 comes from BentoML, or with a sentence from the gateway."""
    responses = _responses("text/plain", _TEXT, (405, 415, 431))
    responses |= {str(status): {"description": _STATUSES[status]} for status in more}
    return {"get": {"summary": summary, "security": [], "responses": responses}}


def _responses(kind: str, answer: dict[str, Any], errors: Sequence[int]) -> dict[str, Any]:
    refused = _content("application/json", _reference(Error))
    return {"200": {"description": "Done.", "content": _content(kind, answer)}} | {
        str(status): {"description": _STATUSES[status], "content": refused} for status in errors
    }


def _content(kind: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {kind: {"schema": schema}}
