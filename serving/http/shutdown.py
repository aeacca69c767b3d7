"""Graceful shutdown: /readyz fails first, then new requests end, then accepted ones.

BentoML passes SIGTERM to uvicorn, which closes its sockets at once. A load balancer that has not
noticed yet would get refused connections.
"""

from __future__ import annotations

import asyncio
import functools
import signal
import threading
from types import FrameType, TracebackType
from typing import Any

# Seconds that a request has after the drain. The whole shutdown takes less than 30 s: 2 s (5 at
# most) to drain, 12 s for requests, 10 s for the recorder.
LAST_SECONDS = 12


class Until:
    """Time limit of `GracefulShutdown.until`, as an async context.

    A generator with contextlib's decorator would take three times as long.

    Args:
        running: set of the active time limits.
        ends: time of the loop's clock in seconds.
    """

    __slots__ = ("_running", "_timeout")

    def __init__(self, running: set[asyncio.Timeout], ends: float) -> None:
        self._running, self._timeout = running, asyncio.timeout_at(ends)

    async def __aenter__(self) -> None:
        await self._timeout.__aenter__()
        self._running.add(self._timeout)

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._running.discard(self._timeout)
        await self._timeout.__aexit__(kind, error, traceback)


class GracefulShutdown:
    """Handles the stop signals, and passes them to the server after the drain.

    Args:
        drain_seconds: seconds between a signal and the server's own handler.

    Attributes:
        begun: True after a signal: /readyz fails, requests are still answered.
    """

    def __init__(self, drain_seconds: float) -> None:
        self._drain_seconds = drain_seconds
        self._timeouts: set[asyncio.Timeout] = set()
        self._last: float | None = None  # end of all requests, by the loop's clock
        self.begun = False

    def listen(self) -> None:
        """Replaces the server's signal handlers; call it after the server has set them."""
        if threading.current_thread() is not threading.main_thread():
            return  # a test's server; Python handles signals only in the main thread
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            before = signal.getsignal(number)
            signal.signal(number, functools.partial(self._hear, loop, before))

    def until(self, ends: float) -> Until:
        """Raises TimeoutError in the block at `ends`, or at the end of all requests if sooner."""
        return Until(self._timeouts, ends if self._last is None else min(ends, self._last))

    def _hear(
        self, loop: asyncio.AbstractEventLoop, before: Any, number: int, frame: FrameType | None
    ) -> None:
        def end() -> None:
            if callable(before):
                before(number, frame)

        if self.begun:  # a second signal ends the process without a drain
            loop.call_soon_threadsafe(end)
            return
        self.begun = True
        self._last = loop.time() + self._drain_seconds + LAST_SECONDS
        loop.call_soon_threadsafe(loop.call_later, self._drain_seconds, end)
        loop.call_soon_threadsafe(self._hurry, self._last)

    def _hurry(self, last: float) -> None:
        for timeout in self._timeouts:
            if not timeout.expired():  # an expired one cannot be rescheduled
                timeout.reschedule(min(timeout.when() or last, last))
