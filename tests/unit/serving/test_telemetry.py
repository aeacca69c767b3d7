"""Logs are JSON and hold no text; traces go where OpenTelemetry's variables say."""

from __future__ import annotations

import json
import logging
import sys
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from serving.http.answers import Prediction
from serving.metrics import Metrics
from serving.models.predictions import Answer
from serving.telemetry import JsonLines, tracing


def test_a_record_is_one_object_without_what_an_exception_says() -> None:
    try:
        raise ValueError("a raw text")
    except ValueError:
        record = logging.LogRecord(
            "newsloop.serving", logging.ERROR, "f", 1, "%d rows\nwait: é", (3,), sys.exc_info()
        )
    record.created = 0
    line = JsonLines().format(record)
    assert "\n" not in line
    assert json.loads(line) == {
        "time": "1970-01-01T00:00:00+00:00",
        "level": "error",
        "logger": "newsloop.serving",
        "message": "3 rows\nwait: é",
        "error": "ValueError",
    }


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, {"sample_rate": 0.0}),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": ""}, {"sample_rate": 0.0}),
        (
            {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318", "OTEL_TRACES_SAMPLER_ARG": "0.1"},
            {
                "exporter_type": "otlp", "sample_rate": 0.1,
                "otlp": {"protocol": "http", "endpoint": "http://c:4318/v1/traces"},
            },
        ),
        (
            {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4317", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"},
            {
                "exporter_type": "otlp", "sample_rate": 1.0,
                "otlp": {"protocol": "grpc", "endpoint": "http://c:4317"},
            },
        ),
    ],
)  # fmt: skip
def test_tracing(environ: dict[str, str], expected: dict[str, Any]) -> None:
    assert tracing(environ) == expected


def test_metrics_are_what_was_counted_as_prometheus_reads_it() -> None:
    metrics = Metrics()
    metrics.batch(3, [0.004, 0.005])
    metrics.passed("compute", 1.0, 1.03)
    sure = Answer(Prediction("0" * 32, "tech", 0.95, {"tech": 0.95}, False), 7, 0.0, [])
    unsure = Answer(Prediction("1" * 32, "tech", 0.4, {"tech": 0.4}, True), 7, 0.0, [])
    metrics.given("v1 abc", [sure, unsure, sure])
    metrics.request("/classify", 200)
    samples = {
        (one.name, *sorted(one.labels.values())): one.value
        for family in text_string_to_metric_families(metrics.text())
        for one in family.samples
    }
    assert samples["newsloop_batch_texts_bucket", "2.0"] == 0
    assert samples["newsloop_batch_texts_bucket", "4.0"] == 1
    assert samples["newsloop_batch_texts_sum",] == 3
    assert samples["newsloop_stage_seconds_bucket", "0.002", "queue"] == 0
    assert samples["newsloop_stage_seconds_bucket", "0.005", "queue"] == 2  # a bound belongs to it
    assert samples["newsloop_stage_seconds_sum", "compute"] == pytest.approx(0.03)
    assert samples["newsloop_stage_seconds_count", "queue"] == 2
    assert samples["newsloop_answers_total", "false", "v1 abc"] == 2
    assert samples["newsloop_answers_total", "true", "v1 abc"] == 1
    assert samples["newsloop_confidence_bucket", "+Inf", "v1 abc"] == 3
    assert samples["newsloop_requests_total", "/classify", "200"] == 1
