"""How far the estimated accuracy lies from the real one, when the shares of the topics move.

    python benchmarks/estimated_accuracy.py [--peer PYTHON]
    python benchmarks/estimated_accuracy.py --windows 20
    python benchmarks/estimated_accuracy.py --points     # without intervals: seconds, not hours

Windows of 1,000 BBC articles whose class shares are drawn at random (Dirichlet, all 1), and the
mean absolute error of three estimates: ours, NannyML's CBPE (in a Python of its own), and the mean
confidence. Whole articles, and their first 12 words, of which the model knows less. Validation
articles are the reference, windows are drawn from test articles with replacement. The column shares
is the error of ours if it were told the window's class shares, so that only what the reference
says of each class is left to err in. The column best is the error of somebody who knows each
class's accuracy on all test articles: nobody can do better.

How often our interval holds the truth is counted twice: on these windows, which all have the same
reference and say some articles many times; and on fresh ones: for each window all articles are
dealt anew to the reference and the rest, and 100 of the rest taken, none twice.
Needs `make run`; writes benchmarks/estimated_accuracy.json.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks import news_worlds
from components.core import params as parameters
from components.core import tables
from components.core.offline import stay_home
from components.core.paths import Paths
from monitoring import quality

ROWS, FRESH, SEED = 1000, 100, 5
WORDS = (None, 12)  # of an article
# Reads a reference and chunks (actual, predicted, p_0 ...; chunk), writes one accuracy a chunk.
CBPE = """
import sys, warnings, json
warnings.filterwarnings("ignore")
import pandas as pd, nannyml as nml
reference, windows = pd.read_parquet(sys.argv[1]), pd.read_parquet(sys.argv[2])
classes = json.loads(sys.argv[4])
estimator = nml.CBPE(problem_type="classification_multiclass", y_true="actual",
    y_pred="predicted", y_pred_proba={name: f"p_{i}" for i, name in enumerate(classes)},
    metrics=["accuracy"], chunk_size=int(sys.argv[5]))
