"""Seconds of `dvc status`, once in a process of its own each, once in one process for all.

    python benchmarks/operations/dvc_process.py

By turns, in this checkout; the result is the median. A learning run asks DVC some ten times.
Prints a table and writes benchmarks/operations/dvc_process.json.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from components.core.paths import Paths
from flows.dvc import pipeline, process

ROOT = Path(__file__).parents[2]
COMMANDS, ROUNDS = 5, 3


def seconds(paths: Paths, commands: int) -> list[float]:
    """Measures the seconds of each of several commands."""
    times = []
    for _ in range(commands):
        started = time.perf_counter()
        process.ask(paths, "status", "--json", *pipeline.stages(paths))
        times.append(time.perf_counter() - started)
    return times


def main() -> None:
    paths = Paths.find(ROOT)
    alone: list[float] = []
    first: list[float] = []
    later: list[float] = []
    for _ in range(ROUNDS):
        alone += seconds(paths, COMMANDS)
        with process.kept(paths):
            first += seconds(paths, 1)
            later += seconds(paths, COMMANDS)
    result = {
        "a process for each command": statistics.median(alone),
        "one process, first command": statistics.median(first),
        "one process, later commands": statistics.median(later),
    }
    for name, value in result.items():
        print(f"{name:<30}{value:6.2f} s")
    Path(__file__).with_suffix(".json").write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
