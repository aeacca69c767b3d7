"""The door of the service: what comes in, when, and how it leaves. It stands before BentoML.

    key --> route, scope, method --> media type --> rate --> size, room --> body --> place --> app
    401     404, 403, 405            415            429      413, 429       408      429       504

BentoML's own middlewares stand behind it: its metrics keep a series for each path that anybody asks
for, in files; a name in a mistyped address would stay there. So only paths that exist get through.
"""

from __future__ import annotations

import asyncio
import functools
import re
import time
from collections import Counter
from collections.abc import Awaitable, Callable, MutableMapping
from http import HTTPStatus
from typing import Any

from components.core.params import Serve
from serving.errors import Refused
from serving.http import ui
from serving.http.api_keys import ApiKey
from serving.http.auth import (
    OPEN,
    Access,
    Headers,
    Route,
    route,
)
from serving.http.caller import CALLER
from serving.http.limits import CapacityLimit, RateLimiter
from serving.http.shutdown import GracefulShutdown

Message = MutableMapping[str, Any]
Scope = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

BEGUN = "newsloop.begun"  # in a request's scope: when it came, by time.monotonic
DEADLINE = b"x-deadline-ms"  # header: milliseconds after which the client needs no answer any more
_DIGITS = re.compile(r"[0-9]{1,9}")
_CLOSE = (b"connection", b"close")
SECURITY = [
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cache-control", b"no-store"),
    # BentoML's page of documentation would load a tracker of Google's; this keeps it at home.
    (
        b"content-security-policy",
        b"default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; "
        b"frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    ),
]


class Gateway:
    """An ASGI app around `app`; see the file's head.

    Args:
        app: what answers.
        access: who may ask.
        limits: the numbers of params.yaml.
        static: paths of files of the documentation.

    Attributes:
        direct: path -> the app that answers it in place of `app`.
        requests: places of requests that are being answered.
        shutdown: whether the process was told to end.
    """

    def __init__(
        self, app: App, access: Access, limits: Serve, static: frozenset[str] = frozenset()
    ) -> None:
        self._app, self._access, self._limits, self._static = app, access, limits, static
        self.direct: dict[str, App] = {}
        self._rates = RateLimiter(limits.key_requests_per_second, limits.key_burst)
        self.requests = CapacityLimit(limits.max_requests, "requests")
        self._bytes = CapacityLimit(limits.max_body_bytes_held, "bytes of requests")
        self._refused: Counter[int] = Counter()
        self.shutdown = GracefulShutdown(limits.drain_seconds)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, functools.partial(self._started, send))
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close"})
            return
        answer = _Answer(send, self)
        scope[BEGUN] = time.monotonic()
        try:
            await self._let_in(scope, receive, answer)
        except Refused as refusal:
            self.count_refusal(refusal.status)
            if not answer.begun:
                keyless = refusal.status == HTTPStatus.UNAUTHORIZED and scope["path"] == ui.PATH
                response = ui.door(refusal) if keyless else refusal.response()
                await response(scope, receive, answer)

    def count_refusal(self, status: int) -> None:
        """Counts an answer for `newsloop_refused_total`."""
        self._refused[status] += 1

    def metrics(self) -> str:
        """Formats the gateway's metrics for Prometheus."""
        lines = ["# TYPE newsloop_refused_total counter"]
        for status, count in sorted(self._refused.items()):
            lines.append(f'newsloop_refused_total{{status="{status}"}} {count}')
        for name, places in (("requests", self.requests), ("body_bytes", self._bytes)):
            for suffix, value in (("", places.taken), ("_peak", places.peak)):
                lines.append(f"# TYPE newsloop_{name}_in_flight{suffix} gauge")
                lines.append(f"newsloop_{name}_in_flight{suffix} {value}")
        return "\n".join(lines) + "\n"

    async def _started(self, send: Send, message: Message) -> None:
        if message["type"] == "lifespan.startup.complete":
            self.shutdown.listen()
        await send(message)

    async def _let_in(self, scope: Scope, receive: Receive, send: Send) -> None:
        path, raw_path = scope["path"], scope.get("raw_path") or scope["path"].encode()
        headers = Headers(scope)
        if path in OPEN and raw_path == path.encode() and scope["method"] in ("GET", "HEAD"):
            _check_media_type(headers, only_pickle=True)
            if self.shutdown.begun and path == "/readyz":
                raise Refused(503, "This service is about to end; ask another one.")
            await self._app(scope, receive, send)
            return
        key = self._access.identify(scope, headers)
        CALLER.set(key)
        _check_media_type(headers, only_pickle=True)
        target = route(path, raw_path, key, self._static)
        if scope["method"] not in target.methods:
            allowed = ", ".join(target.methods)
            raise Refused(405, f"Expected the method {allowed} here.", {"Allow": allowed})
        if target.work:
            _check_media_type(headers)
        await self._work(scope, receive, send, target, headers, key)

    async def _work(
        self,
        scope: Scope,
        receive: Receive,
        send: Send,
        target: Route,
        headers: Headers,
        key: ApiKey | None,
    ) -> None:
        seconds = self._seconds(headers)
        ends = asyncio.get_running_loop().time() + seconds
        if key is not None:
            self._rates.take(key.id)
        self._check_length(headers)
        if target.work:
            self.requests.need()  # nobody sends a megabyte to be told that there is no room
        reserved = _ReservedBytes(self._bytes)
        try:
            body = await self._read(receive, reserved)
            if not target.work:
                await self._app(scope, _replay(body, receive), send)
                return
            with self.requests.reserved():
                try:
                    async with self.shutdown.until(ends):
                        app = self.direct.get(scope["path"], self._app)
                        await app(scope, _replay(body, receive), send)
                except TimeoutError:
                    raise Refused(
                        504,
                        f"The answer was not ready within {seconds:g} s; send this again later.",
                    ) from None
        finally:
            reserved.give()

    def _seconds(self, headers: Headers) -> float:
        """Returns the seconds that the client waits, `deadline_seconds` at most."""
        sent = headers.single(DEADLINE)
        if sent is None:
            return self._limits.deadline_seconds
        if _DIGITS.fullmatch(sent) is None or int(sent) == 0:
            raise Refused(
                400, "Expected X-Deadline-Ms to be a whole number of milliseconds from 1."
            )
        return min(int(sent) / 1000, self._limits.deadline_seconds)

    def _check_length(self, headers: Headers) -> None:
        length = headers.single(b"content-length")
        if length is not None and (
            _DIGITS.fullmatch(length) is None or int(length) > self._limits.max_body_bytes
        ):
            raise self._too_large()

    def _too_large(self) -> Refused:
        return Refused(
            413,
            f"Expected a body of at most {self._limits.max_body_bytes} bytes; send fewer texts at "
            "a time.",
        )

    async def _read(self, receive: Receive, reserved: _ReservedBytes) -> bytes:
        """Reads the whole body of a request."""
        parts: list[bytes] = []
        ends = asyncio.get_running_loop().time() + self._limits.receive_seconds
        try:
            async with self.shutdown.until(ends):
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise Refused(400, "The connection ended within the body.")
                    part = message.get("body", b"")
                    reserved.take(len(part))
                    if reserved.count > self._limits.max_body_bytes:
                        raise self._too_large()
                    parts.append(part)
                    if not message.get("more_body", False):
                        return b"".join(parts)
        except TimeoutError:
            raise Refused(
                408,
                f"Expected the whole body within {self._limits.receive_seconds:g} s.",
                {"Connection": "close"},
            ) from None


