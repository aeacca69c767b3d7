"""The OpenAPI document: every open path, the limits, the labels. Whether it is true is asked of a
running service in tests/hazards/test_service_attacks.py.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from components.core import params as parameters
from serving.errors import Refused
from serving.http import openapi, request_parsing
from serving.http.answers import (
    REQUESTS,
    Classified,
    ClassifyRequest,
    Explained,
    ExplainRequest,
    FeedbackCounts,
    FeedbackRequest,
)
from serving.http.auth import ROUTES
from tests.served import PROJECT

LIMITS = parameters.load(PROJECT / "params.yaml").serve
BENTOML = {"/", "/schema.json", "/healthz"}  # pages of BentoML's own, about its document


def test_it_names_every_path_and_its_method() -> None:
    paths = openapi.document(LIMITS, ["a", "b"])["paths"]
    assert set(paths) == set(ROUTES) - BENTOML
    for path, route in ROUTES.items():
        if path in paths:
            assert list(paths[path]) == [route.methods[0].lower()]
            assert ("504" in paths[path][route.methods[0].lower()]["responses"]) == route.work


def test_it_tells_the_limits_and_the_labels() -> None:
    def properties(labels: list[str] | None, name: str) -> dict[str, Any]:
        found = openapi.document(LIMITS, labels)["components"]["schemas"][name]["properties"]
        assert isinstance(found, dict)
        return found

    text = {"type": "string", "maxLength": LIMITS.max_characters}
    assert properties(None, "ExplainRequest")["text"] == text
    texts = {"type": "array", "items": text, "minItems": 1, "maxItems": LIMITS.max_texts}
    assert properties(None, "ClassifyRequest")["texts"] == texts
    assert properties(["a", "b"], "Label")["label"] == {"type": "string", "enum": ["a", "b"]}
    assert properties(None, "Label")["label"] == {"type": "string"}


LABEL = {"prediction_id": "a" * 32, "label": "b"}
BODIES: list[Any] = [
    None, [], "a", 1, {}, {"texts": []}, {"texts": ["a"]}, {"texts": ["a", 1]}, {"texts": "a"},
    {"texts": [None]}, {"texts": ["a"], "more": 1}, {"texts": ["a"] * (LIMITS.max_texts + 1)},
    {"texts": ["a" * (LIMITS.max_characters + 1)]}, {"text": "a"}, {"text": ["a"]}, {"text": None},
    {"text": "a" * LIMITS.max_characters}, {"text": "a" * (LIMITS.max_characters + 1)},
    {"text": "a", "texts": ["a"]}, {"labels": []}, {"labels": [LABEL]}, {"labels": LABEL},
    {"labels": [{"label": "b"}]}, {"labels": [LABEL | {"label": "c"}]},
    {"labels": [LABEL | {"more": 1}]}, {"labels": [LABEL | {"prediction_id": 1}]}, {"labels": [1]},
    {"labels": [LABEL] * (request_parsing.MAX_LABELS + 1)},
]  # fmt: skip


@pytest.mark.parametrize(
    ("request_model", "parse"),
    [
        (ClassifyRequest, lambda body: request_parsing.texts(body, LIMITS)),
        (ExplainRequest, lambda body: request_parsing.text(body, LIMITS)),
        (FeedbackRequest, lambda body: request_parsing.labels(body, ["a", "b"])),
    ],
)
def test_request_parsing_accepts_what_the_document_allows(
    request_model: type, parse: Callable[[Any], object]
) -> None:
    """The parser is written by hand, because a request costs more through pydantic."""
    document = openapi.document(LIMITS, ["a", "b"])
    schema = {"$ref": f"#/components/schemas/{request_model.__name__}"} | document
    validator = Draft202012Validator(schema)
    accepted = []
    for body in BODIES:
        try:
            parse(body)
            accepted.append(body)
        except Refused:
            pass
    assert accepted == [body for body in BODIES if validator.is_valid(body)]
    assert 0 < len(accepted) < 3


def test_bentoml_makes_its_document_of_the_same_models() -> None:
    """`bentoml build` does, and a build that fails refuses every candidate."""
    from serving.service import Newsloop

    found = Newsloop.openapi_spec.asdict()["components"]["schemas"]
    for kind in (Classified, Explained, FeedbackCounts):
        fields = {field.name for field in dataclasses.fields(kind)}
        assert found[f"{kind.__name__}IODescriptor"]["properties"].keys() == fields
    for request in REQUESTS:
        name = request.__name__.replace("Request", "Body")
        assert found[name]["properties"].keys() == request.model_fields.keys()
    assert {route["name"] for route in Newsloop.schema()["routes"]} >= {"classify", "explain"}
