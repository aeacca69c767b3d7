"""Peak memory of the train stage with 1,000,000 short documents.

    python benchmarks/learning/many_documents_training.py --documents 1000000
    python benchmarks/learning/many_documents_training.py --documents 1000000 --architecture linear

Documents are stretches of 10 to 40 words of benchmarks/data/many_documents.py. One epoch of
`textcnn` in batches of 256, or all strengths of `linear`, in a process of its own. Prints seconds
and the peak of its memory, and writes benchmarks/learning/many_documents_training.json.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import polars as pl
import psutil

sys.path.insert(0, str(Path(__file__).parents[2]))

from benchmarks.data import many_documents
from components.core import tables
from components.core.params import edit
from components.core.runtime.offline import SWITCHES
from components.core.tables import streams

ROOT = Path(__file__).parents[2]
LIMIT = 4.0  # GiB
_AT_ONCE = 4096  # documents written together
_LOOK_EVERY = 0.1  # seconds between two looks at the memory


def write(path: Path, start: int, stop: int) -> None:
    """Writes short documents number `start` to `stop` - 1 as a Parquet table."""
    with streams.TableWriter(path, {"text": pl.String(), "label": pl.String()}) as writer:
        for first in range(start, stop, _AT_ONCE):
            columns: dict[str, list[str]] = {"text": [], "label": []}
            for document in many_documents.documents(first, min(first + _AT_ONCE, stop)):
                draw, words = random.Random(int(document["id"])), document["text"].split(" ")
                begin = draw.randrange(max(len(words) - 40, 1))
                columns["text"].append(" ".join(words[begin : begin + draw.randrange(10, 41)]))
                columns["label"].append(document["label"])
            writer.write(columns)


def project(root: Path, documents: int, architecture: str) -> None:
    """Writes all inputs of the stage: settings, candidate, training and validation side."""
    shutil.copy(ROOT / "params.yaml", root)
    settings = {"train.epochs": 1, "train.textcnn.batch_size": 256}
    edit.set_values(root / "params.yaml", settings)
    (root / "dvc.yaml").write_text("stages: {}\n")
    tables.write_json({"architecture": architecture}, root / "data" / "candidate.json")
    validation = max(documents // 20, 100)
    write(root / "data" / "03_split" / "train.parquet", 0, documents - validation)
    write(root / "data" / "03_split" / "validation.parquet", documents - validation, documents)


def train(root: Path) -> tuple[float, float]:
    """Runs the stage; returns seconds, and peak resident memory in GiB."""
    env = {**os.environ, **SWITCHES, "PYTHONPATH": str(ROOT), "NEWSLOOP_HOME": str(root / "home")}
    started, most = time.perf_counter(), 0
    with subprocess.Popen([sys.executable, "-m", "components.train"], cwd=root, env=env) as process:
        known = psutil.Process(process.pid)
        while process.poll() is None:
            try:
                most = max(most, known.memory_info().rss)
            except psutil.NoSuchProcess:
                break
            time.sleep(_LOOK_EVERY)
    if process.returncode:
        sys.exit("The stage failed; it says above why.")
    return time.perf_counter() - started, most / 2**30


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--documents", type=int, default=1_000_000)
    parser.add_argument("--architecture", choices=("textcnn", "linear"), default="textcnn")
    chosen = parser.parse_args()
    documents = chosen.documents
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        project(root, documents, chosen.architecture)
        size = sum(path.stat().st_size for path in (root / "data" / "03_split").iterdir()) / 2**20
        seconds, peak = train(root)
        facts = json.loads((root / "data" / "04_trained" / "training.json").read_text())
    print(
        f"{documents} documents ({size:.0f} MiB of Parquet), {chosen.architecture}: "
        f"{seconds:.0f} s, peak {peak:.2f} GiB (at most {LIMIT:.0f}: "
        f"{'yes' if peak <= LIMIT else 'NO'}), validation accuracy "
        f"{facts['validation_accuracy']:.3f}"
    )
    row = {
        "architecture": chosen.architecture, "documents": documents,
        "parquet_mib": round(size, 1), "seconds": round(seconds, 1),
        "peak_gib": round(peak, 3), "validation_accuracy": facts["validation_accuracy"],
        "cores": os.cpu_count(),
    }  # fmt: skip
    Path(__file__).with_suffix(".json").write_text(json.dumps(row, indent=2) + "\n")


if __name__ == "__main__":
    main()
