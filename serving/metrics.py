"""What Prometheus reads of the service (`GET /metrics`).

The numbers are kept here and not in prometheus_client's own counters: under BentoML those write to
a file of all processes at each step, which cost a tenth of an answer. The library makes the text.
"""

from __future__ import annotations

import threading
import time
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate
from types import TracebackType
from typing import Any

from serving.models.predictions import Answer
from serving.telemetry import Spans

SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 20)
TEXTS = (1, 2, 4, 8, 16, 32, 64, 128, 256)
CONFIDENCE = (0.3, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1)


class _Histogram:
    """How many values lie below each of `bounds`, and their sum."""

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def observe(self, value: float) -> None:
        self._counts[bisect_left(self._bounds, value)] += 1
        self.total += value

    def buckets(self) -> list[tuple[str, float]]:
        """Each bound as Prometheus writes it, and how many values are not above it."""
        names = [*(str(float(bound)) for bound in self._bounds), "+Inf"]
        return list(zip(names, accumulate(self._counts), strict=True))


class Metrics:
    """Counts and times; safe to share between threads.

    stage_seconds{stage}: `admission` (key, limits, the body's arrival), `parse` the body, `queue`
    for the model, `compute` a batch (tokenizing is a part of the model), `answer` (JSON, records),
    `request`: all but admission. Where traces are asked for, each stage is a span of its request.
    batch_texts: computed together. answers_total{model, abstained}; confidence{model}.
    requests_total{endpoint, status}: of POST /classify; BentoML counts the other routes.

    Args:
        spans: of the traces.
    """

    def __init__(self, spans: Spans | None = None) -> None:
        self._spans = spans or Spans()
        self._lock = threading.Lock()
        self._stages: dict[str, _Histogram] = defaultdict(lambda: _Histogram(SECONDS))
        self._batches = _Histogram(TEXTS)
        self._confidence: dict[str, _Histogram] = defaultdict(lambda: _Histogram(CONFIDENCE))
        self._answers: Counter[tuple[str, bool]] = Counter()
        self._requests: Counter[tuple[str, int]] = Counter()

    def stage(self, name: str) -> Stage:
        """Times what is done within."""
        return Stage(self, name)

    def passed(self, name: str, started: float, ended: float) -> None:
        """A stage that is over; moments of time.monotonic."""
        with self._lock:
            self._stages[name].observe(ended - started)
        self._spans.add(name, started, ended)

    def answered(self, arrived: float, begun: float, ended: float) -> None:
        """A request has its batch's answer. `batch` and `stage` have measured that for all."""
        self._spans.add("queue", arrived, begun)
        self._spans.add("compute", begun, ended)

    def batch(self, texts: int, waited: Sequence[float]) -> None:
        """A batch begins: how many texts, and how long each of its requests has waited."""
        with self._lock:
            self._batches.observe(texts)
            queue = self._stages["queue"]
            for seconds in waited:
                queue.observe(seconds)

    def given(self, model: str, found: Sequence[Answer]) -> None:
        """Answers that go to a client."""
        with self._lock:
            confidence = self._confidence[model]
            for answer in found:
                self._answers[model, answer.prediction.abstained] += 1
                confidence.observe(answer.prediction.confidence)

    def request(self, endpoint: str, status: int) -> None:
        with self._lock:
            self._requests[endpoint, status] += 1

    def text(self) -> str:
        """All of it, as Prometheus reads it."""
        # BentoML's worker says where its processes keep their numbers before this is imported.
        from prometheus_client import CollectorRegistry, generate_latest

        registry = CollectorRegistry()
        registry.register(self)
        return generate_latest(registry).decode()

    def collect(self) -> Iterator[Any]:
        """What prometheus_client asks of a collector."""
        from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily

        def histogram(name: str, text: str, found: Mapping[Any, _Histogram], *labels: str):  # type: ignore[no-untyped-def]
            family = HistogramMetricFamily(f"newsloop_{name}", text, labels=labels)
            for values, one in found.items():
                family.add_metric(values, one.buckets(), one.total)
            return family

        def counter(name: str, text: str, found: dict[tuple[str, str], int], *labels: str):  # type: ignore[no-untyped-def]
            family = CounterMetricFamily(f"newsloop_{name}", text, labels=labels)
            for values, count in found.items():
                family.add_metric(values, count)
            return family

        with self._lock:
            stages = {(name,): one for name, one in self._stages.items()}
            confidence = {(model,): one for model, one in self._confidence.items()}
            answers = {(model, str(no).lower()): n for (model, no), n in self._answers.items()}
            requests = {(path, str(status)): n for (path, status), n in self._requests.items()}
            families = [
                histogram("stage_seconds", "Seconds of each stage.", stages, "stage"),
                histogram("batch_texts", "Texts computed together.", {(): self._batches}),
                histogram("confidence", "Of the answers given.", confidence, "model"),
                counter("answers", "Given.", answers, "model", "abstained"),
                counter("requests", "Answered.", requests, "endpoint", "status"),
            ]
        yield from families


class Stage:
    """A stage while it lasts; see `Metrics.stage`."""

    __slots__ = ("_metrics", "_name", "_started")

    def __init__(self, metrics: Metrics, name: str) -> None:
        self._metrics, self._name, self._started = metrics, name, 0.0

    def __enter__(self) -> None:
        self._started = time.monotonic()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._metrics.passed(self._name, self._started, time.monotonic())
