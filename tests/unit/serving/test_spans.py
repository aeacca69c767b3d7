"""The stages of one request as spans of one trace, kept in memory."""

from __future__ import annotations

import asyncio
import itertools
import time
from typing import Any

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from serving.http.classify_route import ClassifyApp, traced
from serving.http.gateway import BEGUN
from serving.metrics import Metrics
from serving.models.batcher import Batcher
from serving.telemetry import Spans

TEXT = "Zaphod has a film"


@pytest.fixture
def kept() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def provider(kept: InMemorySpanExporter) -> TracerProvider:
    made = TracerProvider()
    made.add_span_processor(SimpleSpanProcessor(kept))
    return made


@pytest.fixture
def metrics(provider: TracerProvider) -> Metrics:
    return Metrics(Spans(provider))


def ask(metrics: Metrics, provider: TracerProvider | None) -> list[dict[str, Any]]:
    """One request to an app like that of the service: parse, batch, answer."""

    async def run() -> list[dict[str, Any]]:
        batcher = Batcher[str, int](
            lambda texts: ("m", [len(text) for text in texts]), 8, 0, timed=metrics.answered
        )

        async def answer(body: bytes) -> bytes:
            with metrics.stage("parse"):
                text = body.decode()
            await batcher.answer([text])
            with metrics.stage("answer"):
                return b"{}"

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": TEXT.encode()}

        sent: list[dict[str, Any]] = []

        async def send(message: Any) -> None:
            sent.append(message)

        scope = {
            "type": "http", "method": "POST", "path": "/classify", "headers": [],
            "query_string": b"", "scheme": "http", "server": ("127.0.0.1", 1),
            BEGUN: time.monotonic() - 0.01,
        }  # fmt: skip
        await traced(ClassifyApp(answer, metrics), provider)(scope, receive, send)
        await batcher.close()
        return sent

    return asyncio.run(run())


def test_each_stage_is_a_span_of_its_request(
    metrics: Metrics, provider: TracerProvider, kept: InMemorySpanExporter
) -> None:
    assert ask(metrics, provider)[0]["status"] == 200
    spans = {one.name: one for one in kept.get_finished_spans()}
    stages = ["admission", "parse", "queue", "compute", "answer"]
    whole = spans["POST /classify"]
    for name in stages:
        assert spans[name].context.trace_id == whole.context.trace_id
        assert spans[name].parent.span_id == whole.context.span_id
    times = [(spans[name].start_time, spans[name].end_time) for name in stages]
    slack = 1_000_000  # nanoseconds: each span reads the two clocks anew
    for (start, end), (later, _) in itertools.pairwise(times):
        assert start <= end <= later + slack
    assert times[0][1] - times[0][0] >= 9_000_000  # 10 ms before the app heard of it
    assert TEXT not in "".join(one.to_json() for one in spans.values())


def test_without_traces_there_are_none_and_the_request_is_answered(
    metrics: Metrics, kept: InMemorySpanExporter
) -> None:
    assert ask(metrics, None)[0]["status"] == 200
    assert kept.get_finished_spans() == ()
