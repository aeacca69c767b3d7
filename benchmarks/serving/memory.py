"""Resident memory of the service over many requests and model swaps: it should stay as it is.

    python benchmarks/serving/memory.py                               # 100,000 requests, 200 swaps
    python benchmarks/serving/memory.py --requests 2000 --swaps 5     # a look

Clients send articles without a pause, in batches of one, while two bundles of the default
architecture (benchmarks/serving/service.py) take turns. The old one is dropped at once
(`serve.keep_seconds: 0`), so each swap verifies, loads and warms a bundle: what it leaves behind
adds up. Growth is the mean of the last tenth of the samples against the mean of the second tenth;
the first tenth warms up. `answers` is the process that answers, `all` the whole tree with BentoML's
supervisor and the scrubber. Prints, and writes benchmarks/serving/memory.json and
benchmarks/serving/memory.svg.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

import numpy as np
import psutil

from benchmarks.serving import load, service
from components.core import tables
from components.core.ledger import Ledger
from serving.client import Client

PLACE = service.ROOT / ".newsloop" / "benchmarks" / "memory"
CLIENTS = 8
SAMPLES = 200  # of the memory, spread over the requests
ASKED = 0.05  # growth must stay below
PAST = datetime(2020, 1, 1, tzinfo=UTC)  # deployed then, no version is on probation
MIB = 2**20


def measure(folder: Path, names: list[str], port: int, requests: int, swaps: int) -> dict[str, Any]:
    """Measures one service from start to end; memory in MiB."""
    with (
        service.two_versions(folder, names, port, keep_seconds=0) as (ledger, pid, url),
        Client(url) as client,
    ):
        asked = load.Endless(port, CLIENTS, load.articles(), lambda *_: None)
        samples: list[tuple[int, float, float]] = []
        swapped = 0
        started = time.monotonic()
        while asked.done < requests or swapped < swaps:  # slow swaps make more requests
            if swapped < min(swaps, asked.done * swaps // requests + 1):
                _swap(ledger, client, 1 + (swapped + 1) % 2)  # version 1 serves at the start
                swapped += 1
            if asked.done >= len(samples) * requests / SAMPLES:
                samples.append((asked.done, *_resident(pid)))
            time.sleep(0.01)
        failed = sum(asked.stop().values())
        seconds = time.monotonic() - started
        samples.append((asked.done, *_resident(pid)))
    return {
        "requests": asked.done, "swaps": swapped, "failed": failed,
        "requests_per_second": asked.done / seconds,
        "growth_answers": growth([sample[1] for sample in samples]),
        "growth_all": growth([sample[2] for sample in samples]),
        "samples": [[done, round(a, 1), round(b, 1)] for done, a, b in samples],
    }  # fmt: skip


def growth(memory: list[float]) -> float:
    """Computes the mean of the last tenth over that of the second tenth, minus 1."""
    tenth = max(len(memory) // 10, 1)
    return float(np.mean(memory[-tenth:]) / np.mean(memory[tenth : 2 * tenth]) - 1)


def _swap(ledger: Ledger, client: Client, version: int) -> None:
    ledger.deploy(version, PAST, "a benchmark")
    while client.model().version != version:
        time.sleep(0.02)


def _resident(pid: int) -> tuple[float, float]:
    """Returns the MiB of the serving process, which is the largest, and of the whole tree."""
    tree = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    each = [process.memory_info().rss / MIB for process in tree]
    return max(each), sum(each)


def plot(result: dict[str, Any], file: Path) -> None:
    import matplotlib as mpl

    mpl.use("svg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(7, 3))
    done, answers, everything = zip(*result["samples"], strict=True)
    axes.plot(done, answers, label="the process that answers")
    axes.plot(done, everything, label="all processes")
    axes.set(xlabel="requests", ylabel="resident MiB", ylim=(0, None))
    axes.set_title(f"{result['swaps']} swaps meanwhile", fontsize=10)
    axes.legend()
    figure.tight_layout()
    figure.savefig(file)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--requests", type=int, default=100_000)
    parser.add_argument("--swaps", type=int, default=200)
    parser.add_argument("--port", type=int, default=3909)
    chosen = parser.parse_args()
    names = service.two_bundles(PLACE)
    result = measure(PLACE / "service", names, chosen.port, chosen.requests, chosen.swaps)
    for key, value in result.items():
        if key != "samples":
            print(f"{key}: {value:.4g}")
    print(
        f"asked: growth below {ASKED}; all: {'met' if result['growth_all'] < ASKED else 'missed'}"
    )
    tables.write_json({"machine": service.machine(), **result}, Path(__file__).with_suffix(".json"))
    plot(result, Path(__file__).with_suffix(".svg"))
    shutil.rmtree(PLACE)


if __name__ == "__main__":
    main()
