"""Error of the estimated accuracy when the shares of the classes shift.

    python benchmarks/monitoring/estimated_accuracy.py --peer PYTHON \\
        [--newsgroups newsgroups20.jsonl.gz]
    python benchmarks/monitoring/estimated_accuracy.py --splits 2 --windows 3
    python benchmarks/monitoring/estimated_accuracy.py --intervals  # how often they hold the truth

Windows of texts whose class shares are drawn at random (Dirichlet, all 1), and the mean absolute
error of three estimates: ours, NannyML's CBPE (in a Python of its own), and the mean confidence.
What the model did not learn from is dealt anew, again and again, to a reference and the texts that
windows are drawn from, with replacement: how good an estimate is depends much on which few hundred
texts the reference has. Articles of BBC, whole and their first 12 words, of which the model knows
less; posts of 20 Newsgroups, answered by TF-IDF with logistic regression.

    told    ours if it were told the window's class shares: what only the reference leaves to err in
    best    somebody who knows each class's accuracy on all texts that windows are drawn from, and
            the shares that they are drawn with. What is left is the luck of the draw, which
            nobody can foresee.

How often our interval holds the truth is counted twice: on windows that all have the validation
side as their reference and say some test articles many times; and on fresh ones: for each window
all articles are dealt anew to the reference and the rest, and 100 of the rest taken, none twice.
Needs `make run`; writes benchmarks/monitoring/estimated_accuracy.json row by row.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

sys.path.insert(0, str(Path(__file__).parents[2]))

from benchmarks.monitoring import news_worlds
from benchmarks.monitoring.news_worlds import World
from components.core import params as parameters
from components.core import tables
from components.core.paths import Paths
from components.core.runtime.offline import stay_home
from components.core.target import SingleLabel
from monitoring import accuracy_estimate

ROWS, FRESH, SEED = (1000, 5000), 100, 5
WORDS = (None, 12)  # of an article
REFERENCES = (325, 650, 2000, 4000)  # posts, where there are so many
# Reads tables 0, 1, ... of (actual, predicted, p_0 ...), a reference and windows one after the
# other, and writes one accuracy a window.
CBPE = """
import sys, warnings, json
warnings.filterwarnings("ignore")
import pandas as pd, nannyml as nml
folder, rows, splits, classes = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
accuracies = []
for split in range(splits):
    reference, windows = (pd.read_parquet(f"{folder}/cbpe-{name}-{split}.parquet")
        for name in ("reference", "windows"))
    estimator = nml.CBPE(problem_type="classification_multiclass", y_true="actual",
        y_pred="predicted", y_pred_proba={f"c{i}": f"p_{i}" for i in range(classes)},
        metrics=["accuracy"], chunk_size=rows)
    estimator.fit(reference)
    estimates = estimator.estimate(windows.drop(columns="actual")).filter(period="analysis").to_df()
    accuracies += estimates[("accuracy", "value")].tolist()
print(json.dumps(accuracies))
"""


@dataclass(frozen=True)
class Corpus:
    """Predictions of a model for texts outside of its training data.

    Attributes:
        name: name of the row.
        probabilities: (N, C) probabilities.
        actual: (N,) index of each text's class.
    """

    name: str
    probabilities: Any
    actual: Any


def bbc(paths: Paths, params: parameters.Params, words: int | None) -> tuple[Corpus, World]:
    world = news_worlds.load(paths, params, words)
    name = "BBC" if words is None else f"BBC, {words} words"
    probabilities = np.array(world.still["probabilities"].to_list(), np.float64)
    actual = np.array([world.labels.index(label) for label in world.still["actual"]])
    return Corpus(name, probabilities, actual), world


def posts(path: Path) -> Corpus:
    """Predicts the newer posts by a model trained on the older ones."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    from benchmarks.learning.folds import newsgroups

    older, newer = newsgroups(path, None)
    words = TfidfVectorizer(min_df=3, sublinear_tf=True, max_features=30_000)
    features = words.fit_transform(older["text"].to_list()).astype(np.float32)
    model = LogisticRegression(C=5, max_iter=60).fit(features, older["label"].to_list())
    probabilities = model.predict_proba(words.transform(newer["text"].to_list()))
    index = {label: i for i, label in enumerate(model.classes_)}
    return Corpus(
        "20 Newsgroups", probabilities, np.array([index[label] for label in newer["label"]])
    )


