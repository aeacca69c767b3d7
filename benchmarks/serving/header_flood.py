"""Other clients' waiting times and the service's memory while 50 connections send endless headers.

    python benchmarks/serving/header_flood.py                        # some minutes
    python benchmarks/serving/header_flood.py --other ../before  # another version, too

A client asks for one article at a time (the default architecture, see
benchmarks/serving/service.py), first alone, then while 50 connections without a key flood the
service: a fifth each with a header, an address, many headers, a chunk extension and a trailer that
never end. A flood that is cut begins again at once. Memory is the largest resident set of the
process that answers, less that before. The clients share the processors with the service, so a
phase `busy` shows the waits beside a process that only computes. Prints a table and writes
benchmarks/serving/header_flood.json.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import selectors
import shutil
import socket
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

import numpy as np
import psutil

from benchmarks.serving import load, service, service_peers
from components.core import tables

PLACE = service.ROOT / ".newsloop" / "benchmarks" / "header_flood"
ATTACKERS = 50
MIB = 2**20
START_SECONDS = 2  # of the process that floods
HEAD = b"GET /livez HTTP/1.1\r\nHost: evil.example\r\n"
CHUNKED = (
    b"POST /classify HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n"
)
# The first bytes of a flood, and those that follow without end.
FLOODS = {
    "header": (HEAD + b"X-A: ", b"a" * 2**16),
    "address": (b"GET /livez?", b"a" * 2**16),
    "headers": (HEAD, b"X: a\r\n" * 10_000),
    "chunk extension": (CHUNKED + b"1;a=", b"a" * 2**16),
    "trailer": (CHUNKED + b"0\r\nX-A: ", b"a" * 2**16),
}


class Attack:
    """Flood of the service at `port` by ATTACKERS connections from one thread.

    Attributes:
        statuses: status -> number of floods that it ended; 0 for a cut without an answer.
        bytes_sent: bytes of all floods.
    """

    def __init__(self, port: int) -> None:
        self._port, self._kinds = port, list(FLOODS.values())
        self._selector = selectors.DefaultSelector()
        self.statuses: Counter[int] = Counter()
        self.bytes_sent = 0

    def run(self, seconds: float) -> None:
        ends = time.monotonic() + seconds
        for number in range(ATTACKERS):
            self._begin(number)
        while time.monotonic() < ends:
            for key, events in self._selector.select(0.1):
                assert isinstance(key.fileobj, socket.socket)
                self._go_on(key.fileobj, key.data, events)
        for key in list(self._selector.get_map().values()):
            assert isinstance(key.fileobj, socket.socket)
            key.fileobj.close()
        self._selector.close()

    def _begin(self, number: int) -> None:
        peer = socket.create_connection(("127.0.0.1", self._port), 60)
        with contextlib.suppress(ConnectionError):
            peer.sendall(self._kinds[number % len(self._kinds)][0])
        peer.setblocking(False)
        both = selectors.EVENT_READ | selectors.EVENT_WRITE
        self._selector.register(peer, both, [number, 0])

    def _go_on(self, peer: socket.socket, state: list[int], events: int) -> None:
        """Sends more on one connection, or reads its answer; `state` has its number and status."""
        try:
            if events & selectors.EVENT_READ:
                answer = peer.recv(65536)
                if not answer:
                    raise ConnectionResetError
                if answer.startswith(b"HTTP/1.1 "):
                    state[1] = int(answer[9:12])
            elif events & selectors.EVENT_WRITE:
                self.bytes_sent += peer.send(self._kinds[state[0] % len(self._kinds)][1])
        except BlockingIOError:
            pass
        except ConnectionError:
            self.statuses[state[1]] += 1
            self._selector.unregister(peer)
            peer.close()
            self._begin(state[0])


def attack(port: int, seconds: float) -> None:
    """Floods the service from the second process; prints the statuses."""
    flood = Attack(port)
    flood.run(seconds)
    print(json.dumps({"statuses": dict(flood.statuses), "mib_sent": flood.bytes_sent / MIB}))


class Waits(load.Endless):
    """Client that sends one article repeatedly without a pause."""

    def __init__(self, port: int) -> None:
        self.milliseconds: list[float] = []
        super().__init__(
            port, 1, load.articles()[:1], lambda _, waited: self.milliseconds.append(waited)
        )


def phase(port: int, worker: psutil.Process, seconds: float, beside: list[str]) -> dict[str, Any]:
    """Measures one client's waits and the service's memory while `beside` runs."""
    before = most = worker.memory_info().rss
    process = None
    if beside:
        process = subprocess.Popen(
            [sys.executable, *beside], stdout=subprocess.PIPE, text=True
        )  # fmt: skip
        time.sleep(START_SECONDS)
    waits, ends = Waits(port), time.monotonic() + seconds
    while time.monotonic() < ends:
        most = max(most, worker.memory_info().rss)
        time.sleep(0.02)
    failed = sum(waits.stop().values())
    row: dict[str, Any] = {
        "answers": len(waits.milliseconds), "failed": failed,
        "p50_ms": float(np.percentile(waits.milliseconds, 50)),
        "p99_ms": float(np.percentile(waits.milliseconds, 99)),
        "slowest_ms": max(waits.milliseconds), "more_mib": (most - before) / MIB,
    }  # fmt: skip
    if process is not None:
        output, _ = process.communicate(timeout=120)
        row |= json.loads(output)
    return row


def measure(started: service_peers.Started, port: int, seconds: float) -> list[dict[str, Any]]:
    """Measures a row for each phase of one service: alone, with a busy process, flooded."""
    busy = f"import time; ends = time.time() + {seconds + START_SECONDS}\n"
    busy += "while time.time() < ends: pass\nprint('{}')"
    beside = {
        "alone": [],
        "busy": ["-c", busy],
        "flood": [__file__, "--attack", str(seconds + START_SECONDS), "--port", str(port)],
    }
    with service.running("service", *started, port) as process:
        children = psutil.Process(process.pid).children(recursive=True)
        worker = max(children, key=lambda child: child.memory_info().rss)
        phase(port, worker, 2, [])  # warms up
        return [
            {"phase": name, **phase(port, worker, seconds, command)}
            for name, command in beside.items()
        ]


def show(rows: list[dict[str, Any]]) -> None:
    print(f"{'version':<8}{'round':>6}  {'phase':<9}{'answers':>8}{'p50 ms':>10}{'p99 ms':>10}"
          f"{'slowest':>9}{'MiB more':>9}  ended floods")  # fmt: skip
    for row in rows:
        statuses = ", ".join(f"{count} of {status}" for status, count in
                             row.get("statuses", {}).items())  # fmt: skip
        print(
            f"{row['version']:<8}{row['round']:>6}  {row['phase']:<9}{row['answers']:>8}"
            f"{row['p50_ms']:>10.2f}{row['p99_ms']:>10.2f}{row['slowest_ms']:>9.1f}"
            f"{row['more_mib']:>9.1f}  {statuses}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=8, help="of each phase")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--other", type=Path, help="another checkout, measured too")
    parser.add_argument("--port", type=int, default=3909)
    parser.add_argument("--attack", type=float, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.attack is not None:
        attack(chosen.port, chosen.attack)
        return
    names = service.two_bundles(PLACE)
    versions = {"now": service.ROOT}
    if chosen.other is not None:
        versions = {"other": chosen.other.resolve(), **versions}
    started = {
        version: service_peers.ours(
            code, PLACE / version, PLACE / names[0], PLACE / "keys", names[0], chosen.port
        )
        for version, code in versions.items()
    }
    rows, loads = [], [service.machine()]
    for number in range(chosen.rounds):
        for version, command in started.items():
            measured = measure(command, chosen.port, chosen.seconds)
            rows += [{"version": version, "round": number, **row} for row in measured]
        loads.append(service.machine())
    show(rows)
    result = {"machine": loads[0], "load_averages": [load_of["load_average"] for load_of in loads],
             "attackers": ATTACKERS, "rows": rows}  # fmt: skip
    tables.write_json(result, Path(__file__).with_suffix(".json"))
    shutil.rmtree(PLACE)


if __name__ == "__main__":
    main()
