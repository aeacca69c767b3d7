"""A client of the service. Of serving, flows may import only this file."""

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

TIMEOUT = 30.0  # seconds for one answer; the service itself gives up after 20, see params.yaml
CONNECT_TIMEOUT = 5.0
PATIENCE = 60.0  # seconds in all that a request is sent again while the service has no room
API_KEY = "NEWSLOOP_API_KEY"  # the environment variable with the key
_LATER = (httpx.codes.TOO_MANY_REQUESTS, httpx.codes.SERVICE_UNAVAILABLE)
# While its worker starts, BentoML accepts connections and answers nothing.
READY_TIMEOUT = 2.0


class Client:
    """Sends requests to one service; safe to share between threads.

    serving/http/answers.py documents what the methods return.

    Args:
        url: of the service, such as "http://127.0.0.1:3000".
        transport: stands in for the network in tests.
        key: the API key; default: that of the environment variable NEWSLOOP_API_KEY, if it is set.
        timeout: seconds for one answer; the service is told, and drops what would come later.
        patience: seconds in all for waiting as Retry-After says, after a 429 or 503; 0: never.
        sleep, clock: stand in for the time in tests; seconds.

    Raises:
        StackError: from every method but `ready`, when the service cannot be reached or refuses.
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
            trust_env=False,  # no proxy stands between this machine and itself
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
        """The labels of `texts`, in their order."""
        body = ClassifyRequest.model_construct(texts=list(texts))
        return self._ask(Classified, "POST", "/classify", body)

    def explain(self, text: str) -> Explained:
        """The words that carried the label of `text`; see serving/models/explain.py."""
        return self._ask(Explained, "POST", "/explain", ExplainRequest.model_construct(text=text))

    def feedback(self, labels: Iterable[tuple[str, str]]) -> FeedbackCounts:
        """Sends the right labels of predictions: (prediction_id, label) pairs."""
        rows = [Label.model_construct(prediction_id=id_, label=label) for id_, label in labels]
        body = FeedbackRequest.model_construct(labels=rows)
        return self._ask(FeedbackCounts, "POST", "/feedback", body)

    def model(self) -> ModelDescription:
        """The version that serves, its hashes, metrics and gate decision."""
        return self._ask(ModelDescription, "GET", "/model")

    def ready(self) -> bool:
        """Whether the service is there and has a model."""
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
    """Seconds that the service asks to wait; None if it does not want this again."""
    asked = response.headers.get("Retry-After", "")
    return float(asked) if response.status_code in _LATER and asked.isdecimal() else None


def _reason(response: httpx.Response) -> str:
    try:
        return answers.decode(answers.Error, response.json()).error
    except ValueError:
        return f"HTTP status {response.status_code}."
