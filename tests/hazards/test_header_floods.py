"""Endless headers, addresses, chunk extensions and trailers against the real service.

It runs under `ulimit -n 256`, with the settings of params.yaml and no key.
"""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import threading
import time
from collections.abc import Iterator

import psutil
import pytest

from benchmarks.serving.header_flood import ATTACKERS, CHUNKED, FLOODS, Attack
from components.core import params as parameters
from serving.http.header_limits import MOST_BYTES
from serving.server import command
from tests.served import Project

FILES = 256
MEGABYTE = 2**20
BODY = json.dumps({"texts": ["a film", "a match"]}).encode()
CLASSIFY = b"POST /classify HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"


def limited(files: int) -> list[str]:
    """The start of a command line whose process may open so many files."""
    return ["bash", "-c", f'ulimit -n {files}; exec "$@"', "bash"]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    project = Project(tmp_path_factory.mktemp("project"), prefix=limited(FILES))
    yield project
    project.stop()
    project.ledger.close()


def worker(service: Project) -> psutil.Process:
    """The process that answers."""
    children = psutil.Process(service.process.pid).children()
    return max(children, key=lambda child: child.memory_info().rss)


def exchange(service: Project, *pieces: bytes, half_close: bool = False) -> bytes:
    """All that comes back until the service closes the connection."""
    answer = b""
    with socket.create_connection(("127.0.0.1", service.port), 30) as peer:
        with contextlib.suppress(ConnectionError):
            for piece in pieces:
                peer.sendall(piece)
            if half_close:
                peer.shutdown(socket.SHUT_WR)
        with contextlib.suppress(ConnectionError):
            while part := peer.recv(65536):
                answer += part
    return answer


@pytest.mark.parametrize("kind", FLOODS)
def test_a_flood_gets_431_and_is_cut(service: Project, kind: str) -> None:
    first, again = FLOODS[kind]
    answer = exchange(service, first, again, again)
    assert answer.startswith(b"HTTP/1.1 431 "), answer
    assert b"connection: close" in answer
    assert answer.endswith(b'send less of them."}')


def test_what_is_below_the_limits_is_answered(service: Project) -> None:
    long = b"X-A: " + b"a" * (MOST_BYTES - 500) + b"\r\n"
    end = b"Content-Length: %d\r\n\r\n%s" % (len(BODY), BODY)
    requests = [CLASSIFY + long + end] * 3 + [CLASSIFY + b"Connection: close\r\n" + end]
    assert exchange(service, b"".join(requests)).count(b"HTTP/1.1 200 ") == 4  # pipelined
    words = json.dumps({"texts": ["film " * 300] * 8}).encode()
    small = b"".join(b"1\r\n%c\r\n" % byte for byte in words)
    chunked = CHUNKED.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
    answer = exchange(service, chunked + small + b"0\r\n\r\n")
    assert len(small) > MOST_BYTES
    assert answer.startswith(b"HTTP/1.1 200 ")
    large = b" " * (MEGABYTE - 1000) + words[:900]  # not JSON, but of a size that is read
    closing = b"Connection: close\r\nContent-Length: %d\r\n\r\n%s" % (len(large), large)
    assert exchange(service, CLASSIFY + closing).startswith(b"HTTP/1.1 400 ")


def test_a_client_that_closes_its_half_gets_its_answer(service: Project) -> None:
    end = b"Content-Length: %d\r\n\r\n%s" % (len(BODY), BODY)
    answer = exchange(service, CLASSIFY + end, half_close=True)
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert b'"predictions"' in answer


def test_fifty_floods_neither_stop_others_nor_take_memory(service: Project) -> None:
    process = worker(service)
    service.client.classify(["a film"])
    before = process.memory_info().rss
    flood = Attack(service.port)
    thread = threading.Thread(target=flood.run, args=(3,))
    thread.start()
    waits, most = [], before
    while thread.is_alive():
        started = time.monotonic()
        assert len(service.client.classify(["a film"]).predictions) == 1
        waits.append(time.monotonic() - started)
        most = max(most, process.memory_info().rss)
        time.sleep(0.02)
    assert max(waits) < 2
    assert most - before < 20 * MEGABYTE
    assert flood.statuses[431] >= ATTACKERS
    assert set(flood.statuses) == {431}
    lines = service.http.get("/metrics").text.splitlines()
    refused = next(
        line for line in lines if line.startswith('newsloop_refused_total{status="431"}')
    )
    assert int(float(refused.split()[1])) >= ATTACKERS


def test_few_files_are_named_in_the_log(service: Project) -> None:
    log = service.log.read_text(errors="replace")
    assert f"open files for serve.max_connections, got {FILES}: at most" in log


def test_too_few_files_end_the_start_with_one_sentence(service: Project) -> None:
    argv, environment = command(parameters.load(service.paths.params), service.paths)
    environment["BENTOML_HOME"] = str(service.paths.home / "other_bentoml")
    done = subprocess.run(
        [*limited(128), *argv], env=environment, capture_output=True, text=True, timeout=120,
        check=False,
    )  # fmt: skip
    assert done.returncode != 0
    assert "Expected a limit of more than 128 open files" in done.stderr + done.stdout
    assert "`ulimit -n`" in done.stderr + done.stdout
