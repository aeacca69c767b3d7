"""Connections that take too long to send a request are cut; uvicorn would keep them for ever.

A request counts only once it is here whole, so slow clients take no place of others; but each holds
a connection. Uvicorn has a time limit for idle connections only.
"""

from __future__ import annotations

import asyncio
import logging
import resource
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from components.core.errors import StackError
from serving import bentoml_adapter
from serving.http.half_close import HalfClose
from serving.http.header_limits import limits_for

if TYPE_CHECKING:
    from uvicorn.protocols.http.h11_impl import H11Protocol as Base
else:
    Base = object

LOG = logging.getLogger("newsloop.serving")
_OTHER_FILES = 128  # descriptors besides connections: 31 are open with a model, more in a swap
_GRACE_SECONDS = 2  # after the time in which the gateway answers 408, for a body that is slow


class Watch(Base):
    """Goes before one of uvicorn's protocols: a time for each request to arrive, and a number of
    connections. `watched` puts the two together.

    Attributes:
        seconds: from the first byte (or the connection) to the last one of a request.
        most: connections at once; one more is closed at once.
    """

    seconds: float = 0
    most: int = 0
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        self.access_log = False  # else uvicorn prepares a line for each answer, which nobody keeps
        super().connection_made(transport)
        if len(self.connections) > self.most:
            transport.abort()
        else:
            self._start()

    def data_received(self, data: bytes) -> None:
        # Between two requests the connection is idle; any byte begins a new one.
        idle = self.cycle is None or self.cycle.response_complete
        last = self.cycle if idle else None
        if idle and self._timer is None:
            self._start()
        super().data_received(data)
        if self.cycle is not last and not self.cycle.more_body:
            self._stop()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop()
        super().connection_lost(exc)

    def _start(self) -> None:
        self._timer = self.loop.call_later(self.seconds, self.transport.abort)

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def watched(protocol: Any, seconds: float, most: int) -> Any:
    """`protocol`, one of uvicorn's for HTTP, with all limits; see Watch, HalfClose, limits_for."""
    bases = (Watch, HalfClose, limits_for(protocol), protocol)
    return type("Watched", bases, {"seconds": seconds, "most": most})


def watch(seconds: float, most: int, on_refused: Callable[[int], None] | None = None) -> None:
    """Lets the next uvicorn server of this process keep these limits, and speak no WebSockets.

    Args:
        on_refused: told the status of each request that is refused before the app sees it.
    """
    allowed = _raise_file_limit(most + _OTHER_FILES) - _OTHER_FILES
    if allowed < most:
        LOG.warning(
            "Expected a limit of %d open files for serve.max_connections, got %d: at most %d "
            "connections are served at once; raise it by `ulimit -n` or lower that number.",
            most + _OTHER_FILES, allowed + _OTHER_FILES, allowed,
        )  # fmt: skip
    protocol = bentoml_adapter.default_protocol()
    chosen = watched(protocol, seconds + _GRACE_SECONDS, min(most, allowed))
    chosen.on_refused = staticmethod(on_refused) if on_refused is not None else None
    bentoml_adapter.install(chosen)


def check_file_limit() -> None:
    """Raises StackError where the system grants no files for connections at all."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard <= _OTHER_FILES:
        raise StackError(
            f"Expected a limit of more than {_OTHER_FILES} open files, so that the service can "
            f"accept connections, got {hard}. Raise it by `ulimit -n`."
        )


def _raise_file_limit(wanted: int) -> int:
    """Descriptors that this process may have now: `wanted`, or fewer where the system says so."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return wanted
    most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    return most
