"""Model swaps under load: failed requests, mixed answers, waiting times, memory.

    python benchmarks/serving/swaps.py                        # 200 swaps, some minutes
    python benchmarks/serving/swaps.py --swaps 4 --seconds 2  # a look

First SECONDS of load without a swap, then the same load while two bundles of the default
architecture (benchmarks/serving/service.py) take turns, the old one being kept in memory; then
again with `serve.keep_seconds: 0`, where each swap verifies, loads and warms a bundle. Each model
says another confidence of the same article, so an answer that mixes two shows. Memory is the
resident set of the process that answers, after the first tenth of the swaps and at the end. Prints
a table and writes benchmarks/serving/swaps.json.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

import numpy as np
import psutil

from benchmarks.serving import load, service
from components.core import tables

PLACE = service.ROOT / ".newsloop" / "benchmarks" / "swaps"
CLIENTS = 8
SAME = 1e-4  # a model's sums depend a little on who is computed with whom
PATIENCE = 60  # seconds that a swap may take


class Load(load.Endless):
    """Clients that send one article repeatedly without a pause until `stop`."""

    def __init__(self, port: int) -> None:
        self.answers: list[tuple[str, float, float]] = []  # model, confidence, milliseconds
        super().__init__(port, CLIENTS, load.articles()[:1], self._keep)

    def _keep(self, body: bytes, waited: float) -> None:
        answer = json.loads(body)
        self.answers.append((answer["model"], answer["predictions"][0]["confidence"], waited))


def measure(folder: Path, names: list[str], port: int, swaps: int, seconds: float, keep: float) \
        -> dict[str, Any]:  # fmt: skip
    """Measures one service under load, without swaps and with them."""
    with service.two_versions(folder, names, port, keep) as (ledger, pid, _):
        calm = Load(port)
        time.sleep(seconds)
        failed = sum(calm.stop().values())
        children = psutil.Process(pid).children(recursive=True)
        worker = max(children, key=lambda child: child.memory_info().rss)
        busy, memory, took = Load(port), [], []
        for i in range(swaps):
            # The past keeps it off probation, whose rows are not what is measured here.
            ledger.deploy(1 + i % 2, datetime(2020, 1, 1, tzinfo=UTC), f"swap {i}")
            tag, started = f"newsloop@v{1 + i % 2}.0.0", time.perf_counter()
            _until(lambda tag=tag: bool(busy.answers) and busy.answers[-1][0].startswith(tag))  # type: ignore[misc]
            took.append(time.perf_counter() - started)
            memory.append(worker.memory_info().rss / 2**20)
        failed += sum(busy.stop().values())
    confidences = {
        model: {c for m, c, _ in busy.answers if m == model} for model, _, _ in busy.answers
    }
    return {
        "keep_seconds": keep, "swaps": swaps, "answers": len(busy.answers),
        "failed": failed, "models": len(confidences),
        "mixed": sum(max(values) - min(values) > SAME for values in confidences.values()),
        "p99_ms_without": _p99(calm), "p99_ms_with": _p99(busy),
        "swap_seconds_median": float(np.median(took)),
        "memory_mib_early": memory[len(memory) // 10], "memory_mib_end": memory[-1],
    }  # fmt: skip


def _p99(asked: Load) -> float:
    return float(np.percentile([waited for _, _, waited in asked.answers], 99))


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit(f"Expected a swap within {PATIENCE} s, see {PLACE}.")
        time.sleep(0.002)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--swaps", type=int, default=200)
    parser.add_argument("--loading", type=int, default=40, help="swaps that load a bundle")
    parser.add_argument("--seconds", type=float, default=15, help="of load without swaps")
    parser.add_argument("--port", type=int, default=3908)
    chosen = parser.parse_args()
    names = service.two_bundles(PLACE)
    rows = [
        measure(PLACE / f"keep-{keep}", names, chosen.port, swaps, chosen.seconds, keep)
        for keep, swaps in ((600, chosen.swaps), (0, chosen.loading))
    ]
    for row in rows:
        print(", ".join(f"{key} {value:.4g}" for key, value in row.items()))
    tables.write_json(
        {"machine": service.machine(), "rows": rows}, Path(__file__).with_suffix(".json")
    )
    shutil.rmtree(PLACE)


if __name__ == "__main__":
    main()
