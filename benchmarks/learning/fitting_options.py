"""Effect of sorting by length and of XLA: seconds of an epoch, and validation accuracy.

    python benchmarks/learning/fitting_options.py --epochs 4

Run after `make run`, with nothing else on the machine. The first epoch compiles; the fastest of the
later ones is the cost of one more. Prints a table and writes
benchmarks/learning/fitting_options.json.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import polars as pl

sys.path.insert(0, str(Path(__file__).parents[2]))

from components import train
from components.core import params as parameters
from components.core import tables
from components.core.paths import Paths
from components.core.runtime.offline import stay_home

VARIANTS: dict[str, dict[str, Any]] = {
    "as in params.yaml": {},
    "not sorted by length": {"sorted_batches": 1},
    "padded to the longest": {"sorted_batches": 1, "padding_step": 4096},
    "xla": {"xla": True},
    "bfloat16": {"precision": "bfloat16"},
}


class Clock:
    """Replacement of DVCLive that records the end of each epoch."""

    def __init__(self) -> None:
        self.ends = [time.perf_counter()]
        self.accuracy = 0.0

    def log_metric(self, name: str, value: float) -> None:
        if name == "validation/accuracy":
            self.accuracy = value

    def next_step(self) -> None:
        self.ends.append(time.perf_counter())

    @property
    def epochs(self) -> list[float]:
        return [b - a for a, b in zip(self.ends, self.ends[1:], strict=False)]


def measure(
    name: Any, changes: dict[str, Any], params: parameters.Params, epochs: int,
    sides: list[pl.DataFrame],
) -> dict[str, Any]:  # fmt: skip
    if "padding_step" in changes:  # all that an architecture reads
        changes = {**changes, "padding_step": params.train.architecture(name).words}
    fitted = params.train.fitting.model_copy(update=changes)
    recipe = params.train.model_copy(update={"epochs": epochs, "fitting": fitted})
    clock = Clock()
    train.fit(name, params.model_copy(update={"train": recipe}), *sides, clock)
    first, *later = clock.epochs
    return {"first": first, "later": min(later), "accuracy": clock.accuracy}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=4, help="at least 2")
    parser.add_argument("--documents", type=int, default=10**9, help="of each side")
    parser.add_argument("--architectures", nargs="+", default=["textcnn", "bilstm"])
    parser.add_argument("--variants", nargs="+", default=list(VARIANTS), choices=list(VARIANTS))
    options = parser.parse_args()
    stay_home()
    paths = Paths.find(Path(__file__).parent)
    params = parameters.load(paths.params)
    sides = [
        tables.read_table(paths.split / f"{side}.parquet").head(options.documents)
        for side in ("train", "validation")
    ]
    print(f"{'':<10}{'':<24}{'first epoch':>12}{'later':>8}{'validation':>12}")
    rows = []
    for name in options.architectures:
        for variant in options.variants:
            measured = measure(name, VARIANTS[variant], params, options.epochs, sides)
            rows.append({"architecture": name, "variant": variant, **measured})
            print(
                f"{name:<10}{variant:<24}{measured['first']:>10.1f} s{measured['later']:>6.1f} s"
                f"{measured['accuracy']:>12.4f}"
            )
    row = {"epochs": options.epochs, "cores": os.cpu_count(), "rows": rows}
    Path(__file__).with_suffix(".json").write_text(json.dumps(row, indent=2) + "\n")


if __name__ == "__main__":
    main()
