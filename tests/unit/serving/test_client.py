"""The client: its key, its patience, its errors; the service is a fake behind a transport."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from components.core.errors import StackError
from serving.client import API_KEY, Client
from serving.http import answers
from serving.http.answers import (
    Classified,
    Explained,
    FeedbackCounts,
    ModelDescription,
    Prediction,
    WordWeight,
)

TABLES = ("probabilities", "metrics", "decision", "facts")  # whose names are data, not fields
GOOD = {"model": "m", "predictions": []}
PREDICTION = Prediction("a" * 32, "tech", 0.75, {"tech": 0.75, "sport": 0.25}, False)
# An answer of each route, as encoded by the service.
ANSWERS: dict[str, Any] = {
    "/classify": Classified("m", [PREDICTION]),
    "/explain": Explained("m", "tech", 0.75, "occlusion", None, [WordWeight("film", -0.5)], 1, 2),
    "/feedback": FeedbackCounts(1, 2, 3),
    "/model": ModelDescription("m", 1, "t", "s", "c", "d", {}, {}, "b", "now", "why", {}, None),
}


class Service:
    """Gives the answers in turn, and keeps what it was asked."""

    def __init__(self, *answers: httpx.Response | Exception) -> None:
        self.answers, self.requests = list(answers), list[httpx.Request]()

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def later(status: int = 429, seconds: str | None = "3") -> httpx.Response:
    headers = {} if seconds is None else {"Retry-After": seconds}
    return httpx.Response(status, json={"error": "Later."}, headers=headers)


def client(service: Callable[[httpx.Request], httpx.Response], **options: object) -> Client:
    return Client("http://a", httpx.MockTransport(service), **options)  # type: ignore[arg-type]


def test_it_waits_as_long_as_the_service_says() -> None:
    time = [0.0]
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        time[0] += seconds

    service = Service(later(), later(503, "2"), httpx.Response(200, json=GOOD))
    with client(service, sleep=sleep, clock=lambda: time[0]) as asked:
        assert asked.classify(["a"]).model == "m"
    assert slept == [3, 2]
    # No longer in all than it has patience.
    service = Service(*[later() for _ in range(9)])
    with (
        client(service, patience=7, sleep=sleep, clock=lambda: time[0]) as asked,
        pytest.raises(StackError, match="Later"),
    ):
        asked.classify(["a"])
    assert len(service.requests) == 3


def test_every_answer_is_read_as_it_was_encoded_and_unknown_fields_are_ignored() -> None:
    def more(value: Any) -> Any:
        """`value` as a later version may send it: with a new field in each object."""
        if isinstance(value, list):
            return [more(item) for item in value]
        if not isinstance(value, dict):
            return value
        same = {name: item if name in TABLES else more(item) for name, item in value.items()}
        return {**same, "new_in_a_later_version": {"a": [1]}}

    def newer(request: httpx.Request) -> httpx.Response:
        answer = json.loads(answers.encode(ANSWERS[request.url.path]))
        return httpx.Response(200, json=more(answer))

    def same(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, content=answers.encode(ANSWERS[request.url.path]))

    for service in (same, newer):
        with client(service) as asked:
            assert asked.classify(["a"]) == ANSWERS["/classify"]
            assert asked.explain("a") == ANSWERS["/explain"]
            assert asked.feedback([("a" * 32, "tech")]) == ANSWERS["/feedback"]
            assert asked.model() == ANSWERS["/model"]


@pytest.mark.parametrize("content", [b"no JSON", b"[]", b'{"model": "m"}'])
def test_an_answer_of_another_program_is_an_error(content: bytes) -> None:
    service = Service(httpx.Response(200, content=content))
    with client(service) as asked, pytest.raises(StackError, match="Expected the answer of newsl"):
        asked.classify(["a"])


@pytest.mark.parametrize(
    "answer",
    [
        later(503, None), later(429, "soon"), later(429, "-1"), later(400), later(504),
        httpx.Response(401, json={"error": "Expected an API key."}),
    ],
)  # fmt: skip
def test_what_will_not_get_better_is_not_asked_again(answer: httpx.Response) -> None:
    service = Service(answer)
    with client(service, sleep=pytest.fail) as asked, pytest.raises(StackError, match="refused"):
        asked.classify(["a"])


def test_a_service_that_is_not_there_is_an_error() -> None:
    service = Service(httpx.ConnectError("no"))
    with client(service) as asked, pytest.raises(StackError, match="got ConnectError"):
        asked.model()


def test_it_sends_its_key_and_its_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[tuple[str | None, str]] = []

    def service(request: httpx.Request) -> httpx.Response:
        headers = request.headers
        sent.append((headers.get("Authorization"), headers["X-Deadline-Ms"]))
        return httpx.Response(200, json=GOOD)

    monkeypatch.delenv(API_KEY, raising=False)
    client(service, timeout=1.5).classify(["a"])
    client(service, key="k").classify(["a"])
    monkeypatch.setenv(API_KEY, "e")
    client(service).classify(["a"])
    client(service, key="k").classify(["a"])
    assert sent == [
        (None, "1500"),
        ("Bearer k", "30000"),
        ("Bearer e", "30000"),
        ("Bearer k", "30000"),
    ]
