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
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import numpy as np
import polars as pl

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks import peers
from components import crossvalidate, train
from components.core import feeding, fitting, hardware, metrics, network
from components.core import params as parameters
from components.core.architecture_settings import Single
from components.core.offline import stay_home
from components.core.paths import Paths

KEPT = Path(__file__).with_suffix(".jsonl")
Halves = tuple[pl.DataFrame, pl.DataFrame]


@dataclass(frozen=True)
class Answers:
    """What an architecture said, (N, C) probabilities, and the validation loss of its epoch."""

    probabilities: Any
    validation_loss: float


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


class ReadOnce:
    """`pretrained`, of which only the answer learns: what it sees of a text is the same in each
    fold, so it reads all texts once for all folds. Otherwise as components/train.py trains it.

    Args:
        table: all documents of all folds.
    """

    def __init__(self, params: parameters.Params, table: pl.DataFrame) -> None:
        self._params, self._settings = params, params.train.pretrained
        self._where = hardware.strategy(params.train.hardware)
        encoder = train.make_encoder(self._settings, ["the"], params.text.unit)
        classes, rows = params.ingest.labels, params.train.fitting.read_rows
        self._whole = train.build(
            self._settings, np.zeros((1, 1), np.float32), len(classes), params, self._where
        )
        self._first = self._whole.get_weights()
        look = fitting.make_look(self._whole, [network.FEATURES])
        side = feeding.encode(table, encoder, classes, rows)
        step = params.train.fitting.padding_step
        found = fitting.outputs(self._whole, look, side, step, "reading once")[network.FEATURES]
        self._seen = dict(zip(table["text"], found, strict=True))

    def __call__(self, learn: pl.DataFrame, stop: pl.DataFrame, asked: pl.DataFrame) -> Answers:
        train_, settings, tables = self._params.train, self._settings, (learn, stop, asked)
        self._whole.set_weights(self._first)
        seen = np.stack([self._seen[text] for table in tables for text in table["text"]])
        head = network.head(self._whole, seen, settings.dropout, train_.seed)
        sides, first = [], 0
        for table in tables:
            labels = [self._params.ingest.labels.index(label) for label in table["label"]]
            blank = feeding.Side(
                *[np.zeros(len(table), np.int64)] * 3, np.array(labels, np.int32), 1
            )
            sides.append(feeding.numbered(blank, first))
            first += len(table)
        counted = feeding.weights(sides[0].labels, len(self._params.ingest.labels), "none")
        feed = feeding.Feed(
            sides[0], counted, None, train_.fitting, settings.batch_size, 1, train_.seed
        )
        recipe = fitting.Recipe(
            train_.fitting, settings.learning_rate, train_.label_smoothing, train_.epochs,
            train_.patience,
        )  # fmt: skip
        state = fitting.fit(head, feed, sides[1], recipe, self._where, crossvalidate.Silent())
        look = fitting.make_look(head, [network.PROBABILITIES])
        said = fitting.outputs(head, look, sides[2], 1)[network.PROBABILITIES]
        return Answers(said, state.history[state.best - 1]["validation/loss"])


def trained(
    name: Single, params: parameters.Params, learn: pl.DataFrame, stop: pl.DataFrame,
    asked: pl.DataFrame,
) -> Answers:  # fmt: skip
    """An architecture that learned, as the pipeline trains it."""
    model, encoder, facts = train.fit(name, params, learn, stop, crossvalidate.Silent())
    side = feeding.encode(asked, encoder, params.ingest.labels, params.train.fitting.read_rows)
    look = fitting.make_look(model, [network.PROBABILITIES])
    said = fitting.outputs(model, look, side, params.train.fitting.padding_step)
    return Answers(said[network.PROBABILITIES], facts["validation_loss"])


def measure(
    names: list[Single],
    params: parameters.Params,
    learned: pl.DataFrame,
    asked: pl.DataFrame,
    once: ReadOnce | None,
) -> dict[str, dict[str, float]]:
    """Errors and macro F1 of each architecture, of their mean, and of the SVM; ours with the
    validation loss that chose between them."""
    labels = params.ingest.labels
    learn, stop = crossvalidate.learn_and_stop(learned, params)
    found, together = {}, []
    for name in names:
        if name == "pretrained" and once is not None:
            answers = once(learn, stop, asked)
        else:
            answers = trained(name, params, learn, stop, asked)
        together.append(answers.probabilities)
        said = [labels[i] for i in answers.probabilities.argmax(axis=1)]
        found[name] = score(said, asked, labels) | {"validation_loss": answers.validation_loss}
    found["best single"] = found[min(names, key=lambda name: found[name]["validation_loss"])]
    if len(names) > 1:
        said = [labels[i] for i in np.mean(together, axis=0).argmax(axis=1)]
        found["ensemble"] = score(said, asked, labels)
    texts = asked["text"].to_list()
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
        table = pl.concat([learned, asked], how="diagonal")
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
    rows, new, once = list[dict[str, Any]](), 0, None
    for name, learned, asked in parts:
        if name not in done:
            if new == chosen.new:
                break
            new += 1
            if once is None and network.reads_once(params.train.pretrained):
                once = ReadOnce(params, table) if "pretrained" in chosen.candidates else None
            found = measure(chosen.candidates, params, learned, asked, once)
            done[name] = {"fold": name, "documents": len(asked), "found": found, "key": key}
            with KEPT.open("a") as file:
                file.write(json.dumps(done[name]) + "\n")
        rows.append(done[name])
        errors = {one: int(score["errors"]) for one, score in done[name]["found"].items()}
        print(f"fold {name}: {len(asked)} documents, errors {errors}", flush=True)
    report(rows, 1 / (chosen.folds - 1))


if __name__ == "__main__":
    main()
