"""What people ask after the numbers: by which words does it decide, and which labels look wrong?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import polars as pl

from components import label_noise
from components.core import tables
from components.core.bundle import Model
from components.core.target import SingleLabel

_SHOWN_WORDS = 12  # of a class
_LEAST_DOCUMENTS = 2  # of one class that a word must stand in; in one alone it is that text's word
_FOLD_DIGITS = 8  # of a text's hash that choose its fold


def class_words(
    model: Model, documents: pl.DataFrame, predicted: Sequence[str], each: int
) -> dict[str, list[dict[str, Any]]]:
    """The words that speak most for each class, over the texts that got it.

    Args:
        model: which explains.
        documents: the test side, with id and text.
        predicted: the label that each got.
        each: documents of a class that are explained, the first ones by id.

    Returns:
        class -> word, weight (mean over the class's documents, in units of ln p), documents with
        the word; the strongest first. See core/bundle/explanation.py.
    """
    asked = documents.select("id", "text", label=pl.Series(predicted, dtype=pl.String)).sort("id")
    found: dict[str, list[dict[str, Any]]] = {}
    for label in model.labels:
        texts = asked.filter(pl.col("label") == label)["text"].head(each).to_list()
        sums: dict[str, list[float]] = {}
        for why in model.explain(texts):
            for word, weight in why.weights.items():
                sums.setdefault(word, []).append(weight)
        rows: list[dict[str, Any]] = [
            {"word": word, "weight": round(sum(all_) / len(texts), 4), "documents": len(all_)}
            for word, all_ in sums.items()
            if len(all_) >= _LEAST_DOCUMENTS
        ]
        found[label] = sorted(rows, key=lambda row: (-row["weight"], row["word"]))[:_SHOWN_WORDS]
    return found


def suspected_labels(documents: pl.DataFrame, most: int, seed: int) -> pl.DataFrame:
    """Documents whose label is probably wrong, the most suspicious first.

    A linear model judges texts that it did not learn from (components/label_noise.py); confident
    learning says how many labels of each class are wrong, and those documents are named that give
    their own label least (Northcutt, Jiang and Chuang 2021; cleanlab's `find_label_issues`).

    Args:
        documents: to search, with id, text and label.
        most: documents that are searched; of more, a sample by `seed`.

    Returns:
        id, label, looks_like, quality: the probability of the label that it has, in [0, 1].
    """
    from cleanlab.filter import find_label_issues

    searched = documents.sort("id")
    if len(searched) > most:
        searched = searched.sample(most, seed=seed).sort("id")
    names = sorted(set(searched["label"]))
    labels = searched["label"].to_list()
    columns = {"id": pl.String, "label": pl.String, "looks_like": pl.String, "quality": pl.Float64}
    if len(names) < 2:  # noqa: PLR2004 - with one class no label can be wrong
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
