"""What Prometheus reads of the service, in BentoML's own registry (`GET /metrics`).

prometheus_client is imported when a Metrics is made, not before: BentoML's worker first has to say
where its processes keep their numbers.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

from serving.answer import Answer
from serving.telemetry import Spans

SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 20)
TEXTS = (1, 2, 4, 8, 16, 32, 64, 128, 256)
CONFIDENCE = (0.3, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1)


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
        import prometheus_client as prometheus

        def histogram(name: str, help_: str, labels: Sequence[str], buckets: Any) -> Any:
            return prometheus.Histogram(f"newsloop_{name}", help_, labels, buckets=buckets)

        stages = histogram("stage_seconds", "Seconds of each stage.", ["stage"], SECONDS)
        self._stage = cache(stages.labels)
        self._batch = histogram("batch_texts", "Texts computed together.", [], TEXTS)
        confidence = histogram("confidence", "Of the answers given.", ["model"], CONFIDENCE)
        self._confidence = cache(confidence.labels)
        given = prometheus.Counter("newsloop_answers", "Given.", ["model", "abstained"])
        self._answers = cache(given.labels)
        requests = prometheus.Counter("newsloop_requests", "Answered.", ["endpoint", "status"])
        self._requests = cache(requests.labels)

    @contextmanager
    def stage(self, name: str, clock: Callable[[], float] = time.monotonic) -> Iterator[None]:
        """Times what is done within."""
        started = clock()
        try:
            yield
        finally:
            self.passed(name, started, clock())

    def passed(self, name: str, started: float, ended: float) -> None:
        """A stage that is over; moments of time.monotonic."""
        self._stage(name).observe(ended - started)
        self._spans.add(name, started, ended)

    def answered(self, arrived: float, begun: float, ended: float) -> None:
        """A request has its batch's answer. `batch` and `stage` have measured that for all."""
        self._spans.add("queue", arrived, begun)
        self._spans.add("compute", begun, ended)

    def batch(self, texts: int, waited: Sequence[float]) -> None:
        """A batch begins: how many texts, and how long each of its requests has waited."""
        self._batch.observe(texts)
        for seconds in waited:
            self._stage("queue").observe(seconds)

    def given(self, model: str, found: Sequence[Answer]) -> None:
        """Answers that go to a client."""
        for answer in found:
            self._answers(model, "true" if answer.abstained else "false").inc()
            self._confidence(model).observe(answer.confidence)

    def request(self, endpoint: str, status: int) -> None:
        self._requests(endpoint, status).inc()
