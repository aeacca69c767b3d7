"""Slow connections are cut, quick ones are not; a real uvicorn server with both of its parsers."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from serving.http.connections import watched

SECONDS, MOST = 0.4, 4
GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n"


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Answers at once; a path /slow after longer than a request may take to arrive."""
    import asyncio

    while (await receive()).get("more_body", False):
        pass
    if scope["path"] == "/slow":
        await asyncio.sleep(2 * SECONDS)
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body"})


@pytest.fixture(params=[HttpToolsProtocol, H11Protocol])
def port(request: pytest.FixtureRequest) -> Iterator[int]:
    protocol = watched(request.param, SECONDS, MOST)
    config = uvicorn.Config(
        app, http=protocol, ws="none", lifespan="off", log_config=None, timeout_keep_alive=30
    )
    server = uvicorn.Server(config)
    listener = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=server.run, args=([listener],))
    thread.start()
    yield listener.getsockname()[1]
    server.should_exit = True
    thread.join()
    listener.close()


def cut_after(port: int, *pieces: bytes) -> float | None:
    """Seconds until the connection is closed that sends `pieces`, the last again and again."""
    started = time.monotonic()
    with socket.create_connection(("127.0.0.1", port), 10) as peer:
        peer.settimeout(0.05)
        for i in range(40):
            piece = pieces[min(i, len(pieces) - 1)]
            with contextlib.suppress(TimeoutError):
                try:
                    peer.sendall(piece)
                    if not peer.recv(1000):
                        return time.monotonic() - started
                except OSError as error:
                    if not isinstance(error, TimeoutError):
                        return time.monotonic() - started
    return None


@pytest.mark.parametrize(
    "pieces",
    [[b""], [b"GET / HTTP/1.1\r\n", b"a: b\r\n"], [b"\r\n"], [POST, b""],
     [GET, b"\r\n"], [GET, b"POST / HTTP/1.1\r\n", b"a: b\r\n"], [GET, POST, b""]],
)  # fmt: skip
def test_who_never_completes_a_request_is_cut(port: int, pieces: list[bytes]) -> None:
    seconds = cut_after(port, *pieces)
    assert seconds is not None
    if pieces[-1] == b"":  # what is no HTTP is cut at once
        assert seconds > SECONDS / 2


def test_who_is_quick_or_waits_for_a_slow_answer_is_not(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), 10) as peer:
        for request in (GET, GET.replace(b"/ ", b"/slow "), POST + b"1234", GET):
            peer.sendall(request)
            assert peer.recv(1000).startswith(b"HTTP/1.1 204")
            time.sleep(1.5 * SECONDS)  # an idle connection is uvicorn's business


def test_there_is_a_most_of_connections(port: int) -> None:
    with contextlib.ExitStack() as stack:
        peers = []
        for _ in range(MOST + 1):
            peers.append(stack.enter_context(socket.create_connection(("127.0.0.1", port), 10)))
            with contextlib.suppress(OSError):
                peers[-1].sendall(GET)
        answers = []
        for peer in peers:
            try:
                answers.append(peer.recv(1000)[:12])
            except ConnectionResetError:
                answers.append(b"")
    assert sorted(answers) == [b"", *[b"HTTP/1.1 204"] * MOST]
