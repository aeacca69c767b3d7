"""The OpenAPI document: every open path, the limits, the labels. Whether it is true is asked of a
running service in tests/hazards/test_service_attacks.py.
"""

from __future__ import annotations

from components.core import params as parameters
from serving.http import openapi
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
    def body(path: str, labels: list[str] | None) -> dict[str, object]:
        found = openapi.document(LIMITS, labels)["paths"][path]["post"]["requestBody"]
        properties: dict[str, object] = found["content"]["application/json"]["schema"]["properties"]
        return properties

    text = {"type": "string", "maxLength": LIMITS.max_characters}
    assert body("/explain", None)["text"] == text
    texts = {"type": "array", "items": text, "minItems": 1, "maxItems": LIMITS.max_texts}
    assert body("/classify", None)["texts"] == texts
    assert "'label': {'type': 'string', 'enum': ['a', 'b']}" in str(body("/feedback", ["a", "b"]))
    assert "'label': {'type': 'string'}" in str(body("/feedback", None))