def peer_table(corpus: Corpus, rows: Any) -> pl.DataFrame:
    """Makes the input table of CBPE."""
    probabilities = corpus.probabilities[rows]
    columns: dict[str, Any] = {f"p_{i}": probabilities[:, i] for i in range(probabilities.shape[1])}
    columns["actual"] = [f"c{i}" for i in corpus.actual[rows]]
    columns["predicted"] = [f"c{i}" for i in probabilities.argmax(axis=1)]
    return pl.DataFrame(columns)


def cbpe(peer: str, folder: Path, rows: int, splits: int, classes: int) -> Any:
    """Computes (W,) estimates of NannyML."""
    given = [str(folder), *map(str, (rows, splits, classes))]
    home = {**os.environ, "NML_DISABLE_USAGE_LOGGING": "1"}  # it tells its makers what it does
    output = subprocess.run(
        [peer, "-c", CBPE, *given], check=True, env=home, stdout=subprocess.PIPE, text=True
    ).stdout
    return np.array(json.loads(output.splitlines()[-1]))


def ours(estimator: accuracy_estimate.Estimator, window: pl.DataFrame, monitor: Any) -> Any:
    """Computes our interval for a window."""
    probabilities = np.array(window["probabilities"].to_list())
    return estimator(probabilities, window["text"].to_list(), monitor.confidence).window


def estimator_of(corpus: Corpus, reference: Any) -> accuracy_estimate.Estimator:
    """Makes the estimator for these texts, without intervals."""
    labels = [f"c{i}" for i in range(corpus.probabilities.shape[1])]
    table = pl.DataFrame(
        {
            "actual": [labels[i] for i in corpus.actual[reference]],
            "probabilities": corpus.probabilities[reference].tolist(),
        }
    )
    return accuracy_estimate.Estimator(table, SingleLabel(labels), 1, SEED)


def informed_of(corpus: Corpus, reference: Any, chosen: Any) -> float:
    """Computes our estimate for a window with known class shares."""
    probabilities, classes = corpus.probabilities[chosen], corpus.probabilities.shape[1]
    known, actual = corpus.probabilities[reference], corpus.actual[reference]
    shares = np.bincount(corpus.actual[chosen], minlength=classes) / len(chosen)
    p_correct, more = accuracy_estimate.sureness(
        accuracy_estimate.fit(known, actual), probabilities, known, actual, np.maximum(shares, 1e-9)
    )
    return float(p_correct.mean()) + more


def errors(
    corpus: Corpus, known: int, rows: int, splits: int, windows: int, peer: str | None, work: Path
) -> dict[str, Any]:
    """Computes mean absolute errors.

    Args:
        known: texts of a reference.
        rows: texts of a window.
        splits: number of random splits into reference and rest.
        windows: windows of each split.
    """
    classes = corpus.probabilities.shape[1]
    right = corpus.probabilities.argmax(axis=1) == corpus.actual
    estimates: dict[str, list[float]] = {
        name: [] for name in ("truth", "ours", "told", "mean", "best")
    }
    for split in range(splits):
        rng = np.random.default_rng([SEED, split])
        order = rng.permutation(len(right))
        reference, rest = order[:known], order[known:]
        by_class = np.array([right[rest][corpus.actual[rest] == i].mean() for i in range(classes)])
        estimator, taken = estimator_of(corpus, reference), []
        for _ in range(windows):
            shares = rng.dirichlet(np.ones(classes))
            weight = (shares / np.bincount(corpus.actual[rest]))[corpus.actual[rest]]
            chosen = rng.choice(rest, rows, p=weight / weight.sum())
            taken.append(chosen)
            mine = estimator(corpus.probabilities[chosen], [str(i) for i in chosen], 0.95)
            estimates["truth"].append(right[chosen].mean())
            estimates["ours"].append(mine.window.value)
            estimates["told"].append(informed_of(corpus, reference, chosen))
            estimates["mean"].append(corpus.probabilities[chosen].max(axis=1).mean())
            estimates["best"].append(shares @ by_class)
        if peer:
            for name, of in (("reference", reference), ("windows", np.concatenate(taken))):
                peer_table(corpus, of).write_parquet(work / f"cbpe-{name}-{split}.parquet")
    if peer:
        estimates["cbpe"] = cbpe(peer, work, rows, splits, classes).tolist()
    truth = np.array(estimates.pop("truth"))
    mean_errors = {
        name: float(np.abs(np.array(values) - truth).mean()) for name, values in estimates.items()
    }
    return {
        "corpus": corpus.name, "reference": known, "rows": rows, "windows": splits * windows,
        "accuracy": round(float(right.mean()), 4),
        **{name: round(value, 4) for name, value in mean_errors.items()},
        **{
            f"{name}_of_cbpe": round(mean_errors[name] / mean_errors["cbpe"], 2)
            for name in ("ours", "told", "best") if peer
        },
    }  # fmt: skip


