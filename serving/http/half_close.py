"""A client that closes its sending half after a request (`shutdown(SHUT_WR)`) gets its answer.

uvicorn lets asyncio close the whole connection then, and drops the answer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol as Base
else:
    Base = object


def answers_due(protocol: Base) -> bool:
    """Requests that arrived whole have no answer yet.

    A request whose body is incomplete is none of them: the rest of it may never come.
    """
    cycle = protocol.cycle
    return cycle is not None and not cycle.response_complete and not cycle.more_body


class HalfClose(Base):
    """Before one of uvicorn's protocols: the connection stays until all answers are given."""

    _half_closed = False

    def eof_received(self) -> bool:  # type: ignore[override]
        self._half_closed = True
        return answers_due(self)

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self._half_closed and not answers_due(self):
            self.transport.close()
