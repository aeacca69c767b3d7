"""Time and memory of ingest and validate, from 10,000 documents to 1,000,000.

    python benchmarks/data/ingest_scale.py [--sizes 10000 30000] [--stages ingest] [--busy]
        [--scrubber identity]

The documents are distinct variants of BBC News articles (many_documents.py). Each stage runs as a
separate process tree, with patterns only (no persons) and without a cache of scrubbed texts
(scrub_cache.py measures the cache). Memory is the peak sum of the resident sizes of all processes,
sampled 20 times a second. `--scrubber identity` removes the scrubber. `--busy` records that other
work ran on the machine. Prints a table, writes benchmarks/data/ingest_scale.json with one entry per
scrubber, and draws docs/ingest_scale.png. Temporary files are under .newsloop/benchmarks.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil

sys.path.insert(0, str(Path(__file__).parents[2]))

from benchmarks.data import many_documents
from components import ingest, snapshot, validate
from components.core import tables
from components.core.paths import Paths

FOLDER = many_documents.PATHS.home / "benchmarks" / "ingest_scale"
FILE = FOLDER / "documents.jsonl"
RESULTS = Path(__file__).with_suffix(".json")
PLOT = many_documents.PATHS.root / "docs" / "ingest_scale.png"
SIZES = (10_000, 30_000, 100_000, 300_000, 1_000_000)
STAGES = ("ingest", "validate")
LIMIT_GIB = 2.0
LOOK_EVERY = 0.05  # seconds
GIB = 1 << 30


def stage(name: str, scrubber: str) -> None:
    """Runs one stage in this process."""
    params = many_documents.settings(FILE, remember="never")
    paths = Paths(FOLDER, FOLDER / "home")
    if name == "validate":
        validate.run(params, paths)
        return
    snapshot.run(params, paths)
    ingest.run(params, paths, many_documents.identity if scrubber == "identity" else None)


def resident(process: psutil.Process) -> int:
    """Returns the resident bytes of `process` and its children; shared pages count repeatedly."""
    total = 0
    try:
        tree = [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return 0
    for member in tree:
        try:
            total += member.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return total


def measured(name: str, scrubber: str) -> dict[str, float]:
    """Measures seconds and peak memory of one stage, from its start to its end."""
    command = [sys.executable, __file__, "--one", name, "--scrubber", scrubber]
    started = time.perf_counter()
    process = psutil.Popen(command)
    peak = 0
    try:
        while process.poll() is None:
            peak = max(peak, resident(process))
            time.sleep(LOOK_EVERY)
    finally:
        if process.poll() is None:
            process.kill()
    seconds = time.perf_counter() - started
    if process.returncode:
        raise SystemExit(f"{name} exited with {process.returncode}")
    return {"seconds": round(seconds, 2), "peak_gib": round(peak / GIB, 3)}


def draw(rows: Sequence[dict[str, Any]], stages: Sequence[str], scrubber: str) -> None:
    """Draws two panels: seconds and peak memory by number of documents."""
    known = {"patterns": "patterns, no persons", "identity": "without scrubbing"}[scrubber]
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
    sizes = [row["documents"] for row in rows]
    for name in stages:
        seconds = [row[name]["seconds"] for row in rows]
        left.loglog(sizes, seconds, marker="o", label=name)
        right.semilogx(sizes, [row[name]["peak_gib"] for row in rows], marker="o", label=name)
        line = [seconds[-1] * size / sizes[-1] for size in sizes]
        left.loglog(sizes, line, color="grey", linewidth=0.8, linestyle=":")
    left.set(xlabel="documents", ylabel="seconds", title=f"time, {known} (dotted: proportional)")
    right.set(xlabel="documents", ylabel="GiB", title="peak memory of all processes")
    right.set_ylim(0, LIMIT_GIB * 1.1)
    right.axhline(LIMIT_GIB, color="grey", linewidth=0.8, linestyle=":")
    for panel in (left, right):
        panel.grid(alpha=0.3)
        panel.legend()
    PLOT.parent.mkdir(exist_ok=True)
    figure.savefig(PLOT, dpi=90, metadata={"Software": None})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    parser.add_argument("--stages", choices=STAGES, nargs="+", default=STAGES)
    parser.add_argument("--scrubber", choices=["patterns", "identity"], default="patterns")
    parser.add_argument("--busy", action="store_true")
    parser.add_argument("--one", choices=STAGES, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        stage(arguments.one, arguments.scrubber)
        return
    machine = many_documents.machine() | {"busy": arguments.busy}
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    rows: list[dict[str, Any]] = []
    made = 0
    try:
        for size in sorted(arguments.sizes):
            many_documents.append(FILE, made, size)
            made = size
            row: dict[str, Any] = {"documents": size, "bytes": FILE.stat().st_size}
            for name in arguments.stages:
                row[name] = measured(name, arguments.scrubber)
                print(f"{size:>9} {name:<9}{row[name]['seconds']:>9.1f} s"
                      f"{row[name]['peak_gib']:>8.2f} GiB", flush=True)  # fmt: skip
            rows.append(row)
    finally:
        shutil.rmtree(FOLDER)
    results = tables.read_json(RESULTS) if RESULTS.exists() else {}
    results[arguments.scrubber] = {"machine": machine, "limit_gib": LIMIT_GIB, "sizes": rows}
    RESULTS.write_text(json.dumps(results, indent=2, sort_keys=True) + "\n")
    draw(rows, arguments.stages, arguments.scrubber)


if __name__ == "__main__":
    main()