estimator.fit(reference)
found = estimator.estimate(windows.drop(columns="actual")).filter(period="analysis").to_df()
found[("accuracy", "value")].to_frame("value").to_parquet(sys.argv[3])
"""


def peer_table(table: pl.DataFrame, labels: list[str]) -> pl.DataFrame:
    """What CBPE reads."""
    columns = [pl.col("probabilities").list.get(i).alias(f"p_{i}") for i in range(len(labels))]
    return table.select("actual", pl.col("label").alias("predicted"), *columns)


def cbpe(
    peer: str, reference: pl.DataFrame, windows: pl.DataFrame, labels: list[str], folder: Path
) -> Any:
    """(W,) estimates of NannyML."""
    names = [folder / f"cbpe-{name}.parquet" for name in ("reference", "windows", "found")]
    peer_table(reference, labels).write_parquet(names[0])
    peer_table(windows, labels).write_parquet(names[1])
    given = [*map(str, names), json.dumps(labels), str(ROWS)]
    home = {**os.environ, "NML_DISABLE_USAGE_LOGGING": "1"}  # it tells its makers what it does
    subprocess.run([peer, "-c", CBPE, *given], check=True, env=home)
    return pl.read_parquet(names[2])["value"].to_numpy()


def ours(reference: pl.DataFrame, labels: list[str], window: pl.DataFrame, monitor: Any) -> Any:
    """Our interval of a window."""
    return quality.estimate(
        reference, labels, np.array(window["probabilities"].to_list()), window["text"].to_list(),
        monitor.confidence, monitor.resamples, monitor.seed,
    )[0]  # fmt: skip


def told(reference: pl.DataFrame, labels: list[str], window: pl.DataFrame) -> float:
    """Our estimate of a window whose class shares are known."""
    probabilities, new = (np.array(one["probabilities"].to_list()) for one in (reference, window))
    actual, now = (
        np.array([labels.index(name) for name in one["actual"]]) for one in (reference, window)
    )
    calibrator = quality.fit(probabilities, actual)
    shares = np.bincount(now, minlength=len(labels)) / len(now)
    sure = quality.moved(calibrator(new), np.maximum(shares, 1e-9) / calibrator.shares)
    return float(sure[np.arange(len(new)), new.argmax(axis=1)].mean())


def held_by_fresh(world: Any, rows: int, windows: int, monitor: Any) -> float:
    """Share of windows, of which none has seen an article twice, whose interval holds the truth."""
    rng, inside = np.random.default_rng(SEED), 0
    for _ in range(windows):
        order = rng.permutation(world.still.height)
        reference, rest = world.still[order[:rows]], world.still[order[rows:]]
        counts = rng.multinomial(FRESH, rng.dirichlet(np.ones(len(world.labels))))
        window = pl.concat(
            rest.filter(pl.col("actual") == name)[:count]
            for name, count in zip(world.labels, counts, strict=True)
        )
        truth = (window["label"] == window["actual"]).mean()
        found = ours(reference, world.labels, window, monitor)
        inside += found.low <= truth <= found.high
    return inside / windows


def line(row: dict[str, Any]) -> str:
    """A row of the table."""
    shown = {
        name: "-" if value is None else f"{value:.4f}"
        for name, value in row.items()
        if name != "words"
    }
    return (
        f"{row['words'] or 'all'!s:<8}{shown['ours']:>8}{shown['cbpe']:>8}"
        f"{shown['confidence']:>12}{shown['inside']:>13}{shown['inside_fresh']:>8}"
        f"{shown['shares']:>8}{shown['best']:>8}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--windows", type=int, default=500)
    parser.add_argument("--peer", help="a Python with nannyml")
    parser.add_argument("--points", action="store_true", help="leave the intervals as they were")
    arguments = parser.parse_args()
    stay_home()
    paths = Paths.find(Path(__file__).parent)
    params = parameters.load(paths.params)
    work = paths.home / "benchmarks"
    work.mkdir(parents=True, exist_ok=True)
    validation = tables.read_table(paths.split / "validation.parquet").height
    fewer = {"resamples": 1} if arguments.points else {}
    monitor = params.monitor.model_copy(update=fewer)
    target = Path(__file__).with_suffix(".json")
    before = json.loads(target.read_text()) if target.exists() else []
    results = []
    print(
        f"{'words':<8}{'ours':>8}{'CBPE':>8}{'confidence':>12}{'in interval':>13}"
        f"{'fresh':>8}{'shares':>8}{'best':>8}"
    )
    for words in WORDS:
        world = news_worlds.load(paths, params, words)
        reference, test = world.still[:validation], world.still[validation:]
        actual = np.array([world.labels.index(name) for name in test["actual"]])
        right = (test["label"] == test["actual"]).to_numpy()
        by_class = np.array([right[actual == i].mean() for i in range(len(world.labels))])
        rng = np.random.default_rng(SEED)
        rows, errors = (
            [],
            {name: list[float]() for name in ("ours", "shares", "confidence", "best")},
        )
        inside, truths = 0, []
        for _ in range(arguments.windows):
            shares = rng.dirichlet(np.ones(len(world.labels)))
            weight = (shares / np.bincount(actual))[actual]
            chosen = rng.choice(len(actual), ROWS, p=weight / weight.sum())
            window, truth = test[chosen], right[chosen].mean()
            found = ours(reference, world.labels, window, monitor)
            errors["ours"].append(abs(found.value - truth))
            errors["shares"].append(abs(told(reference, world.labels, window) - truth))
            errors["confidence"].append(abs(window["confidence"].mean() - truth))
            errors["best"].append(abs(shares @ by_class - truth))
            inside += found.low <= truth <= found.high
            truths.append(truth)
            rows.append(window)
        row = {"words": words, "accuracy": float(right.mean())}
        row |= {name: round(float(np.mean(values)), 4) for name, values in errors.items()}
        kept = next((one for one in before if one["words"] == words), {})
        row |= {name: kept.get(name) for name in ("inside", "inside_fresh", "cbpe")}
        if not arguments.points:
            row["inside"] = inside / arguments.windows
            row["inside_fresh"] = held_by_fresh(world, validation, arguments.windows, monitor)
        if arguments.peer:
            theirs = cbpe(arguments.peer, reference, pl.concat(rows), world.labels, work)
            row["cbpe"] = round(float(np.abs(theirs - np.array(truths)).mean()), 4)
        results.append(row)
        print(line(row), flush=True)
    target.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
