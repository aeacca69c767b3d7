"""Computes the words that explain each class, and the documents with suspected label errors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import polars as pl

from components import label_noise
from components.core import tables
from components.core.bundle import Model
from components.core.target import SingleLabel

_SHOWN_WORDS = 12  # for each class
_EXPLAINED_CLASSES = 50  # the most frequent: an explanation costs several predictions
_CLASS_DOCUMENTS = 5  # on average, from which labels are searched for errors
_MIN_DOCUMENTS = (
    2  # of a class with the word; a word of a single document does not explain the class
)
_FOLD_DIGITS = 8  # hexadecimal digits of a text's hash that select its fold


def class_words(
    model: Model, documents: pl.DataFrame, predicted: Sequence[str], each: int
) -> dict[str, list[dict[str, Any]]]:
    """Computes the words with the highest mean weight for each class.

    Args:
        model: computes the explanations.
        documents: the test side, with id and text.
        predicted: predicted label of each document.
        each: number of documents of a class that are explained, the first ones by id.

    Returns:
        class -> rows of word, weight (mean over the explained documents of the class, in units of
        ln p), documents with the word; highest weight first. See core/bundle/explanation.py.
    """
    explained = documents.select("id", "text", label=pl.Series(predicted, dtype=pl.String)).sort(
        "id"
    )
    words_by_class: dict[str, list[dict[str, Any]]] = {}
    shown = set(
        explained["label"]
        .value_counts()
        .sort("count", "label", descending=[True, False])["label"]
        .head(_EXPLAINED_CLASSES)
    )
    for label in model.labels if len(model.labels) <= _EXPLAINED_CLASSES else sorted(shown):
        texts = explained.filter(pl.col("label") == label)["text"].head(each).to_list()
        sums: dict[str, list[float]] = {}
        for explanation in model.explain(texts):
            for word, weight in explanation.weights.items():
                sums.setdefault(word, []).append(weight)
        rows: list[dict[str, Any]] = [
            {"word": word, "weight": round(sum(weights) / len(texts), 4), "documents": len(weights)}
            for word, weights in sums.items()
            if len(weights) >= _MIN_DOCUMENTS
        ]
        words_by_class[label] = sorted(rows, key=lambda row: (-row["weight"], row["word"]))[
            :_SHOWN_WORDS
        ]
    return words_by_class


def suspected_labels(documents: pl.DataFrame, limit: int, seed: int) -> pl.DataFrame:
    """Finds documents whose label is probably wrong, lowest label quality first.

    A linear model predicts each document by cross-validation (components/label_noise.py).
    Confident learning selects the suspected label errors from these probabilities (Northcutt,
    Jiang and Chuang 2021; cleanlab's `find_label_issues`).

    Args:
        documents: documents to search, with id, text and label.
        limit: maximum number of documents to search; a sample of more documents.
        seed: of the sample.

    Returns:
        id, label, looks_like, quality: the probability of the document's label, in [0, 1].
    """
    from cleanlab.filter import find_label_issues

    searched = documents.sort("id")
    if len(searched) > limit:
        searched = searched.sample(limit, seed=seed).sort("id")
    names = sorted(set(searched["label"]))
    labels = searched["label"].to_list()
    columns = {"id": pl.String, "label": pl.String, "looks_like": pl.String, "quality": pl.Float64}
    # With few documents of each class the linear model calls most rare labels wrong.
    if len(names) < 2 or len(searched) < _CLASS_DOCUMENTS * len(names):  # noqa: PLR2004 - one class
        return pl.DataFrame(schema=columns)
    target = SingleLabel(names)
    actual = target.encode(labels)
    texts = searched["text"].to_list()
    folds = [int(tables.text_hash(text)[:_FOLD_DIGITS], 16) for text in texts]
    probabilities = label_noise.out_of_fold(texts, actual, folds, len(names))
    worst = find_label_issues(
        actual, probabilities, return_indices_ranked_by="self_confidence", n_jobs=1
    )
    looks_like = target.decode(target.decide(probabilities)[0])
    rows = [
        (
            searched["id"][int(i)],
            labels[i],
            looks_like[int(i)],
            round(float(probabilities[i, actual[i]]), 6),
        )
        for i in worst
    ]
    return pl.DataFrame(rows, schema=columns, orient="row")
