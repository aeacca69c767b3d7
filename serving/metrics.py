"""Prometheus metrics of the service (`GET /metrics`).

This module counts instead of prometheus_client's own counters. Under BentoML those write each
change to a file shared by all processes, which took a tenth of the time of an answer. The library
formats the text.
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
    """Histogram with the upper `bounds` (inclusive) of its buckets, and the sum of the values."""

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def observe(self, value: float) -> None:
        self._counts[bisect_left(self._bounds, value)] += 1
        self.total += value

    def buckets(self) -> list[tuple[str, float]]:
        """Returns each bound in Prometheus' form, and the number of values up to it."""
        names = [*(str(float(bound)) for bound in self._bounds), "+Inf"]
        return list(zip(names, accumulate(self._counts), strict=True))


class Metrics:
    """Counters and histograms; safe to share between threads.

    stage_seconds{stage}: `admission` (key, limits, arrival of the body), `parse` of the body,
    `queue` for the model, `compute` of a batch (with tokenizing), `answer` (JSON, recording),
    `request`: all but admission. With traces, each stage is a span of its request.
    batch_texts: texts of a batch. answers_total{model, abstained}; confidence{model}.
    requests_total{endpoint, status}: requests of POST /classify; BentoML counts the other routes.

    Args:
        spans: records the stages as spans.
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
        """Returns a context that measures the time of its body."""
        return Stage(self, name)

    def passed(self, name: str, started: float, ended: float) -> None:
        """Records a finished stage; times of time.monotonic in seconds."""
        with self._lock:
            self._stages[name].observe(ended - started)
        self._spans.add(name, started, ended)

    def answered(self, arrived: float, begun: float, ended: float) -> None:
        """Adds spans for a request's time in queue and batch; `batch` and `stage` count them."""
        self._spans.add("queue", arrived, begun)
        self._spans.add("compute", begun, ended)

    def batch(self, texts: int, waited: Sequence[float]) -> None:
        """Records the start of a batch: its texts, and the seconds that each request waited."""
        with self._lock:
            self._batches.observe(texts)
            queue = self._stages["queue"]
            for seconds in waited:
                queue.observe(seconds)

    def given(self, model: str, answers: Sequence[Answer]) -> None:
        """Records answers that go to a client."""
        with self._lock:
            confidence = self._confidence[model]
            for answer in answers:
                self._answers[model, answer.prediction.abstained] += 1
                confidence.observe(answer.prediction.confidence)

    def request(self, endpoint: str, status: int) -> None:
        with self._lock:
            self._requests[endpoint, status] += 1

    def text(self) -> str:
        """Formats all metrics as Prometheus text."""
        # Imported late: BentoML's worker first sets the folder for metrics of several processes.
        from prometheus_client import CollectorRegistry, generate_latest

        registry = CollectorRegistry()
        registry.register(self)
        return generate_latest(registry).decode()

    def collect(self) -> Iterator[Any]:
        """Yields the metric families, as prometheus_client expects of a collector."""
        from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily

        def histogram(name: str, text: str, series: Mapping[Any, _Histogram], *labels: str):  # type: ignore[no-untyped-def]
            family = HistogramMetricFamily(f"newsloop_{name}", text, labels=labels)
            for values, observed in series.items():
                family.add_metric(values, observed.buckets(), observed.total)
            return family

        def counter(name: str, text: str, series: dict[tuple[str, str], int], *labels: str):  # type: ignore[no-untyped-def]
            family = CounterMetricFamily(f"newsloop_{name}", text, labels=labels)
            for values, count in series.items():
                family.add_metric(values, count)
            return family

        with self._lock:
            stages = {(name,): seconds for name, seconds in self._stages.items()}
            confidence = {(model,): shares for model, shares in self._confidence.items()}
            answers = {(model, str(no).lower()): n for (model, no), n in self._answers.items()}
            requests = {(path, str(status)): n for (path, status), n in self._requests.items()}
            families = [
                histogram("stage_seconds", "Seconds of each stage.", stages, "stage"),
                histogram("batch_texts", "Texts computed together.", {(): self._batches}),
                histogram("confidence", "Confidence of the answers.", confidence, "model"),
                counter("answers", "Answers to clients.", answers, "model", "abstained"),
                counter("requests", "Answered requests.", requests, "endpoint", "status"),
            ]
        yield from families


class Stage:
    """Context that measures one stage; see `Metrics.stage`."""

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
