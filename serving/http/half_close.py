"""Answers for clients that close their sending half after a request (`shutdown(SHUT_WR)`).

By default uvicorn lets asyncio close the whole connection, and the answer is lost.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol as Base
else:
    Base = object


def answers_due(protocol: Base) -> bool:
    """Returns True if a request that arrived completely has no answer yet.

    An incomplete request does not count: its rest may never arrive.
    """
    cycle = protocol.cycle
    return cycle is not None and not cycle.response_complete and not cycle.more_body


class HalfClose(Base):
    """Mixin for uvicorn's protocols: keeps a half-closed connection until all answers are sent."""

    _half_closed = False

    def eof_received(self) -> bool:  # type: ignore[override]
        self._half_closed = True
        return answers_due(self)

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self._half_closed and not answers_due(self):
            self.transport.close()
