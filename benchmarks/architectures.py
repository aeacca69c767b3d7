"""Which architecture is the default, and why: accuracy, seconds and size, beside TF-IDF + SVM.

Run after `make run`, with nothing else on the machine:

    python benchmarks/architectures.py

All learn from the same training side and stop by the same validation side; the test side is read
once at the end. Tuning never saw it. Prints a table and writes benchmarks/architectures.json.
"""

from __future__ import annotations

import json
import os
import platform
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import polars as pl

sys.path.insert(0, str(Path(__file__).parents[1]))

from components import crossvalidate, train
from components.core import bundle, metrics, network, tables
from components.core import linear as simple
from components.core import params as parameters
from components.core.offline import stay_home
from components.core.paths import Paths


def baseline(sides: dict[str, pl.DataFrame]) -> dict[str, object]:
    """What a good engineer tries first."""
    started = time.perf_counter()
    model = simple.fit(sides["train"]["text"].to_list(), sides["train"]["label"].to_list())
    seconds = time.perf_counter() - started
    found = {
        side: model.predict(sides[side]["text"].to_list()).tolist()
        for side in ("validation", "test")
    }
    return {
        "name": simple.NAME,
        "seconds": seconds,
        "answers": found,
        "milliseconds": None,
    }


def ours(
    name: parameters.Candidate, params: parameters.Params, sides: dict[str, pl.DataFrame]
) -> dict[str, object]:
    """One architecture, from texts to a model that takes raw strings."""
    import tensorflow as tf

    started = time.perf_counter()
    model, encoder, facts = train.fit(
        name, params, sides["train"], sides["validation"], crossvalidate.Silent()
    )
    seconds = time.perf_counter() - started
    ids = encoder(tf.constant(sides["train"]["text"].to_list()))[0]
    features = model.predict(ids, batch_size=128, verbose=0)[network.FEATURES]
    centre, directions = train.principal_directions(features, params.train.feature_directions)
    with tempfile.TemporaryDirectory() as folder:
        bundle.save_model(Path(folder), model, encoder, centre, directions)
        megabytes = sum(p.stat().st_size for p in Path(folder).rglob("*") if p.is_file()) / 1e6
        served = bundle.Model(Path(folder), params.ingest.labels)
        found = {
            side: served.predict(sides[side]["text"].to_list()).labels
            for side in ("validation", "test")
        }
        texts = sides["test"]["text"].to_list()[:50]
        served.predict(texts[:1])
        waits = []
        for text in texts:
            begun = time.perf_counter()
            served.predict([text])
            waits.append(1000 * (time.perf_counter() - begun))
    return {
        "name": name, "seconds": seconds, "answers": found, "epochs": facts["epochs"],
        "megabytes": megabytes, "milliseconds": float(np.median(waits)),
    }  # fmt: skip


def main() -> None:
    stay_home()
    paths = Paths.find(Path(__file__).parent)
    params = parameters.load(paths.params)
    sides = {
        side: tables.read_table(paths.split / f"{side}.parquet")
        for side in ("train", "validation", "test")
    }
    rows = [baseline(sides), *(ours(name, params, sides) for name in ("textcnn", "bilstm"))]
    print(
        f"{'':<20}{'validation':>11}{'test':>8}  {'95 % interval':<18}"
        f"{'seconds':>8}{'MB':>6}{'ms':>7}"
    )
    results = []
    for row in rows:
        answers = row.pop("answers")
        share = {}
        for side, labels in answers.items():  # type: ignore[attr-defined]
            hits = int((np.array(labels) == sides[side]["label"].to_numpy()).sum())
            share[side] = metrics.wilson(hits, len(labels), 0.95)
        test = share["test"]
        print(
            f"{row['name']:<20}{share['validation'].value:>11.4f}{test.value:>8.4f}  "
            f"[{test.low:.4f}, {test.high:.4f}]  {row['seconds']:>8.0f}"
            f"{row.get('megabytes', float('nan')):>6.1f}{row['milliseconds'] or float('nan'):>7.1f}"
        )
        results.append(row | {side: one.rounded() for side, one in share.items()})
    machine = {"cores": os.cpu_count(), "machine": platform.machine()}
    path = Path(__file__).with_suffix(".json")
    path.write_text(json.dumps({"machine": machine, "rows": results}, indent=2) + "\n")


if __name__ == "__main__":
    main()
