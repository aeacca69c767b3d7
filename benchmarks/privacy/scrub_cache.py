"""Savings and cost of the cache of scrubbed texts.

    python benchmarks/privacy/scrub_cache.py [--documents 2000] [--busy]

Scrubs documents three times through ingest's own stream, in one process: all new; the same but 1 %
new ones; all known. Once with persons, once with patterns only. Then asks what the cache itself
costs a document, with a scrubber that costs nothing, on fifty times as many. The share that the
second run takes of the first is what a small change of the sources costs. Two clocks: the wall's,
which counts, and the processor's, which other work disturbs less. Prints what it finds and writes
benchmarks/privacy/scrub_cache.json.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from benchmarks.data import many_documents
from components import ingest
from components.core import params as parameters
from components.core.scrub import Scrubbed
from components.core.scrub.cache import ScrubCache
from components.core.scrub.work import ScrubWork
from components.core.workers.base import Work
from components.core.workers.processes import InProcess
from components.sources import RawDocument

FOLDER = many_documents.PATHS.home / "benchmarks" / "scrub_cache"
NEW = 0.01  # share of new documents in the second run
PATTERN_DOCUMENTS = 5  # times as many where only patterns are searched
FREE_DOCUMENTS = 50  # times as many where scrubbing costs nothing
SETTINGS = parameters.load(many_documents.PATHS.params).ingest


Clock = tuple[float, float]  # seconds by the wall, seconds of the processor


def seconds(work: Work[Scrubbed], raws: Sequence[RawDocument], remember: bool = True) -> Clock:
    """Measures the scrubbing of `raws`; the cache is in FOLDER."""
    cache = ScrubCache(FOLDER / "cache.sqlite", "policy", b"key") if remember else None
    started, worked = time.perf_counter(), time.process_time()
    stream = ingest.batches([("many", raws)], SETTINGS.stream)
    for _ in ingest.scrub_stream(stream, SETTINGS.scrub.batch, InProcess(work), cache):
        pass
    if cache:
        cache.close()
    return time.perf_counter() - started, time.process_time() - worked


def measure(work: Work[Scrubbed], count: int) -> dict[str, object]:
    """Measures microseconds per document of each run, by both clocks, and the cache's size."""
    work(["a warm start"])
    new = max(1, round(NEW * count))
    raws = [RawDocument(row["id"], row["text"]) for row in many_documents.documents(0, count + new)]
    FOLDER.mkdir(parents=True)
    try:
        taken = {
            "without cache": seconds(work, raws[:count], remember=False),
            "all new": seconds(work, raws[:count]),
            "1 % new": seconds(work, raws[new:]),
            "all known": seconds(work, raws[new:]),
        }
        size = sum(path.stat().st_size for path in FOLDER.iterdir())
    finally:
        shutil.rmtree(FOLDER)
    result: dict[str, object] = {"documents": count, "bytes_a_document": round(size / count)}
    for i, which in enumerate(("wall", "processor")):
        result[which] = {
            "microseconds_a_document": {
                name: round(1e6 * clock[i] / count, 1) for name, clock in taken.items()
            },
            "share_of_second_run": round(taken["1 % new"][i] / taken["all new"][i], 4),
        }
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--documents", type=int, default=2000)
    parser.add_argument("--busy", action="store_true")
    arguments = parser.parse_args()
    results: dict[str, object] = {"machine": many_documents.machine() | {"busy": arguments.busy}}
    shutil.rmtree(FOLDER, ignore_errors=True)
    scrub = SETTINGS.scrub
    patterns = scrub.model_copy(update={"entities": scrub.entities | {"PERSON": "keep"}})
    works: dict[str, tuple[Work[Scrubbed], int]] = {
        "persons": (ScrubWork.of(scrub, b"key"), arguments.documents),
        "patterns": (ScrubWork.of(patterns, b"key"), PATTERN_DOCUMENTS * arguments.documents),
        "nothing": (many_documents.identity, FREE_DOCUMENTS * arguments.documents),
    }
    for name, (work, count) in works.items():
        results[name] = result = measure(work, count)
        print(name, json.dumps(result), flush=True)
    Path(__file__).with_suffix(".json").write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
