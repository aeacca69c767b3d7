"""Limits for the bytes of a request outside of its body, which uvicorn does not limit.

httptools joins the pieces of an unfinished header repeatedly, and collects all headers before the
app sees one. So each mixin here precedes one of uvicorn's protocols, passes small pieces on, and
counts their bytes outside of the body: request line, headers, chunk sizes and extensions, trailers.
Beyond a limit the client gets 431, and the connection is closed.
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

MOST_BYTES = 64 * 1024  # bytes of one request outside of its body
MOST_HEADERS = 100  # headers and trailers of one request
# A chunk of one byte has five bytes around it, more if its size has leading zeros.
BYTES_A_BODY_BYTE = 16
_PIECE = 16 * 1024  # bytes passed on at a time; event loops read up to 256 KiB
_BODY = (
    b'{"error":"Expected at most %d bytes beside the body and at most %d headers; '
    b'send less of them."}' % (MOST_BYTES, MOST_HEADERS)
)
_ANSWER = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-type: application/json\r\n"
    b"connection: close\r\ncontent-length: %d\r\n\r\n%s" % (len(_BODY), _BODY)
)


class Refusing(Base):
    """Refusal with 431, for both protocols.

    Attributes:
        on_refused: called with the status of each refusal.
        linger_seconds: seconds until the connection is closed. Closing a socket with unread bytes
            resets the connection, and the client may lose the answer.
    """

    on_refused: Callable[[int], None] | None = None
    linger_seconds: float = 1
    _refused = False
    _beside_body = 0  # bytes of the request that is arriving

    def _count(self, piece: bytes, body: int) -> bool:
        """Counts the bytes of `piece` outside of the body; returns True beyond the limit.

        Each byte of body subtracts BYTES_A_BODY_BYTE from the count, so that a body may have chunks
        of any size, but not long extensions in every chunk.

        Args:
            piece: bytes of the request.
            body: number of bytes of body in `piece`.
        """
        count = self._beside_body + len(piece) - (1 + BYTES_A_BODY_BYTE) * body
        self._beside_body = max(count, 0)
        return count > MOST_BYTES

    def _refuse(self) -> None:
        """Answers the arriving request with 431."""
        self._refused = True
        if self.on_refused is not None:
            self.on_refused(431)
        cycle = self.cycle
        self.headers, self.scope = [], {}  # type: ignore[typeddict-item]  # frees the headers
        if cycle is not None and not cycle.response_complete:
            cycle.disconnected = True  # discards the app's answer
            cycle.message_event.set()
            if cycle.response_started:
                self.transport.abort()
                return
        self.transport.write(_ANSWER)
        self.flow.pause_reading()  # no more work for a flood until the connection closes
        self.loop.call_later(self.linger_seconds, self.transport.abort)


class HttpToolsLimits(Refusing):
    """Mixin for uvicorn's HttpToolsProtocol.

    The count restarts with each request. Bytes of a request in the same piece as the end of the
    previous request are not counted.
    """

    _body = 0  # bytes of body in the piece that is being parsed
    _request_ended = False  # True if a request ended in that piece

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
            if self._refused and not answers_due(self):  # else on_response_complete refuses
                self._refuse()

    def on_headers_complete(self) -> None:
        if len(self.headers) > MOST_HEADERS:
            self._refused = True
            raise ValueError("too many headers")  # stops the parser before the app is called
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._body += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._request_ended = True
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        if not self._refused:  # else this class stopped the parser and answers 431
            super().send_400_response(msg)

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self._refused and not answers_due(self) and not self.transport.is_closing():
            self._refuse()


class H11Limits(Refusing):
    """Mixin for uvicorn's H11Protocol.

    h11 itself answers 400 to an incomplete line, or block of headers or trailers, above 16 KiB.
    This class checks complete headers, and the sum of the bytes around the chunks of a body.
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
    """Returns the mixin for one of uvicorn's protocols."""
    return H11Limits if issubclass(protocol, H11Protocol) else HttpToolsLimits
