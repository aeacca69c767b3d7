"""The short way of POST /classify: from the gateway to the router, past BentoML's own request path.

BentoML's middlewares (metrics, tracing, context), its wrapping of bodies and its search for a route
cost time that a small model does not need (docs/decisions.md). What they do is done here where it
is wanted: metrics by serving/metrics.py, traces by OpenTelemetry's middleware.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any

from serving.errors import Refused
from serving.http.gateway import (
    BEGUN,
    App,
    Receive,
    Scope,
    Send,
)
from serving.metrics import Metrics

LOG = logging.getLogger("newsloop.serving")
PATH = "/classify"


class Direct:
    """An ASGI app for one path, whose body the gateway has read.

    Args:
        answer: the body -> the JSON to send; raises Refused.
        metrics: counts what was answered.
    """

    def __init__(self, answer: Callable[[bytes], Awaitable[bytes]], metrics: Metrics) -> None:
        self._answer, self._metrics = answer, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun = scope.get(BEGUN)
        if begun is not None:
            self._metrics.passed("admission", begun, time.monotonic())
        with self._metrics.stage("request"):
            try:
                content = await self._answer((await receive())["body"])
            except Refused as refused:
                refusal = refused
            except Exception as error:  # noqa: BLE001 - its message may hold text
                LOG.error("A request got no answer: %s.", type(error).__name__)
                refusal = Refused(500, "The model gave no answer; send this again later.")
            else:
                headers = [
                    (b"content-type", b"application/json"),
                    (b"content-length", b"%d" % len(content)),
                ]
                await send({"type": "http.response.start", "status": 200, "headers": headers})
                await send({"type": "http.response.body", "body": content})
                self._metrics.request(PATH, 200)
                return
        self._metrics.request(PATH, refusal.status)
        await refusal.response()(scope, receive, send)


def traced(app: App, provider: Any) -> App:
    """`app` with a span for each request, where there is a provider."""
    if provider is None:
        return app
    from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware

    wrapped: App = OpenTelemetryMiddleware(app, tracer_provider=provider)
    return wrapped
