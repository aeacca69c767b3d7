"""Ratio of errors: our architectures against TF-IDF + LinearSVC, both tuned inside each fold.

Run with nothing else on the machine. BBC News (after `make run`) in folds, or one split of
20 Newsgroups by its date, from a file of JSON lines (text, label, split), without headers,
footers and quotes, as scikit-learn takes them out:

    python benchmarks/learning/folds.py bbc --candidates linear textcnn pretrained
    python benchmarks/learning/folds.py newsgroups --path newsgroups20.jsonl.gz --candidates textcnn

Each fold's training documents are divided into a training and a validation part, near-duplicates
together. Ours choose their epoch or C on the validation part and train only on the other, as in the
pipeline. The best single architecture of the fold has the lowest validation loss, so the choice
does not use the fold's test documents. The SVM chooses C and n-grams on the same validation part,
and then trains on both. The ensemble is the mean of all `--candidates`. Scores are stored in
benchmarks/learning/folds.jsonl, probabilities under .newsloop/benchmarks; stored results are not
computed again. `--new 1` computes one more fold and stops.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

sys.path.insert(0, str(Path(__file__).parents[2]))

from benchmarks.learning import peers, project
from components import train
from components.core import metrics
from components.core import params as parameters
from components.core.networks import assembly
from components.core.params.architectures import ARCHITECTURES, Single
from components.core.paths import Paths
from components.core.target import SingleLabel
from components.core.training.loop import NullLogger
from components.experiments import crossvalidate
from components.train import inference

RESULTS = Path(__file__).with_suffix(".jsonl")
PEER = crossvalidate.BASELINE
Halves = tuple[pl.DataFrame, pl.DataFrame]


def newsgroups(path: Path, documents: int | None) -> Halves:
    """Reads training and test documents; drops those without words."""
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
    """Yields name, training documents and test documents of each fold."""
    group = crossvalidate.groups(table["text"].to_list(), params.split)
    for repeat in range(repeats):
        fold = crossvalidate.assign(group, count, params.split.seed + repeat)
        for number in range(count):
            in_test = pl.Series(fold == number)
            yield f"{repeat + 1}.{number + 1}", table.filter(~in_test), table.filter(in_test)


def score(predicted: list[str], asked: pl.DataFrame, labels: list[str]) -> dict[str, float]:
    counts = SingleLabel(labels).confusion(asked["label"].to_list(), predicted)
    return {
        "errors": len(predicted) - int(counts.trace()),
        "macro_f1": float(metrics.by_class(counts)[:, 2].mean()),
    }


def answers(
    name: Single,
    params: parameters.Params,
    learned: pl.DataFrame,
    asked: pl.DataFrame,
    cache_folder: Path,
) -> tuple[Any, float]:
    """Trains an architecture as the pipeline does; returns (N, C) probabilities and its loss."""
    learn, stop = crossvalidate.learn_and_stop(learned, params)
    silent = NullLogger()
    model, encoder, facts = train.fit(name, params, learn, stop, silent, cache_folder=cache_folder)
    outputs, _ = inference.outputs(name, model, encoder, params, asked, cache_folder)
    return outputs[assembly.PROBABILITIES], facts["validation_loss"]


class FoldResults:
    """Store of results by fold, candidate, and all inputs of the result."""

    def __init__(self, params: parameters.Params, corpus: dict[str, Any], folder: Path) -> None:
        self._params, self._corpus, self._folder = params, corpus, folder
        self._vectors = Paths.find(Path(__file__).parent).vectors
        lines = RESULTS.read_text().splitlines() if RESULTS.exists() else []
        self._rows = {(row["key"], row["fold"]): row for row in map(json.loads, lines)}

    def key(self, name: str) -> str:
        """Hashes the documents and the settings that this candidate depends on."""
        settings_of = self._params.train.model_dump()
        common = {
            name_of: settings_of[name_of]
            for name_of in ("embedding", "seed", "label_smoothing", "fitting")
        }
        common |= {name_of: settings_of[name_of] for name_of in ("epochs", "patience")}
        settings = {"own": settings_of[name], **common} if name in settings_of else {}
        if name in settings_of and not self._params.train.architecture(name).has_closed_form:  # type: ignore[arg-type]
            settings["fitting"] = {
                k: v for k, v in settings_of["fitting"].items() if k != "strengths"
            }
        about = {"name": name, "text": self._params.text.model_dump(), **settings, **self._corpus}
        return hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()[:16]

    def row(self, name: str, fold: str) -> dict[str, Any] | None:
        return self._rows.get((self.key(name), fold))

    def probabilities(self, name: str, fold: str) -> Any:
        return np.load(self._file(name, fold))

    def has(self, name: str, fold: str) -> bool:
        return bool(self.row(name, fold)) and (name == PEER or self._file(name, fold).exists())

    def do(self, name: Any, fold: str, learned: pl.DataFrame, asked: pl.DataFrame) -> None:
        """Trains one candidate in one fold, and stores its results."""
        labels, more = self._params.ingest.labels, dict[str, float]()
        if name == PEER:
            sides = crossvalidate.learn_and_stop(learned, self._params)
            predicted = peers.svm(*sides, asked["text"].to_list(), refit=True).predicted
        else:
            probabilities, loss = answers(name, self._params, learned, asked, self._vectors)
            predicted, more = (
                [labels[i] for i in probabilities.argmax(axis=1)],
                {"validation_loss": loss},
            )
            self._folder.mkdir(parents=True, exist_ok=True)
            np.save(self._file(name, fold), probabilities.astype(np.float32))
        row = {"corpus": self._corpus["corpus"], "fold": fold, "name": name, "key": self.key(name)}
        row |= {"documents": len(asked)} | score(predicted, asked, labels) | more
        self._rows[row["key"], fold] = row
        with RESULTS.open("a") as file:
            file.write(json.dumps(row) + "\n")

    def _file(self, name: str, fold: str) -> Path:
        return self._folder / f"{self.key(name)}-{fold.replace(' ', '-')}.npy"


def fold_of(
    store: FoldResults, names: list[Single], fold: str, asked: pl.DataFrame, labels: list[str]
) -> dict[str, dict[str, float]]:
    """Scores each architecture, the best by validation loss, their mean, and the SVM."""
    scores: dict[str, Any] = {name: store.row(name, fold) for name in names}
    scores["best single"] = scores[min(names, key=lambda name: scores[name]["validation_loss"])]
    if len(names) > 1:
        mean = np.mean([store.probabilities(name, fold) for name in names], axis=0)
        scores["ensemble"] = score([labels[i] for i in mean.argmax(axis=1)], asked, labels)
    return scores | {PEER: store.row(PEER, fold)}


def report(rows: list[dict[str, Any]], tested: float) -> None:
    """Prints the table over all finished folds."""
    documents = sum(row["documents"] for row in rows)
    peer = sum(row["scores"][PEER]["errors"] for row in rows)
    print(f"{len(rows)} folds, {documents} answers")
    print(f"{'':<14}{'errors':>7}{'accuracy':>10}{'macro F1':>10}{'of the SVM':>12}{'p':>8}")
    for name in rows[0]["scores"]:
        errors = sum(row["scores"][name]["errors"] for row in rows)
        f1 = sum(row["scores"][name]["macro_f1"] for row in rows) / len(rows)
        gaps = [
            (row["scores"][PEER]["errors"] - row["scores"][name]["errors"]) / row["documents"]
            for row in rows
        ]
        many = len(rows) > 1
        p = f"{crossvalidate.corrected_t(gaps, tested).p:.3f}" if many and name != PEER else ""
        ratio = errors / max(peer, 1)
        print(
            f"{name:<14}{errors:>7}{1 - errors / documents:>10.4f}{f1:>10.4f}{ratio:>12.2f}{p:>8}"
        )


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument("corpus", choices=("bbc", "newsgroups"))
    parser.add_argument("--path", type=Path, help="of 20 Newsgroups, .jsonl.gz")
    names = list(ARCHITECTURES)
    parser.add_argument(
        "--candidates", nargs="+", choices=names, default=["textcnn", "linear", "pretrained"]
    )
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--epochs", type=int, help="at most; default: as params.yaml")
    parser.add_argument("--documents", type=int, help="a sample, to try this; default: all")
    parser.add_argument("--new", type=int, help="folds to do in this call; default: all")
    return parser.parse_args()


def main() -> None:
    chosen = arguments()
    paths, params = project.load(chosen.epochs)
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
    corpus = {option: getattr(chosen, option) for option in ("corpus", "folds", "documents")}
    store = FoldResults(params, corpus, paths.home / "benchmarks" / "folds")
    rows, new = list[dict[str, Any]](), 0
    for fold, learned, asked in parts:
        missing = [name for name in [PEER, *chosen.candidates] if not store.has(name, fold)]
        if missing and new == chosen.new:
            break
        new += bool(missing)
        for name in missing:
            store.do(name, fold, learned, asked)
        scores = fold_of(store, chosen.candidates, fold, asked, params.ingest.labels)
        rows.append({"documents": len(asked), "scores": scores})
        errors = {candidate: int(score["errors"]) for candidate, score in scores.items()}
        print(f"fold {fold}: {len(asked)} documents, errors {errors}", flush=True)
    report(rows, 1 / (chosen.folds - 1))


if __name__ == "__main__":
    main()
