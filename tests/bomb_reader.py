"""Reads sources, each in a process of its own, and measures what each took.

Usage: python -m tests.bomb_reader < CASES > RESULTS, both lists in JSON: [root, settings of the
source] -> {"error", "documents", "mib", "seconds"}. The import of the readers is not counted.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

from components.core.errors import SourceError
from components.core.params import Source
from components.core.paths import Paths
from components.sources import open_source

LONGEST_SECONDS = 60


def peak_mib() -> float:
    """The most memory that this process had at one time."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def read(root: str, settings: dict[str, Any]) -> dict[str, Any]:
    import feedparser  # noqa: F401 - loaded by the reader, and no part of what is measured
    import polars  # noqa: F401
    import pyarrow.parquet  # noqa: F401

    before, begun = peak_mib(), time.monotonic()
    error, documents = "", 0
    try:
        opened = open_source(Source.model_validate(settings), Paths(Path(root), Path(root, "home")))
        for document in opened.read(opened.pin()):
            documents += not document.fault
    except SourceError as refusal:
        error = str(refusal)
    return {
        "error": error,
        "documents": documents,
        "mib": round(peak_mib() - before, 1),
        "seconds": round(time.monotonic() - begun, 2),
    }


def in_child(root: str, settings: dict[str, Any]) -> dict[str, Any]:
    receiving, sending = os.pipe()
    child = os.fork()
    if child == 0:
        signal.alarm(LONGEST_SECONDS)
        os.write(sending, json.dumps(read(root, settings)).encode())
        os._exit(0)
    os.close(sending)
    with os.fdopen(receiving, "rb") as pipe:
        answer = pipe.read()
    os.waitpid(child, 0)
    dead = {"error": "", "documents": 0, "mib": 1e9, "seconds": LONGEST_SECONDS}
    return json.loads(answer) if answer else dead


if __name__ == "__main__":
    json.dump([in_child(*case) for case in json.load(sys.stdin)], sys.stdout)
