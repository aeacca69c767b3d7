"""Fast path of POST /classify: from the gateway to the router, without BentoML's request path.

BentoML's middlewares (metrics, tracing, context), body wrappers and routing take longer than a
small model (docs/decisions.md). Here serving/metrics.py counts, and OpenTelemetry's middleware
traces.
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


class ClassifyApp:
    """ASGI app for one path, whose body the gateway has read.

    Args:
        answer: request body -> response JSON; raises Refused.
        metrics: counts requests and times.
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
            except Exception as error:  # noqa: BLE001 - only its class is logged: it may quote text
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
    """Wraps `app` so that each request has a span; without a provider returns `app`."""
    if provider is None:
        return app
    from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware

    wrapped: App = OpenTelemetryMiddleware(app, tracer_provider=provider)
    return wrapped
