"""Bytes of a request that are no body are limited: uvicorn bounds none of them.

httptools joins the pieces of an unfinished header again and again, and keeps all headers before
anybody sees one. So each class here stands before one of uvicorn's protocols, hands it small pieces
and counts what they held beside the body: request line, headers, chunk sizes and extensions,
trailers. Beyond a limit the client gets 431 and the connection is closed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from serving.bentoml_adapter import H11Protocol
from serving.http.half_close import answers_due

if TYPE_CHECKING:
    from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol as Base
else:
    Base = object

MOST_BYTES = 64 * 1024  # of one request, beside its body
MOST_HEADERS = 100  # of one request, with its trailers
# A chunk of one byte has five bytes around it, more where its size is written with leading zeros.
BYTES_A_BODY_BYTE = 16
_PIECE = 16 * 1024  # handed on at once; event loops read up to 256 KiB
_BODY = (
    b'{"error":"Expected at most %d bytes beside the body and at most %d headers; '
    b'send less of them."}' % (MOST_BYTES, MOST_HEADERS)
)
_ANSWER = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-type: application/json\r\n"
    b"connection: close\r\ncontent-length: %d\r\n\r\n%s" % (len(_BODY), _BODY)
)


class Refusing(Base):
    """The way out, for both protocols.

    Attributes:
        on_refused: told the status of each answer that is given here.
        linger_seconds: until the connection is closed. A socket that is closed over unread bytes
            is reset, and the client may never see its answer.
    """

    on_refused: Callable[[int], None] | None = None
    linger_seconds: float = 1
    _refused = False
    _beside_body = 0  # bytes of the request that is arriving

    def _count(self, piece: bytes, body: int) -> bool:
        """Adds `piece`, which holds so many bytes of body; True beyond the limit.

        A byte of body takes BYTES_A_BODY_BYTE off, so that a body may come in chunks of any size,
        but no chunk brings long extensions again and again.
        """
        count = self._beside_body + len(piece) - (1 + BYTES_A_BODY_BYTE) * body
        self._beside_body = max(count, 0)
        return count > MOST_BYTES

    def _refuse(self) -> None:
        """Answers 431 in place of the request that is arriving."""
        self._refused = True
        if self.on_refused is not None:
            self.on_refused(431)
        cycle = self.cycle
        self.headers, self.scope = [], {}  # type: ignore[typeddict-item]  # frees what was sent
        if cycle is not None and not cycle.response_complete:
            cycle.disconnected = True  # what the app answers from now on goes nowhere
            cycle.message_event.set()
            if cycle.response_started:
                self.transport.abort()
                return
        self.transport.write(_ANSWER)
        self.flow.pause_reading()  # a flood costs nothing while it waits
        self.loop.call_later(self.linger_seconds, self.transport.abort)


class HttpToolsLimits(Refusing):
    """Before uvicorn's HttpToolsProtocol. The count of bytes starts anew with each request; bytes
    of a request that share a piece with the end of the one before are not counted.
    """

    _body = 0  # bytes within the piece that is being parsed
    _request_ended = False  # a request, within that piece

    def data_received(self, data: bytes) -> None:
        start = 0
        while start < len(data) and not self._refused and not self.transport.is_closing():
            piece = data[start : start + min(_PIECE, MOST_BYTES + 1 - self._beside_body)]
            start += len(piece)
            self._body, self._request_ended = 0, False
            super().data_received(piece)
            if self._request_ended:
                self._beside_body = 0
            elif self._count(piece, self._body) or (
                self.headers and len(self.headers) > MOST_HEADERS
            ):
                self._refused = True
            if self._refused and not answers_due(self):  # else see on_response_complete
                self._refuse()

    def on_headers_complete(self) -> None:
        if len(self.headers) > MOST_HEADERS:
            self._refused = True
            raise ValueError("too many headers")  # stops the parser before the app is asked
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._body += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._request_ended = True
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        if not self._refused:  # else it was this class that stopped the parser
            super().send_400_response(msg)

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self._refused and not answers_due(self) and not self.transport.is_closing():
            self._refuse()


class H11Limits(Refusing):
    """Before uvicorn's H11Protocol. h11 itself answers 400 to a line, and to a block of headers or
    trailers, of more than 16 KiB that is not complete. Complete headers are looked at here, and
    the sum of what stands around the chunks of a body.
    """

    def data_received(self, data: bytes) -> None:
        for start in range(0, len(data), _PIECE):
            if self._refused or self.transport.is_closing():
                return
            piece, cycle = data[start : start + _PIECE], self.cycle
            before = len(cycle.body) if cycle is not None else 0
            super().data_received(piece)
            arriving = cycle is not None and cycle.more_body and not cycle.response_complete
            if not arriving or self.cycle is not cycle:
                self._beside_body = 0
            elif self._count(piece, len(cycle.body) - before) and not self._refused:
                self._refuse()

    def handle_events(self) -> None:
        super().handle_events()  # type: ignore[misc]
        if self.headers and not self._refused:
            size = len(self.scope["raw_path"]) + len(self.scope["query_string"])
            size += sum(len(name) + len(value) for name, value in self.headers)
            if len(self.headers) > MOST_HEADERS or size > MOST_BYTES:
                self._refuse()


def limits_for(protocol: type) -> type[Refusing]:
    """The class that goes before `protocol`, one of uvicorn's."""
    return H11Limits if issubclass(protocol, H11Protocol) else HttpToolsLimits
