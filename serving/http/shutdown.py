"""The end of the service: not ready first, then no new requests, then all that was accepted.

BentoML hands SIGTERM to uvicorn, which closes its sockets at once: a load balancer that has not
noticed yet would send requests to nobody.
"""

from __future__ import annotations

import asyncio
import functools
import signal
import threading
from types import FrameType, TracebackType
from typing import Any

# After the drain no request has longer than this, so that all is over within 30 s: 2 s (5 at most)
# to drain, 12 s here, 10 s for what is not yet recorded.
LAST_SECONDS = 12


class Until:
    """The time limit of `GracefulShutdown.until`.

    A generator with contextlib's decorator would take three times as long.

    Args:
        running: holds the time limit while it runs.
        ends: by the loop's clock.
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
    """Hears the signals before the server does.

    Args:
        drain_seconds: between the signal and the moment when the server hears of it.

    Attributes:
        begun: the process was told to end: not ready any more, but it answers still.
    """

    def __init__(self, drain_seconds: float) -> None:
        self._drain_seconds = drain_seconds
        self._timeouts: set[asyncio.Timeout] = set()
        self._last: float | None = None  # when all must be over, by the loop's clock
        self.begun = False

    def listen(self) -> None:
        """Takes over the signals, once the server has set its own handlers."""
        if threading.current_thread() is not threading.main_thread():
            return  # a test's server, which no signal ends
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            before = signal.getsignal(number)
            signal.signal(number, functools.partial(self._hear, loop, before))

    def until(self, ends: float) -> Until:
        """Raises TimeoutError in the block at `ends`, or when all must be over."""
        return Until(self._timeouts, ends if self._last is None else min(ends, self._last))

    def _hear(
        self, loop: asyncio.AbstractEventLoop, before: Any, number: int, frame: FrameType | None
    ) -> None:
        def end() -> None:
            if callable(before):
                before(number, frame)

        if self.begun:  # asked twice: at once
            loop.call_soon_threadsafe(end)
            return
        self.begun = True
        self._last = loop.time() + self._drain_seconds + LAST_SECONDS
        loop.call_soon_threadsafe(loop.call_later, self._drain_seconds, end)
        loop.call_soon_threadsafe(self._hurry, self._last)

    def _hurry(self, last: float) -> None:
        for timeout in self._timeouts:
            if not timeout.expired():  # else it is over, though its request does not know yet
                timeout.reschedule(min(timeout.when() or last, last))
