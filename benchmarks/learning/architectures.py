"""Accuracy and cost of each architecture on BBC News, against peers on the same split.

Run after `make run`, with nothing else on the machine:

    python benchmarks/learning/architectures.py
    python benchmarks/learning/architectures.py --only linear textcnn --fasttext PYTHON

All train on the same training side, and choose their epoch or settings on the same validation side;
the test side is read once at the end. PYTHON is the interpreter of an environment with
fasttext-wheel. Prints a table and writes benchmarks/learning/architectures.json.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

sys.path.insert(0, str(Path(__file__).parents[2]))

from benchmarks.learning import peers, project
from components import svm_baseline as simple
from components import train
from components.core import bundle, metrics, tables
from components.core import params as parameters
from components.core.networks import assembly
from components.core.params.architectures import candidates
from components.core.target import SingleLabel
from components.core.training import energy
from components.core.training.loop import NullLogger
from components.train import ensemble

Sides = dict[str, pl.DataFrame]
Trained = tuple[Any, Any, dict[str, Any]]
ASKED = ("validation", "test")


def row(name: str, peer: peers.Peer, sides: Sides, labels: list[str]) -> dict[str, Any]:
    """Makes one row of the table."""
    scores: dict[str, Any] = {
        "name": name, "seconds": peer.seconds, "megabytes": peer.megabytes,
        "milliseconds": peer.milliseconds, "co2_grams": peer.grams, "settings": peer.settings,
    }  # fmt: skip
    for side, predicted in (("validation", peer.validation), ("test", peer.predicted)):
        counts = SingleLabel(labels).confusion(sides[side]["label"].to_list(), predicted)
        hits = int(counts.trace())
        scores[side] = metrics.wilson(hits, len(predicted), 0.95).rounded()
        scores[side] |= {"macro_f1": float(metrics.by_class(counts)[:, 2].mean()), "hits": hits}
    return scores


def served(
    trained: Trained, cost: tuple[float, float], params: parameters.Params, sides: Sides
) -> peers.Peer:
    """Returns predictions of a trained network from its bundle, with `cost`: seconds, grams."""
    import tensorflow as tf

    model, encoder, facts = trained
    ids = encoder(tf.constant(sides["train"]["text"].to_list()[:500]))[0]
    features = model.predict(ids, batch_size=64, verbose=0)[assembly.FEATURES]
    projection = train.principal_directions(features, params.train.feature_directions)
    with tempfile.TemporaryDirectory() as folder:
        bundle.save_model(Path(folder), model, encoder, *projection)
        megabytes = sum(p.stat().st_size for p in Path(folder).rglob("*") if p.is_file()) / 1e6
        loaded = bundle.Model(Path(folder), params.ingest.labels)
        predicted = {side: loaded.predict(sides[side]["text"].to_list()).labels for side in ASKED}
        waits = []
        for text in sides["test"]["text"].to_list()[:50]:
            begun = time.perf_counter()
            loaded.predict([text])
            waits.append(1000 * (time.perf_counter() - begun))
    epochs = f"{facts['best_epoch']} of {facts['epochs']} {facts['tried']}"
    milliseconds = float(np.median(waits))
    return peers.Peer(
        epochs,
        cost[0],
        predicted["validation"],
        predicted["test"],
        megabytes,
        milliseconds,
        cost[1],
    )


def ours(
    names: list[str], params: parameters.Params, sides: Sides, cache_folder: Path
) -> dict[str, peers.Peer]:
    """Trains each architecture; the ensemble reuses the members that were trained for their rows.

    `cache_folder`: empty folder for document vectors, so that their first reader computes them.
    """
    trained: dict[str, Trained] = {}
    costs: dict[str, tuple[float, float]] = {}
    rows = {}
    parts = [part for name in names for part in params.train.trained(name)]  # type: ignore[arg-type]
    for name in dict.fromkeys(parts):
        with energy.measured(params.train.country_iso_code) as spent:
            started = time.perf_counter()
            trained[name] = train.fit(
                name,
                params,
                sides["train"],
                sides["validation"],
                NullLogger(),
                cache_folder=cache_folder,
            )
            seconds = time.perf_counter() - started
        costs[name] = seconds, spent[0].co2_grams
        rows[name] = served(trained[name], costs[name], params, sides)
        print(f"{name}: {seconds:.0f} s, {rows[name].settings}", flush=True)
    if "ensemble" in names:
        of = params.train.ensemble.of
        joined = ensemble.combine(
            {name: trained[name] for name in of}, params, sides["validation"], cache_folder
        )
        seconds, grams = (sum(parts) for parts in zip(*(costs[name] for name in of), strict=True))
        rows["ensemble"] = served(joined, (seconds, grams), params, sides)
    return rows


def shown(value: float | None, digits: int) -> str:
    """Formats a number in seven columns; a dash without a measurement."""
    return f"{'-':>7}" if value is None else f"{value:>7.{digits}f}"


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    names = candidates()
    parser.add_argument("--only", nargs="+", choices=names, default=list(names))
    parser.add_argument("--epochs", type=int, help="at most; default: as params.yaml")
    parser.add_argument("--documents", type=int, help="of each side; default: all")
    parser.add_argument("--fasttext", type=Path, metavar="PYTHON")
    return parser.parse_args()


def main() -> None:
    chosen = arguments()
    paths, params = project.load(chosen.epochs)
    sides = {
        side: tables.read_table(paths.split / f"{side}.parquet")
        for side in ("train", "validation", "test")
    }
    if chosen.documents:
        sides = {name: side.sample(chosen.documents, seed=1) for name, side in sides.items()}
    learn, stop, asked = sides["train"], sides["validation"], sides["test"]["text"].to_list()
    with tempfile.TemporaryDirectory() as folder:
        results = ours(chosen.only, params, sides, Path(folder))
    results[simple.NAME] = peers.svm(learn, stop, asked, refit=False)
    if chosen.fasttext:
        results["fastText"] = peers.fasttext(chosen.fasttext, learn, stop, asked)
    rows = [row(name, peer, sides, params.ingest.labels) for name, peer in results.items()]
    print(
        f"{'':<20}{'validation':>11}{'test':>8}  {'95 % interval':<18}{'macro F1':>9}"
        f"{'seconds':>9}{'MB':>7}{'ms':>7}{'g CO2':>7}  chosen by validation"
    )
    for result in rows:
        test = result["test"]
        print(
            f"{result['name']:<20}{result['validation']['value']:>11.4f}{test['value']:>8.4f}  "
            f"[{test['low']:.4f}, {test['high']:.4f}]  {test['macro_f1']:>9.4f}"
            f"{result['seconds']:>9.1f}{shown(result['megabytes'], 1)}"
            f"{shown(result['milliseconds'], 1)}{shown(result['co2_grams'], 2)}  "
            f"{result['settings']}"
        )
    best = max(rows, key=lambda result: result["validation"]["value"])
    print(f"Best on the validation side: {best['name']}.")
    machine = {"cores": os.cpu_count(), "machine": platform.machine()}
    path = Path(__file__).with_suffix(".json")
    path.write_text(json.dumps({"machine": machine, "rows": rows}, indent=2) + "\n")


if __name__ == "__main__":
    main()
