"""JSON logs, settings for traces, and spans of a request. None of them contains a text."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"  # OpenTelemetry's variable; unset: no traces
PROTOCOL = "OTEL_EXPORTER_OTLP_PROTOCOL"  # grpc, or http/protobuf, which is the default
SAMPLED = "OTEL_TRACES_SAMPLER_ARG"  # share of traced requests, 0 to 1; default 1


class JsonLines(logging.Formatter):
    """Formats a record as JSON: time, level, logger, message, and the class of an exception.

    The exception's message and traceback are left out, because they may quote a client's text.
    """

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info and record.exc_info[0] is not None:
            line["error"] = record.exc_info[0].__name__
        return json.dumps(line, ensure_ascii=False)


def log_json() -> None:
    """Sets the JSON format for the handlers that BentoML configured in this process."""
    loggers = [logging.getLogger(name) for name in (None, "bentoml", "bentoml.access", "newsloop")]
    for handler in {handler for logger in loggers for handler in logger.handlers}:
        handler.setFormatter(JsonLines())


def tracing(environ: Mapping[str, str]) -> dict[str, Any]:
    """Makes BentoML's settings for traces from OpenTelemetry's environment variables.

    >>> tracing({})
    {'sample_rate': 0.0}
    >>> tracing({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318/"})["otlp"]
    {'protocol': 'http', 'endpoint': 'http://collector:4318/v1/traces'}
    """
    endpoint = environ.get(ENDPOINT, "").rstrip("/")
    if not endpoint:
        return {"sample_rate": 0.0}
    otlp = {"protocol": "http", "endpoint": f"{endpoint}/v1/traces"}
    if environ.get(PROTOCOL) == "grpc":
        otlp = {"protocol": "grpc", "endpoint": endpoint}
    share = float(environ.get(SAMPLED) or 1)
    return {"exporter_type": "otlp", "sample_rate": share, "otlp": otlp}


class Spans:
    """Records the stages of a request as spans of its trace.

    Args:
        provider: OpenTelemetry's tracer provider; None: no traces, and `add` returns at once.
    """

    def __init__(self, provider: Any = None) -> None:
        self._tracer = None if provider is None else provider.get_tracer("newsloop")

    def add(self, name: str, started: float, ended: float) -> None:
        """Adds a child of the current span, if that is recorded; times of time.monotonic."""
        if self._tracer is None:
            return
        from opentelemetry import trace

        if trace.get_current_span().is_recording():
            zero = time.time_ns() - time.monotonic_ns()
            at = [zero + int(moment * 1e9) for moment in (started, ended)]
            self._tracer.start_span(name, start_time=at[0]).end(at[1])
