"""Cross-validation of candidates, so that a result does not depend on one split.

    data/03_split (all sides) -> folds -> accuracy and macro F1 of candidates on the same folds

Cross-validation is no stage of the pipeline and releases nothing. Near duplicates share a fold. A
validation part of each fold's training documents stops the training, as in `newsloop run`.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from components import svm_baseline, train
from components.core import tables
from components.core import target as targets
from components.core.errors import DataError
from components.core.networks import assembly
from components.core.params import Params
from components.core.paths import Paths
from components.core.runtime import imports
from components.core.training.loop import NullLogger
from components.fold_assignment import assign, groups
from components.train import inference

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

BASELINE = "svm"  # TF-IDF + LinearSVC of scikit-learn; `linear` is an architecture of newsloop


@dataclass(frozen=True)
class Fold:
    """Result of one candidate on one fold; accuracy and macro F1 in [0, 1]."""

    candidate: str
    repeat: int
    fold: int
    accuracy: float
    macro_f1: float
    errors: int
    documents: int


@dataclass(frozen=True)
class FoldComparison:
    """Paired comparison of two candidates over folds.

    Attributes:
        difference: mean of the first candidate's accuracy minus the second's.
        p: two-sided p-value, in [0, 1].
    """

    difference: float
    p: float


def documents(paths: Paths) -> pl.DataFrame:
    """Reads all documents of the split, which has no exact duplicates.

    Raises:
        DataError: there is no split yet.
    """
    return pl.concat(sides(paths, "train", "validation", "test")).sort("id")


def sides(paths: Paths, *names: str) -> list[pl.DataFrame]:
    """Reads the sides `names` of the split.

    Raises:
        DataError: there is no split yet.
    """
    files = [paths.split / f"{name}.parquet" for name in names]
    if not all(file.exists() for file in files):
        raise DataError(
            f"Expected the documents of a learning run in {paths.split}, found none. Run "
            "`newsloop run` first."
        )
    return [tables.read_table(file) for file in files]


def corrected_t(differences: Sequence[float], tested: float) -> FoldComparison:
    """Computes the corrected resampled t-test.

    Nadeau and Bengio 2003, "Inference for the Generalization Error": folds share their training
    documents, so a plain t-test underestimates the variance.

    Args:
        differences: difference of two accuracies for each fold; at least two folds.
        tested: test documents over training documents, for example 0.25 with five folds.
    """
    from scipy.stats import t

    mean = statistics.mean(differences)
    variance = statistics.variance(differences)
    if not variance:
        return FoldComparison(mean, 1.0 if mean == 0 else 0.0)
    statistic = mean / ((1 / len(differences) + tested) * variance) ** 0.5
    return FoldComparison(mean, float(2 * t.sf(abs(statistic), len(differences) - 1)))


def learn_and_stop(table: pl.DataFrame, params: Params) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Splits `table` into training documents and a validation part for early stopping.

    The part has the share of the validation side in `split`; near duplicates stay together.
    """
    share = params.split.validation_share / (1 - params.split.test_share)
    group = groups(table["text"].to_list(), params.split, table["label"].to_list())
    in_validation = assign(group, round(1 / share), 1) == 0
    return table.filter(~pl.Series(in_validation)), table.filter(pl.Series(in_validation))


def answer(
    name: str,
    params: Params,
    training_documents: pl.DataFrame,
    texts: Sequence[str],
    cache_folder: Path | None = None,
) -> list[str]:
    """Trains candidate `name` and predicts the labels of `texts`.

    Args:
        name: an architecture, "ensemble", or BASELINE.
        params: all settings.
        training_documents: documents with text and label, for training and early stopping.
        texts: texts to predict.
        cache_folder: see `train.fit`.
    """
    if name == BASELINE:
        return svm_baseline.predict(
            training_documents["text"].to_list(), training_documents["label"].to_list(), texts
        )
    imports.keras()  # the networks import Keras
    sides = learn_and_stop(training_documents, params)
    model, encoder, _ = train.fit(name, params, *sides, NullLogger(), cache_folder=cache_folder)
    # The label is a placeholder: inference encodes labels, and this function ignores them.
    table = pl.DataFrame({"text": list(texts), "label": params.ingest.labels[0]})
    predictions, _ = inference.outputs(name, model, encoder, params, table, cache_folder)
    target = targets.of(params)
    return target.decode(target.decide(predictions[assembly.PROBABILITIES])[0])


def run(
    params: Params,
    table: pl.DataFrame,
    candidates: Sequence[str],
    folds: int,
    repeats: int,
    predict: Callable[[str, Params, pl.DataFrame, Sequence[str]], list[str]] = answer,
) -> Iterator[Fold]:
    """Yields the result of each candidate on each fold.

    Args:
        params: all settings.
        table: documents with text and label.
        candidates: architectures, "ensemble", or BASELINE.
        folds: number of folds, at least 2.
        repeats: number of cross-validations, each with other folds.
        predict: function with the arguments of `answer`.
    """
    group = groups(table["text"].to_list(), params.split, table["label"].to_list())
    target = targets.of(params)
    for repeat in range(repeats):
        fold = assign(group, folds, params.split.seed + repeat)
        for number in range(folds):
            in_fold = pl.Series(fold == number)
            test = table.filter(in_fold)
            for name in candidates:
                predicted = predict(name, params, table.filter(~in_fold), test["text"].to_list())
                scored = target.score(test["label"].to_list(), predicted, params.evaluate)
                yield Fold(
                    name,
                    repeat,
                    number,
                    scored["accuracy"]["value"],
                    scored["macro_f1"]["value"],
                    scored["errors"],
                    scored["documents"],
                )


def summary(results: Sequence[Fold], folds: int) -> dict[str, Any]:
    """Computes mean and standard deviation by candidate, and compares each one with the first.

    Returns:
        candidates: name -> accuracy, accuracy_deviation, macro_f1, macro_f1_deviation, errors,
        documents, and for all but the first: first_is_better_by, p (see `corrected_t`); folds;
        results: the fields of each Fold.
    """
    names = list(dict.fromkeys(result.candidate for result in results))
    by_name = {name: [r for r in results if r.candidate == name] for name in names}
    candidates: dict[str, Any] = {}
    for name, rows in by_name.items():
        accuracy, f1 = [r.accuracy for r in rows], [r.macro_f1 for r in rows]
        candidates[name] = {
            "accuracy": statistics.mean(accuracy),
            "accuracy_deviation": statistics.stdev(accuracy),
            "macro_f1": statistics.mean(f1),
            "macro_f1_deviation": statistics.stdev(f1),
            "errors": sum(r.errors for r in rows),
            "documents": sum(r.documents for r in rows),
        }
        if name != names[0]:
            first = [r.accuracy for r in by_name[names[0]]]
            gaps = [a - b for a, b in zip(first, accuracy, strict=True)]
            compared = corrected_t(gaps, 1 / (folds - 1))
            candidates[name] |= {"first_is_better_by": compared.difference, "p": compared.p}
    return {"candidates": candidates, "folds": folds, "results": [vars(r) for r in results]}
