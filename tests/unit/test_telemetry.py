"""Logs are JSON and hold no text; traces go where OpenTelemetry's variables say."""

from __future__ import annotations

import json
import logging
import sys
from typing import Any

import pytest

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