def coverage(world: World, validation: int, windows: int, monitor: Any) -> dict[str, float]:
    """Measures the coverage of intervals: for windows of the test side, and for fresh ones."""
    reference, test = world.still[:validation], world.still[validation:]
    actual = np.array([world.labels.index(name) for name in test["actual"]])
    rng, inside = np.random.default_rng(SEED), 0
    estimator = accuracy_estimate.Estimator(
        reference, SingleLabel(world.labels), monitor.resamples, monitor.seed
    )
    for _ in range(windows):
        shares = rng.dirichlet(np.ones(len(world.labels)))
        weight = (shares / np.bincount(actual))[actual]
        window = test[rng.choice(len(actual), ROWS[0], p=weight / weight.sum())]
        interval = ours(estimator, window, monitor)
        inside += interval.low <= (window["label"] == window["actual"]).mean() <= interval.high
    fresh = coverage_of_fresh(world, validation, windows, monitor)
    return {"inside": inside / windows, "inside_fresh": fresh}


def coverage_of_fresh(world: World, rows: int, windows: int, monitor: Any) -> float:
    """Measures the coverage of intervals for windows without repeated articles."""
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
        estimator = accuracy_estimate.Estimator(
            reference, SingleLabel(world.labels), monitor.resamples, monitor.seed
        )
        interval = ours(estimator, window, monitor)
        inside += interval.low <= truth <= interval.high
    return inside / windows


def keep(row: dict[str, Any], path: Path, *key: str) -> None:
    """Writes a row at once; it replaces an older one of the same `key`."""
    before = json.loads(path.read_text()) if path.exists() else []
    others = [stored for stored in before if any(stored.get(name) != row.get(name) for name in key)]
    path.write_text(json.dumps([*others, row], indent=2) + "\n")
    print(row, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--splits", type=int, default=20, help="references")
    parser.add_argument("--windows", type=int, default=20, help="of each reference")
    parser.add_argument("--peer", help="a Python with nannyml")
    parser.add_argument("--newsgroups", type=Path, help="20 Newsgroups, a JSON line a post")
    parser.add_argument("--intervals", action="store_true", help="only those, of 500 windows")
    asked = parser.parse_args()
    stay_home()
    paths = Paths.find(Path(__file__).parent)
    params = parameters.load(paths.params)
    work = paths.home / "benchmarks"
    work.mkdir(parents=True, exist_ok=True)
    validation = tables.read_table(paths.split / "validation.parquet").height
    target = Path(__file__).with_suffix(".json")
    for words in WORDS:
        corpus, world = bbc(paths, params, words)
        if asked.intervals:
            row = {"corpus": corpus.name, "reference": validation}
            row |= coverage(world, validation, 500, params.monitor)
            keep(row, target, "corpus", "reference", "rows")
            continue
        for rows in ROWS:
            row = errors(corpus, validation, rows, asked.splits, asked.windows, asked.peer, work)
            keep(row, target, "corpus", "reference", "rows")
    if asked.newsgroups:
        corpus = posts(asked.newsgroups)
        for known, rows in itertools.product(REFERENCES, ROWS):
            row = errors(corpus, known, rows, asked.splits, asked.windows, asked.peer, work)
            keep(row, target, "corpus", "reference", "rows")


if __name__ == "__main__":
    main()
