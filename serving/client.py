"""A client of the service. Of serving, flows may import only this file."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import httpx

from components.core.errors import StackError

TIMEOUT = 70.0  # seconds; the service itself gives up after 60
CONNECT_TIMEOUT = 5.0
# While its worker starts, BentoML accepts connections and answers nothing.
READY_TIMEOUT = 2.0


@dataclass(frozen=True)
class Prediction:
    """What the service said of one text."""

    prediction_id: str
    label: str
    confidence: float
    probabilities: dict[str, float]
    abstained: bool


@dataclass(frozen=True)
class Classified:
    """What the service said of some texts, and which model it was."""

    model: str
    predictions: list[Prediction]


class Client:
    """Speaks to one service; safe to share between threads.

    Args:
        url: of the service, such as "http://127.0.0.1:3000".
        transport: stands in for the network in tests.

    Raises:
        StackError: from every method but `ready`, when the service cannot be reached or refuses.
    """

    def __init__(self, url: str, transport: httpx.BaseTransport | None = None) -> None:
        self._url = url
        self._http = httpx.Client(
            base_url=url,
            timeout=httpx.Timeout(TIMEOUT, connect=CONNECT_TIMEOUT),
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
        found = self._ask("POST", "/classify", {"texts": list(texts)})
        return Classified(found["model"], [Prediction(**one) for one in found["predictions"]])

    def explain(self, text: str) -> dict[str, Any]:
        """The words that carried the label of `text`; see serving/explain.py."""
        found: dict[str, Any] = self._ask("POST", "/explain", {"text": text})
        return found

    def feedback(self, labels: Iterable[tuple[str, str]]) -> dict[str, int]:
        """Says the labels of predictions: (prediction_id, label) pairs.

        Returns:
            Counts `accepted`, `duplicate` and `unknown`.
        """
        rows = [{"prediction_id": id_, "label": label} for id_, label in labels]
        counts: dict[str, int] = self._ask("POST", "/feedback", {"labels": rows})
        return counts

    def model(self) -> dict[str, Any]:
        """The version that serves, its hashes, metrics and gate decision."""
        found: dict[str, Any] = self._ask("GET", "/model")
        return found

    def ready(self) -> bool:
        """Whether the service is there and has a model."""
        try:
            return self._http.get("/readyz", timeout=READY_TIMEOUT).is_success
        except httpx.HTTPError:
            return False

    def _ask(self, method: str, route: str, body: dict[str, Any] | None = None) -> Any:
        try:
            response = self._http.request(method, route, json=body)
        except httpx.HTTPError as error:
            raise StackError(
                f"Expected the service at {self._url} to answer, got {type(error).__name__}. Start "
                "it with `newsloop serve`, or see `newsloop status`."
            ) from error
        if response.is_success:
            return response.json()
        raise StackError(f"The service at {self._url} refused {route}: {_reason(response)}")


def _reason(response: httpx.Response) -> str:
    try:
        return str(response.json()["error"])
    except (ValueError, KeyError, TypeError):
        return f"HTTP status {response.status_code}."
