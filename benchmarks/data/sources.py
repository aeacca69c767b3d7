"""Speed and peak memory of reading a source, each kind in a separate process.

    python benchmarks/data/sources.py --documents 1000000

The documents are beginnings of BBC articles, each with a number, so that no two are equal. The
peer only reads, hashes and parses the same JSON Lines with orjson. Each kind is also measured with
a tenth of the documents: memory must not grow tenfold with them. Temporary files are under
.newsloop/benchmarks. Prints a table and writes benchmarks/data/sources.json.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import hashlib
import io
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tarfile
import time
import zipfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

import orjson
import polars as pl

from components.core import params as parameters
from components.core.params import Source
from components.core.paths import Paths
from components.sources import open_source

ROOT = Path(__file__).parents[2]
PLACE = ROOT / ".newsloop" / "benchmarks" / "sources"
CHARACTERS = 400  # of a text
BATCH = 50_000  # rows that are written to Parquet at once
# name -> kind and path; the folder of single files has a tenth of the documents.
CASES = {
    "peer": ("jsonl", "d.jsonl"),
    "jsonl": ("jsonl", "d.jsonl"),
    "jsonl.gz": ("jsonl", "d.jsonl.gz"),
    "jsonl in zip": ("jsonl", "d.zip"),
    "csv": ("csv", "d.csv"),
    "parquet": ("parquet", "d.parquet"),
    "parquet.gz": ("parquet", "d.parquet.gz"),
    "sql (SQLite)": ("sql", "d.sqlite"),
    "texts in tar.gz": ("folder", "texts.tar.gz"),
    "texts in zip": ("folder", "texts.zip"),
    "folder": ("folder", "texts"),
}


def texts(count: int) -> Iterator[tuple[int, str, str]]:
    """Yields (number, text, label) of each document."""
    source = parameters.load(ROOT / "params.yaml").ingest.sources[0]
    reader = open_source(source, Paths(ROOT, ROOT / ".newsloop"))
    base = [(raw.text[:CHARACTERS], raw.label or "") for raw in reader.read(reader.pin())]
    for number in range(count):
        text, label = base[number % len(base)]
        yield number, f"{number} {text}", label


def prepare(count: int) -> None:
    """Writes the files of all kinds with `count` documents."""
    with (
        (PLACE / "d.jsonl").open("wb") as lines,
        (PLACE / "d.csv").open("w", newline="", encoding="utf-8") as table,
        tarfile.open(PLACE / "texts.tar.gz", "w:gz", compresslevel=1) as tar,
        zipfile.ZipFile(PLACE / "texts.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as packed,
        closing(sqlite3.connect(PLACE / "d.sqlite")) as database,
    ):
        rows = csv.writer(table)
        rows.writerow(["id", "text", "label"])
        database.execute("CREATE TABLE d (id INTEGER PRIMARY KEY, text, label)")
        for number, text, label in texts(count):
            row = {"id": number, "text": text, "label": label}
            lines.write(orjson.dumps(row) + b"\n")
            rows.writerow(row.values())
            database.execute("INSERT INTO d VALUES (?, ?, ?)", tuple(row.values()))
            name, content = f"{label}/{number:07}.txt", text.encode()
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
            tar.members.clear()  # type: ignore[attr-defined]
            packed.writestr(name, content)
            if number < count // 10:
                (PLACE / "texts" / label).mkdir(parents=True, exist_ok=True)
                (PLACE / "texts" / name).write_bytes(content)
        database.commit()
    pl.scan_ndjson(PLACE / "d.jsonl").sink_parquet(PLACE / "d.parquet", row_group_size=BATCH)
    for name in ("d.jsonl", "d.parquet"):
        with (PLACE / name).open("rb") as plain, gzip.open(PLACE / f"{name}.gz", "wb", 1) as out:
            shutil.copyfileobj(plain, out)
    with zipfile.ZipFile(PLACE / "d.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as out:
        out.write(PLACE / "d.jsonl", "d.jsonl")


def read(name: str) -> dict[str, float]:
    """Reads one case in this process and measures it."""
    kind, path = CASES[name]
    if name == "peer":
        started, count, digest = time.perf_counter(), 0, hashlib.sha256()
        with (PLACE / path).open("rb") as lines:
            for line in lines:
                digest.update(line)
                orjson.loads(line)
                count += 1
        return result(count, started, started)
    limits = parameters.load(ROOT / "params.yaml").ingest.limits
    settings: dict[str, Any] = {"name": "s", "kind": kind, "limits": limits}
    if kind == "sql":
        os.environ["SOURCE_URL"] = f"sqlite:///{PLACE / path}"
        settings |= {"url_env": "SOURCE_URL", "table": "d", "watermark": "id"}
    else:
        settings |= {"path": str(PLACE / path)}
    reader = open_source(Source.model_validate(settings), Paths(ROOT, ROOT / ".newsloop"))
    before = time.perf_counter()
    pin = reader.pin()
    started = time.perf_counter()
    return result(sum(document.fault is None for document in reader.read(pin)), before, started)


def result(count: int, before: float, started: float) -> dict[str, float]:
    ended = time.perf_counter()
    return {
        "documents": count,
        "pin_seconds": round(started - before, 2),
        "read_seconds": round(ended - started, 2),
        "microseconds_a_document": round((ended - started) / count * 1e6, 2),
        "peak_mib": peak(),
    }


def peak() -> int:
    """Returns the peak memory of this process in MiB; getrusage would include its parent's."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) // 1024


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--documents", type=int, default=1_000_000)
    asked.add_argument("--one", choices=CASES)
    given = asked.parse_args()
    if given.one:
        print(json.dumps(read(given.one)))
        return
    measured: dict[str, dict[str, dict[str, float]]] = {}
    for count in (given.documents // 10, given.documents):
        shutil.rmtree(PLACE, ignore_errors=True)
        PLACE.mkdir(parents=True)
        try:
            prepare(count)
            for name in CASES:
                command = [sys.executable, __file__, "--one", name]
                done = subprocess.run(command, check=True, capture_output=True, text=True)
                measured.setdefault(name, {})[str(count)] = json.loads(done.stdout)
                print(f"{name:16}", done.stdout.strip(), flush=True)
        finally:
            shutil.rmtree(PLACE, ignore_errors=True)
    load = [round(value, 1) for value in os.getloadavg()]
    busy = max(load) > (os.cpu_count() or 1)  # then the seconds say little, the memory as much
    out = {"busy_machine": busy, "cores": os.cpu_count(), "load_average": load, "kinds": measured}
    path = Path(__file__).with_suffix(".json")
    path.write_text(json.dumps(out, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
