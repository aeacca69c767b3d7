"""How fast ingest is on one core, beside reading, hashing and parsing the same file.

    python benchmarks/ingest_speed.py [--scrubber identity] [--compression none] [--busy]

The peer reads a JSON Lines file, takes its SHA-256 and parses each line with orjson; nothing else.
Ours is the whole ingest stage on the same file: read, hash, parse, check, scrub by patterns (no
persons), and write Parquet; no cache, one process. Each runs in a process of its own, pinned to one
core, in turns. `--scrubber identity` takes the scrubber out: what is left is all the rest. `--busy`
writes down that other work ran beside it. Prints a table and writes benchmarks/ingest_speed.json,
one entry for each scrubber and compression.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

import many_documents
import orjson

from components import ingest, snapshot
from components.core import tables
from components.core.paths import Paths

FOLDER = many_documents.PATHS.home / "benchmarks" / "ingest_speed"
FILE = FOLDER / "documents.jsonl"
WARM = FOLDER / "warm.jsonl"
RESULTS = Path(__file__).with_suffix(".json")
DOCUMENTS = {"identity": 50_000, "patterns": 50_000}
ROUNDS = 5
GOAL = 0.5  # of the peer's speed
PEER, OURS = "peer", "ours"


def peer() -> float:
    """Seconds to read, hash and parse the file."""
    started = time.perf_counter()
    digest = hashlib.sha256()
    with FILE.open("rb") as lines:
        for line in lines:
            digest.update(line)
            orjson.loads(line)
    digest.hexdigest()
    return time.perf_counter() - started


def ours(scrubber: str, compression: str) -> float:
    """Seconds that the stage takes; a first run loads what is loaded once a process."""
    seconds = 0.0
    for file in (WARM, FILE):
        params = many_documents.settings(file, workers=1, remember="never", compression=compression)
        work = many_documents.identity
        if scrubber == "patterns":
            work = ingest.ScrubWork.of(params.ingest.scrub, b"key")  # type: ignore[assignment]
        paths = Paths(FOLDER, FOLDER / "home")
        snapshot.run(params, paths)
        started = time.perf_counter()
        ingest.run(params, paths, work)
        seconds = time.perf_counter() - started
    return seconds


def measured(name: str, arguments: argparse.Namespace) -> float:
    """Seconds of one round in a new process."""
    command = [sys.executable, __file__, "--one", name, "--scrubber", arguments.scrubber]
    command += ["--compression", arguments.compression]
    answer = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return float(answer)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scrubber", choices=["patterns", "identity"], default="patterns")
    parser.add_argument("--compression", choices=["zstd", "lz4", "none"], default="zstd")
    parser.add_argument("--documents", type=int)
    parser.add_argument("--busy", action="store_true")
    parser.add_argument("--one", choices=[PEER, OURS], help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        # One core for all threads: those of Polars and Arrow too.
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
        found = peer() if arguments.one == PEER else ours(arguments.scrubber, arguments.compression)
        print(found)
        return
    count = arguments.documents or DOCUMENTS[arguments.scrubber]
    before = many_documents.machine()
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    try:
        many_documents.append(FILE, 0, count)
        many_documents.append(WARM, count, count + 100)
        megabytes = FILE.stat().st_size / 1e6
        seconds: dict[str, list[float]] = {PEER: [], OURS: []}
        for _ in range(ROUNDS):
            for name, rounds in seconds.items():
                rounds.append(measured(name, arguments))
    finally:
        shutil.rmtree(FOLDER)
    median = {name: statistics.median(rounds) for name, rounds in seconds.items()}
    ratios = [a / b for a, b in zip(seconds[PEER], seconds[OURS], strict=True)]
    ratio = median[PEER] / median[OURS]
    print(f"{count} documents, {megabytes:.0f} MB, one core, median of {ROUNDS} rounds\n")
    for name, taken in median.items():
        print(f"{name:<6}{taken:>8.2f} s{1e6 * taken / count:>8.1f} us a document")
    print(
        f"\nspeed {ratio:.3f} of the peer's (rounds {min(ratios):.3f} to {max(ratios):.3f}), "
        f"goal {GOAL}: {'reached' if ratio >= GOAL else 'not reached'}"
    )
    results = tables.read_json(RESULTS) if RESULTS.exists() else {}
    results[f"{arguments.scrubber}, {arguments.compression}"] = {
        "machine": before | {"busy": arguments.busy},
        "documents": count,
        "megabytes": round(megabytes, 1),
        "microseconds_a_document": {
            name: round(1e6 * taken / count, 2) for name, taken in median.items()
        },
        "ratio": round(ratio, 3),
        "ratio_by_round": [round(value, 3) for value in ratios],
        "goal": GOAL,
    }
    RESULTS.write_text(json.dumps(results, indent=2, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
