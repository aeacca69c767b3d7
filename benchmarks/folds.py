"""Errors of our architectures over those of TF-IDF + LinearSVC, both tuned inside each fold.

Run with nothing else on the machine. BBC News (after `make run`) in folds, or one split of
20 Newsgroups by its date, from a file of JSON lines (text, label, split), without headers,
footers and quotes, as scikit-learn takes them out:

    python benchmarks/folds.py bbc --candidates linear textcnn pretrained
    python benchmarks/folds.py newsgroups --path newsgroups20.jsonl.gz --candidates textcnn

Inside a fold's learning documents a part is kept apart, near duplicates together. Ours stop by it,
and the best single architecture of the fold is the one with the lowest loss there, so it is chosen
without a look at the fold's test documents. The SVM chooses C and n-grams by the same part, and
then learns from it, too. The ensemble is the mean of all `--candidates`. Each fold's result is
kept in benchmarks/folds.jsonl, and a fold that stands there is not done again; `--new 1` does one
more and stops.
"""

from __future__ import annotations

import argparse
import gzip
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import polars as pl

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks import peers
from components import crossvalidate, train, train_ensemble
from components.core import metrics, network
from components.core import params as parameters
from components.core.architecture_settings import Single
from components.core.offline import stay_home
from components.core.paths import Paths

KEPT = Path(__file__).with_suffix(".jsonl")
Halves = tuple[pl.DataFrame, pl.DataFrame]


