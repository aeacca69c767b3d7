"""Time limit for the arrival of a request, and limit of connections.

uvicorn limits only idle connections. The limit of concurrent requests counts complete requests, so
slow clients do not use it up, but each of them holds a connection.
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
_OTHER_FILES = 128  # descriptors besides connections: 31 with one model, more during a swap
_GRACE_SECONDS = 2  # after receive_seconds, in which the gateway answers a slow body with 408


class Watch(Base):
    """Mixin for uvicorn's protocols that limits the arrival time of a request, and connections.

    Attributes:
        seconds: seconds from the first byte (or the connection) to the last byte of a request.
        most: concurrent connections; a further one is closed at once.
    """

    seconds: float = 0
    most: int = 0
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        self.access_log = False  # saves uvicorn's log line for each answer, which is discarded
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
    """Adds all limits to one of uvicorn's HTTP protocols; see Watch, HalfClose, limits_for."""
    bases = (Watch, HalfClose, limits_for(protocol), protocol)
    return type("Watched", bases, {"seconds": seconds, "most": most})


def watch(seconds: float, most: int, on_refused: Callable[[int], None] | None = None) -> None:
    """Installs these limits for the next uvicorn server of this process, without WebSockets.

    Args:
        seconds: seconds for the arrival of a request, before the grace period.
        most: concurrent connections; fewer if the limit of open files is lower.
        on_refused: called with the status of each request that is refused before the app.
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
    """Raises StackError if the limit of open files leaves none for connections."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard <= _OTHER_FILES:
        raise StackError(
            f"Expected a limit of more than {_OTHER_FILES} open files, so that the service can "
            f"accept connections, got {hard}. Raise it by `ulimit -n`."
        )


def _raise_file_limit(needed: int) -> int:
    """Raises the limit of open files to `needed`, or to the hard limit; returns the new limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return needed
    limit = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
    return limit