class _ReservedBytes:
    """Bytes in memory for one request."""

    def __init__(self, places: CapacityLimit) -> None:
        self._places, self.count = places, 0

    def take(self, count: int) -> None:
        self._places.take(count)
        self.count += count

    def give(self) -> None:
        self._places.give(self.count)
        self.count = 0


class _Answer:
    """Wraps `send`: adds headers, and records whether an answer has begun."""

    def __init__(self, send: Send, gateway: Gateway) -> None:
        self._send, self._gateway, self.begun = send, gateway, False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.begun = True
            headers = [pair for pair in message.get("headers", ()) if pair[0].lower() != b"server"]
            own = {name.lower() for name, _ in headers}
            headers += [pair for pair in SECURITY if pair[0] not in own]
            if self._gateway.shutdown.begun and b"connection" not in own:
                headers.append(_CLOSE)  # the next request of this client goes elsewhere
            message = {**message, "headers": headers}
        await self._send(message)


def _check_media_type(headers: Headers, only_pickle: bool = False) -> None:
    """Raises Refused (415) for a pickle, for a body that is packed, or that is not JSON."""
    types = [value.split(";")[0].strip().lower() for value in headers.all(b"content-type")]
    bad = [
        media_type
        for media_type in types
        if ("pickle" in media_type if only_pickle else media_type != "application/json")
    ]
    if bad or len(types) > 1:
        raise Refused(415, "Expected a body of Content-Type application/json.")
    # Nothing here unpacks, so that no body is larger than the gateway has counted.
    if any(value.strip().lower() != "identity" for value in headers.all(b"content-encoding")):
        raise Refused(
            415,
            "Expected a body without Content-Encoding; send it unpacked.",
            {"Accept-Encoding": "identity"},
        )


def _replay(body: bytes, receive: Receive) -> Receive:
    """Returns a `receive` that gives `body` first."""
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replayed() -> Message:
        return messages.pop() if messages else await receive()

    return replayed