def newsgroups(path: Path, documents: int | None) -> Halves:
    """Documents to learn from, and to be asked about; those of no words are left out."""
    from sklearn.datasets._twenty_newsgroups import (
        strip_newsgroup_footer,
        strip_newsgroup_header,
        strip_newsgroup_quoting,
    )

    with gzip.open(path, "rt", encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    table = pl.DataFrame(
        [
            {
                "text": strip_newsgroup_footer(
                    strip_newsgroup_quoting(strip_newsgroup_header(row["text"]))
                ).strip(),
                "label": row["label"],
                "split": row["split"],
            }
            for row in rows
        ]
    ).filter(pl.col("text") != "")
    sides = [table.filter(pl.col("split") == side) for side in ("train", "test")]
    if documents:
        sides = [side.sample(min(documents, len(side)), seed=1) for side in sides]
    return sides[0], sides[1]


def folds(
    table: pl.DataFrame, params: parameters.Params, count: int, repeats: int
) -> Iterator[tuple[str, pl.DataFrame, pl.DataFrame]]:
    """Name, documents to learn from, documents to be asked about."""
    group = crossvalidate.groups(table["text"].to_list(), params.split)
    for repeat in range(repeats):
        fold = crossvalidate.assign(group, count, params.split.seed + repeat)
        for number in range(count):
            held = pl.Series(fold == number)
            yield f"{repeat + 1}.{number + 1}", table.filter(~held), table.filter(held)


def score(said: list[str], asked: pl.DataFrame, labels: list[str]) -> dict[str, float]:
    counts = metrics.confusion(asked["label"].to_list(), said, labels)
    return {
        "errors": len(said) - int(counts.trace()),
        "macro_f1": float(metrics.by_class(counts)[:, 2].mean()),
    }


def measure(
    names: list[Single], params: parameters.Params, learned: pl.DataFrame, asked: pl.DataFrame
) -> dict[str, dict[str, float]]:
    """Errors and macro F1 of each architecture, of their mean, and of the SVM; ours with the
    validation loss that chose between them."""
    import tensorflow as tf

    labels = params.ingest.labels
    learn, stop = crossvalidate.learn_and_stop(learned, params)
    texts = asked["text"].to_list()
    trained: dict[Any, Any] = {
        name: train.fit(name, params, learn, stop, crossvalidate.Silent()) for name in names
    }
    if len(names) > 1:
        trained["ensemble"] = train_ensemble.combine(dict(trained), params, stop)
    found = {}
    for name, (model, encoder, facts) in trained.items():
        ids = encoder(tf.constant(texts))[0]
        said = model.predict(ids, batch_size=64, verbose=0)[network.PROBABILITIES].argmax(axis=1)
        found[name] = score([labels[i] for i in said], asked, labels)
        found[name]["validation_loss"] = facts["validation_loss"]
    found["best single"] = found[min(names, key=lambda name: found[name]["validation_loss"])]
    found["svm"] = score(peers.svm(learn, stop, texts, refit=True).said, asked, labels)
    return found


def report(rows: list[dict[str, Any]], tested: float) -> None:
    """The table over all folds that were done."""
    documents = sum(row["documents"] for row in rows)
    peer = sum(row["found"]["svm"]["errors"] for row in rows)
    print(f"{len(rows)} folds, {documents} answers")
    print(f"{'':<14}{'errors':>7}{'accuracy':>10}{'macro F1':>10}{'of the SVM':>12}{'p':>8}")
    for name in rows[0]["found"]:
        errors = sum(row["found"][name]["errors"] for row in rows)
        f1 = sum(row["found"][name]["macro_f1"] for row in rows) / len(rows)
        gaps = [
            (row["found"]["svm"]["errors"] - row["found"][name]["errors"]) / row["documents"]
            for row in rows
        ]
        many = len(rows) > 1
        p = f"{crossvalidate.corrected_t(gaps, tested).p:.3f}" if many and name != "svm" else ""
        ratio = errors / max(peer, 1)
        print(
            f"{name:<14}{errors:>7}{1 - errors / documents:>10.4f}{f1:>10.4f}{ratio:>12.2f}{p:>8}"
        )


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument("corpus", choices=("bbc", "newsgroups"))
    parser.add_argument("--path", type=Path, help="of 20 Newsgroups, .jsonl.gz")
    names = get_args(Single)
    parser.add_argument("--candidates", nargs="+", choices=names, default=["linear", "textcnn"])
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--epochs", type=int, help="at most; default: as params.yaml")
    parser.add_argument("--documents", type=int, help="a sample, to try this; default: all")
    parser.add_argument("--new", type=int, help="folds to do in this call; default: all")
    return parser.parse_args()


def main() -> None:
    chosen = arguments()
    stay_home()
    paths = Paths.find(Path(__file__).parent)
    params = parameters.load(paths.params)
    if chosen.epochs:
        fewer = params.train.model_copy(update={"epochs": chosen.epochs})
        params = params.model_copy(update={"train": fewer})
    if chosen.corpus == "newsgroups":
        learned, asked = newsgroups(chosen.path, chosen.documents)
        labels = sorted(set(learned["label"]))
        ingest = params.ingest.model_copy(update={"labels": labels})
        params = params.model_copy(update={"ingest": ingest})
        parts: Any = [("by date", learned, asked)]
    else:
        table = crossvalidate.documents(paths)
        if chosen.documents:
            table = table.sample(chosen.documents, seed=1)
        parts = folds(table, params, chosen.folds, chosen.repeats)
    # What makes two runs the same: with other settings a fold is done again.
    key = {
        name: str(value)
        for name, value in vars(chosen).items()
        if name not in ("path", "repeats", "new")
    } | {"params": params.train.model_dump_json() + params.text.model_dump_json()}
    lines = KEPT.read_text().splitlines() if KEPT.exists() else []
    done = {row["fold"]: row for line in lines if (row := json.loads(line))["key"] == key}
    rows, new = list[dict[str, Any]](), 0
    for name, learned, asked in parts:
        if name not in done:
            if new == chosen.new:
                break
            new += 1
            found = measure(chosen.candidates, params, learned, asked)
            done[name] = {"fold": name, "documents": len(asked), "found": found, "key": key}
            with KEPT.open("a") as file:
                file.write(json.dumps(done[name]) + "\n")
        rows.append(done[name])
        errors = {one: int(score["errors"]) for one, score in done[name]["found"].items()}
        print(f"fold {name}: {len(asked)} documents, errors {errors}", flush=True)
    report(rows, 1 / (chosen.folds - 1))


if __name__ == "__main__":
    main()
