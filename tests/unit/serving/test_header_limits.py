"""Limits on bytes beside the body; a real uvicorn server with both of its parsers."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from serving.http.connections import watched
from serving.http.header_limits import MOST_BYTES, MOST_HEADERS

H11_BYTES = 16 * 1024  # h11 itself stops here while a header is incomplete
GET = b"GET /%d HTTP/1.1\r\nHost: a\r\n"
CHUNKED = b"POST /%d HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
LONG = b"X-A: " + b"a" * (H11_BYTES // 2) + b"\r\n"
MANY = b"".join(b"X-%d: a\r\n" % i for i in range(MOST_HEADERS))
REFUSED = Counter[int]()


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Answers the request's path and the length of its body."""
    length, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        length, more = length + len(message["body"]), message.get("more_body", False)
    body = f"{scope['path']} {length};".encode()
    headers = [(b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


@pytest.fixture(scope="module", params=[HttpToolsProtocol, H11Protocol], ids=["httptools", "h11"])
def server(request: pytest.FixtureRequest) -> Iterator[tuple[type, int]]:
    protocol = watched(request.param, 20, 100)
    protocol.on_refused = staticmethod(lambda status: REFUSED.update([status]))
    protocol.linger_seconds = 0.2
    config = uvicorn.Config(app, http=protocol, ws="none", lifespan="off", log_config=None)
    uvicorn_server = uvicorn.Server(config)
    listener = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=uvicorn_server.run, args=([listener],))
    thread.start()
    yield request.param, listener.getsockname()[1]
    uvicorn_server.should_exit = True
    thread.join()
    listener.close()


def exchange(port: int, *pieces: bytes, half_close: bool = False) -> bytes:
    """All that comes back until the server closes the connection."""
    answer = b""
    with socket.create_connection(("127.0.0.1", port), 10) as peer:
        with contextlib.suppress(ConnectionError):  # the server may have closed already
            for piece in pieces:
                peer.sendall(piece)
            if half_close:
                peer.shutdown(socket.SHUT_WR)
        with contextlib.suppress(ConnectionError):
            while part := peer.recv(65536):
                answer += part
    return answer


def statuses(answer: bytes) -> list[int]:
    return [int(part[:3]) for part in answer.split(b"HTTP/1.1 ")[1:]]


ENDLESS = {
    "header": [GET % 1 + b"X-A: ", b"a" * 4 * MOST_BYTES],
    "header in small pieces": [GET % 1 + b"X-A: ", *[b"a" * 1000] * 80],
    "complete header": [GET % 1 + b"X-A: " + b"a" * MOST_BYTES + b"\r\n\r\n"],
    "address": [b"GET /", b"a" * 4 * MOST_BYTES],
    "method": [b"A" * 4 * MOST_BYTES],
    "empty lines": [b"\r\n" * 4 * MOST_BYTES],
    "headers": [GET % 1, b"X: a\r\n" * MOST_BYTES],
    "101 headers": [GET % 1 + MANY + b"\r\n"],
    "101 headers later": [GET % 1 + b"\r\n" + GET % 2 + MANY + b"\r\n"],
    "a long header later": [GET % 1 + b"\r\n" + GET % 2 + b"X-A: ", b"a" * 4 * MOST_BYTES],
    "extension": [CHUNKED % 1 + b"1;a=", b"a" * 4 * MOST_BYTES],
    "extensions": [CHUNKED % 1, (b"1;a=" + b"a" * 4000 + b"\r\nx\r\n") * 64],
    "trailer": [CHUNKED % 1 + b"0\r\nX-A: ", b"a" * 4 * MOST_BYTES],
    "trailers": [CHUNKED % 1 + b"0\r\n", b"X: a\r\n" * MOST_BYTES],
}


@pytest.mark.parametrize("kind", ENDLESS)
def test_what_is_no_body_is_limited(server: tuple[type, int], kind: str) -> None:
    protocol, port = server
    before = REFUSED.total()
    found = statuses(exchange(port, *ENDLESS[kind]))
    if protocol is HttpToolsProtocol and kind != "method":
        assert found == ([200, 431] if "later" in kind else [431])
        assert REFUSED.total() == before + 1
    elif kind in ("extensions", "101 headers"):
        assert found == [431]
    else:  # uvicorn answers 400, and closes over unread bytes, which may lose the answer
        assert set(found) <= {200, 400, 431}
        assert found[-1:] != [200] or "later" in kind


def test_the_answer_says_what_was_expected(server: tuple[type, int]) -> None:
    answer = exchange(server[1], GET % 1 + MANY + b"\r\n")
    assert answer.startswith(b"HTTP/1.1 431 Request Header Fields Too Large\r\n")
    assert b"\r\nconnection: close\r\n" in answer
    assert answer.endswith(b'at most 65536 bytes beside the body and at most 100 headers; '
                           b'send less of them."}')  # fmt: skip


def test_the_count_starts_anew_with_each_request(server: tuple[type, int]) -> None:
    requests = [GET % i + LONG + MANY[: len(MANY) // 2 + 1].rpartition(b"X")[0] + b"\r\n"
                for i in range(20)]  # fmt: skip
    requests.append(GET % 20 + b"Connection: close\r\n\r\n")
    expected = [b"/%d 0;" % i for i in range(21)]
    answer = exchange(server[1], b"".join(requests))  # pipelined
    assert statuses(answer) == [200] * 21
    assert [part.rpartition(b"\r\n")[2] for part in answer.split(b"HTTP/1.1 ")[1:]] == expected


def test_a_header_just_below_the_limit_is_taken(server: tuple[type, int]) -> None:
    protocol, port = server
    most = MOST_BYTES if protocol is HttpToolsProtocol else H11_BYTES
    head = GET % 1 + b"Connection: close\r\nX-A: "
    for size, expected in ((most - 1, [200]), (MOST_BYTES + 1000, [431])):
        request = head + b"a" * (size - len(head) - 4) + b"\r\n\r\n"
        found = statuses(exchange(port, request[:10], request[10:]))
        assert found == expected or (protocol is H11Protocol and size > most and found != [200])


@pytest.mark.parametrize("size", [1, 7, 1000, 100_000])
def test_a_body_may_come_in_chunks_of_any_size(server: tuple[type, int], size: int) -> None:
    count = 200_000 // size
    chunk = b"%08x\r\n%s\r\n" % (size, b"x" * size)
    head = (CHUNKED % 1).replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
    answer = exchange(server[1], head, chunk * count + b"0\r\nX-Sum: a\r\n\r\n")
    assert answer.endswith(b"/1 %d;" % (count * size))


def test_a_client_that_closes_its_half_gets_its_answers(server: tuple[type, int]) -> None:
    body = b"POST /3 HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"
    requests = [GET % 1 + b"\r\n", GET % 2 + b"\r\n", body]
    for count in (1, 2, 3):
        answer = exchange(server[1], *requests[:count], half_close=True)
        assert statuses(answer) == [200] * count
    assert answer.endswith(b"/3 5;")
    # What is incomplete is over at once, as is a connection without a request.
    assert exchange(server[1], body[:-1], half_close=True) == b""
    assert exchange(server[1], half_close=True) == b""
