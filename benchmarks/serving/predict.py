"""`newsloop predict` beside the bare model in a loop: documents a second, by format.

    python benchmarks/serving/predict.py --documents 20000
    python benchmarks/serving/predict.py --documents 500      # a look

BBC articles, repeated; the default textcnn with random weights (benchmarks/serving/service.py). All
write the same labels: it is checked. Prints a table and writes benchmarks/serving/predict.json.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

import polars as pl

from benchmarks.serving import service
from components import predict
from components.core import bundle as bundles
from components.core import tables


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--documents", type=int, default=20_000)
    chosen = parser.parse_args()
    parent = service.ROOT / ".newsloop" / "benchmarks"
    parent.mkdir(parents=True, exist_ok=True)
    articles = service.articles()
    texts = [articles[i % len(articles)] for i in range(chosen.documents)]
    rows = []
    with tempfile.TemporaryDirectory(dir=parent) as name:
        folder = Path(name)
        service.make_bundle(folder / "bundle", folder / "keys")
        bundle = bundles.load(folder / "bundle", folder / "keys")
        bundle.predict(texts[: predict.BATCH_ROWS])
        started = time.perf_counter()
        labels = [
            label
            for i in range(0, len(texts), predict.BATCH_ROWS)
            for label in bundle.predict(texts[i : i + predict.BATCH_ROWS]).labels
        ]
        bare = len(texts) / (time.perf_counter() - started)
        table = pl.DataFrame({"id": range(len(texts)), "text": texts})
        table.write_csv(folder / "in.csv")
        table.write_ndjson(folder / "in.jsonl")
        table.write_parquet(folder / "in.parquet")
        for kind, read in (
            ("csv", pl.read_csv), ("jsonl", pl.read_ndjson), ("parquet", pl.read_parquet),
        ):  # fmt: skip
            started = time.perf_counter()
            predict.predict(folder / f"in.{kind}", folder / f"out.{kind}", bundle.predict)
            speed = len(texts) / (time.perf_counter() - started)
            assert read(folder / f"out.{kind}")["label"].to_list() == labels
            rows.append({"format": kind, "per_second": speed, "of_bare": speed / bare})
    print(f"bare model: {bare:.0f} documents a second")
    for row in rows:
        print(f"{row['format']:<8} {row['per_second']:.0f} a second, {row['of_bare']:.2f} of it")
    machine = {
        "cores": os.cpu_count(), "python": platform.python_version(),
        "load_average": os.getloadavg()[0],
    }  # fmt: skip
    result = {"machine": machine, "documents": len(texts), "bare_per_second": bare, "rows": rows}
    tables.write_json(result, Path(__file__).with_suffix(".json"))


if __name__ == "__main__":
    main()
