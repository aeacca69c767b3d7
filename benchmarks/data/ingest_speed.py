"""Speed of ingest on one core, against reading, hashing and parsing the same file.

    python benchmarks/data/ingest_speed.py [--scrubber identity] [--compression none] [--busy]

The peer reads a JSON Lines file, takes its SHA-256 and parses each line with orjson; nothing else.
Ours is the whole ingest stage on the same file: read, hash, parse, check, scrub by patterns (no
persons), and write Parquet, without a cache, in one process. The two run in turns, each in a
separate process pinned to one core. The result is wall time; processor time is measured too,
because other work disturbs it less. `--scrubber identity` removes the scrubber and measures the
rest. `--busy` records that other work ran on the machine. Prints a table and writes
benchmarks/data/ingest_speed.json, one entry for each scrubber and compression.
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

import orjson

sys.path.insert(0, str(Path(__file__).parents[2]))

from benchmarks.data import many_documents
from components import ingest, snapshot
from components.core import tables
from components.core.paths import Paths

FOLDER = many_documents.PATHS.home / "benchmarks" / "ingest_speed"
FILE = FOLDER / "documents.jsonl"
TABLE = Paths(FOLDER, FOLDER / "home").ingested / "documents.parquet"
WARM = FOLDER / "warm.jsonl"
RESULTS = Path(__file__).with_suffix(".json")
DOCUMENTS = {"identity": 50_000, "patterns": 50_000}
ROUNDS = 5
GOAL = 0.5  # of the peer's speed
PEER, OURS = "peer", "ours"


Clock = tuple[float, float]  # seconds by the wall, seconds of the processor


def now() -> Clock:
    return time.perf_counter(), time.process_time()


def since(started: Clock) -> Clock:
    wall, processor = now()
    return wall - started[0], processor - started[1]


def peer() -> Clock:
    """Measures reading, hashing and parsing of the file."""
    started = now()
    digest = hashlib.sha256()
    with FILE.open("rb") as lines:
        for line in lines:
            digest.update(line)
            orjson.loads(line)
    digest.hexdigest()
    return since(started)


def ours(scrubber: str, compression: str) -> Clock:
    """Measures the stage; an unmeasured first run loads libraries."""
    taken = (0.0, 0.0)
    for file in (WARM, FILE):
        params = many_documents.settings(file, workers=1, remember="never", compression=compression)
        work = many_documents.identity
        if scrubber == "patterns":
            work = ingest.ScrubWork.of(params.ingest.scrub, b"key")  # type: ignore[assignment]
        paths = Paths(FOLDER, FOLDER / "home")
        snapshot.run(params, paths)
        started = now()
        ingest.run(params, paths, work)
        taken = since(started)
    return taken


def measured(name: str, arguments: argparse.Namespace) -> tuple[Clock, int]:
    """Runs one round in a new process; returns its times and the bytes of the written table."""
    command = [sys.executable, __file__, "--one", name, "--scrubber", arguments.scrubber]
    command += ["--compression", arguments.compression]
    answer = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    wall, processor, size = answer.split()
    return (float(wall), float(processor)), int(size)


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
        result = (
            peer() if arguments.one == PEER else ours(arguments.scrubber, arguments.compression)
        )
        print(*result, TABLE.stat().st_size if TABLE.exists() else 0)
        return
    count = arguments.documents or DOCUMENTS[arguments.scrubber]
    before = many_documents.machine()
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    try:
        many_documents.append(FILE, 0, count)
        many_documents.append(WARM, count, count + 100)
        megabytes = FILE.stat().st_size / 1e6
        rounds: dict[str, list[Clock]] = {PEER: [], OURS: []}
        for _ in range(ROUNDS):
            for name, taken in rounds.items():
                clock, size = measured(name, arguments)
                taken.append(clock)
    finally:
        shutil.rmtree(FOLDER)
    result = {}
    print(f"{count} documents, {megabytes:.0f} MB, one core, median of {ROUNDS} rounds\n")
    for i, which in enumerate(("wall", "processor")):
        each = {name: [1e6 * r[i] / count for r in taken] for name, taken in rounds.items()}
        median = {name: statistics.median(taken) for name, taken in each.items()}
        ratios = [a / b for a, b in zip(each[PEER], each[OURS], strict=True)]
        ratio = median[PEER] / median[OURS]
        print(
            f"{which:<10}peer {median[PEER]:6.1f}, ours {median[OURS]:6.1f} us a document; speed "
            f"{ratio:.3f} of the peer's (rounds {min(ratios):.3f} to {max(ratios):.3f})"
        )
        result[which] = {
            "microseconds_a_document": {name: round(value, 2) for name, value in median.items()},
            "ratio": round(ratio, 3),
            "ratio_by_round": [round(value, 3) for value in ratios],
        }
    print(f"table      {size / count:.0f} bytes a document")
    print(f"\ngoal {GOAL}: {'reached' if result['wall']['ratio'] >= GOAL else 'not reached'}")
    results = tables.read_json(RESULTS) if RESULTS.exists() else {}
    results[f"{arguments.scrubber}, {arguments.compression}"] = {
        "machine": before | {"busy": arguments.busy},
        "documents": count,
        "megabytes": round(megabytes, 1),
        "table_bytes_a_document": round(size / count),
        **result,
        "goal": GOAL,
    }
    RESULTS.write_text(json.dumps(results, indent=2, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
