"""Client of the service. flows may import only this file of serving."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Sequence
from types import TracebackType
from typing import Self, TypeVar

import httpx
import pydantic

from components.core.errors import StackError
from serving.http import answers
from serving.http.answers import (
    Classified,
    ClassifyRequest,
    Explained,
    ExplainRequest,
    FeedbackCounts,
    FeedbackRequest,
    Label,
    ModelDescription,
)

T = TypeVar("T")

TIMEOUT = 30.0  # seconds for one answer; the service's default deadline is 20
CONNECT_TIMEOUT = 5.0  # seconds
PATIENCE = 60.0  # seconds in total for retries of a request while the service is overloaded
API_KEY = "NEWSLOOP_API_KEY"  # environment variable with the key
_LATER = (httpx.codes.TOO_MANY_REQUESTS, httpx.codes.SERVICE_UNAVAILABLE)
# While its worker starts, BentoML accepts connections and answers nothing.
READY_TIMEOUT = 2.0


class Client:
    """Sends requests to one service; safe to share between threads.

    serving/http/answers.py documents the returned classes.

    Args:
        url: URL of the service, such as "http://127.0.0.1:3000".
        transport: replaces the network in tests.
        key: API key; default: the environment variable NEWSLOOP_API_KEY, if it is set.
        timeout: seconds for one answer; X-Deadline-Ms sends it to the service.
        patience: seconds in total to wait for Retry-After, after a 429 or 503; 0: no retry.
        sleep, clock: replace the time in tests; seconds.

    Raises:
        StackError: from every method but `ready`, if the service cannot be reached or refuses.
    """

    def __init__(
        self,
        url: str,
        transport: httpx.BaseTransport | None = None,
        *,
        key: str | None = None,
        timeout: float = TIMEOUT,
        patience: float = PATIENCE,
        sleep: Callable[[float], object] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._url = url
        self._patience, self._sleep, self._clock = patience, sleep, clock
        headers = {"X-Deadline-Ms": str(max(1, round(timeout * 1000)))}
        if key := key or os.environ.get(API_KEY):
            headers["Authorization"] = f"Bearer {key}"
        self._http = httpx.Client(
            base_url=url,
            timeout=httpx.Timeout(timeout, connect=min(timeout, CONNECT_TIMEOUT)),
            headers=headers,
            transport=transport,
            trust_env=False,  # ignores proxy variables, which loopback requests must not use
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    def classify(self, texts: Sequence[str]) -> Classified:
        """Classifies `texts`; returns predictions in the order of the texts."""
        body = ClassifyRequest.model_construct(texts=list(texts))
        return self._ask(Classified, "POST", "/classify", body)

    def explain(self, text: str) -> Explained:
        """Explains the label of `text` by word weights; see serving/models/explain.py."""
        return self._ask(Explained, "POST", "/explain", ExplainRequest.model_construct(text=text))

    def feedback(self, labels: Iterable[tuple[str, str]]) -> FeedbackCounts:
        """Sends the right labels of predictions: (prediction_id, label) pairs."""
        rows = [Label.model_construct(prediction_id=id_, label=label) for id_, label in labels]
        body = FeedbackRequest.model_construct(labels=rows)
        return self._ask(FeedbackCounts, "POST", "/feedback", body)

    def model(self) -> ModelDescription:
        """Returns the serving version with hashes, metrics and gate decision."""
        return self._ask(ModelDescription, "GET", "/model")

    def ready(self) -> bool:
        """Returns True if the service answers and has a model."""
        try:
            return self._http.get("/readyz", timeout=READY_TIMEOUT).is_success
        except httpx.HTTPError:
            return False

    def _ask(
        self, kind: type[T], method: str, route: str, body: pydantic.BaseModel | None = None
    ) -> T:
        content = None if body is None else body.model_dump()
        until = self._clock() + self._patience
        while True:
            try:
                response = self._http.request(method, route, json=content)
            except httpx.HTTPError as error:
                raise StackError(
                    f"Expected the service at {self._url} to answer, got {type(error).__name__}. "
                    "Start it with `newsloop serve`, or see `newsloop status`."
                ) from error
            if response.is_success:
                return self._decode(kind, route, response)
            wait = _retry_after(response)
            if wait is None or self._clock() + wait > until:
                break
            self._sleep(wait)
        raise StackError(f"The service at {self._url} refused {route}: {_reason(response)}")

    def _decode(self, kind: type[T], route: str, response: httpx.Response) -> T:
        try:
            return answers.decode(kind, response.json())
        except ValueError as error:  # no JSON, or not these fields
            raise StackError(
                f"Expected the answer of newsloop to {route} from {self._url}, got another one. "
                "Look which program answers at that address, and which version of newsloop it is."
            ) from error


def _retry_after(response: httpx.Response) -> float | None:
    """Returns the seconds of Retry-After; None for a response that is not retried."""
    seconds = response.headers.get("Retry-After", "")
    return float(seconds) if response.status_code in _LATER and seconds.isdecimal() else None


def _reason(response: httpx.Response) -> str:
    try:
        return answers.decode(answers.Error, response.json()).error
    except ValueError:
        return f"HTTP status {response.status_code}."
