"""Measures the candidate on the test side, once, and draws what people want to see.

03_split, 04_trained -> data/05_evaluated/metrics.json         for the gate
                        data/05_evaluated/summary.json         for `dvc metrics` and `dvc exp show`
                        data/05_evaluated/predictions.parquet  one row a test document
                        data/05_evaluated/confusion.csv        for `dvc plots`
                        data/05_evaluated/reference.parquet    signals of both sides held back
                        data/05_evaluated/suspects.parquet     documents whose label looks wrong
                        data/05_evaluated/words.parquet        its common words
                        data/05_evaluated/report.html          for people
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import polars as pl

from components import slices, svm_baseline
from components.core import (
    metrics,
    tables,
    text_quality,
)
from components.core import target as targets
from components.core.bundle import Model, Predictions
from components.core.bundle import reference as references
from components.core.params import Evaluate, Params
from components.core.paths import Paths
from components.core.progress import say
from components.core.target import Target, calibration
from components.evaluate import behaviour, report
from components.evaluate import insight as evaluation_insight

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

_DIGITS = 6  # kept of each number in files: more would be noise


def trust(rows: pl.DataFrame, settings: Evaluate) -> dict[str, Any]:
    """Whether confidence can be believed, and what abstaining does.

    Args:
        rows: as `answers` gives them.
        settings: confidence of the interval, bins of the calibration error.

    Returns:
        calibration_error in [0, 1]; answered: share of the documents that get an answer, and its
        accuracy (value, low, high), None where nothing is answered.
    """
    right = rows["right"]
    given = ~rows["abstained"]
    hits, count = int((right & given).sum()), int(given.sum())
    error = calibration.expected_calibration_error(
        rows["confidence"].to_numpy(), right.to_numpy(), settings.calibration_bins
    )
    accuracy = metrics.wilson(hits, count, settings.confidence).rounded() if count else None
    return {
        "calibration_error": round(error, _DIGITS),
        "answered": {"share": round(count / max(len(rows), 1), _DIGITS), "accuracy": accuracy},
    }


def summary(measured: Mapping[str, Any]) -> dict[str, Any]:
    """The numbers of metrics.json that a person compares: one row of `dvc metrics show`."""
    return {
        "architecture": measured["architecture"],
        "accuracy": measured["accuracy"]["value"],
        "macro_f1": measured["macro_f1"]["value"],
        "calibration_error": measured["calibration_error"],
        "answered": measured["answered"]["share"],
        "errors": measured["errors"],
        "documents": measured["documents"],
    }


def answers(documents: pl.DataFrame, found: Predictions, target: Target) -> pl.DataFrame:
    """One row a document: id, actual, predicted, confidence, abstained, right; no text."""
    return documents.select("id", actual="label").with_columns(
        predicted=pl.Series(found.labels, dtype=pl.String),
        confidence=pl.Series(found.confidence).round(_DIGITS),
        abstained=pl.Series(found.abstained, dtype=pl.Boolean),
        right=target.right(documents["label"], pl.Series(found.labels, dtype=pl.String)),
    )


def known(
    model: Model, validation: pl.DataFrame, test: pl.DataFrame, said: Predictions, params: Params
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """What monitoring compares traffic with: see core/bundle/reference.py.

    Args:
        said: what the model said of the test side, so that it is not asked twice.
    """
    first = validation.height
    chosen = references.thinned(first + test.height, params.evaluate.reference_rows)
    tested = [i - first for i in chosen if i >= first]
    held, asked = validation[[i for i in chosen if i < first]], params.validate_
    language = text_quality.language_of(asked.language_characters, asked.language_score)
    tables_, texts = [], list[str]()
    for side, found in (
        (held, model.predict(held["text"].to_list())), (test[tested], said.taken(tested)),
    ):  # fmt: skip
        table = references.table(found, side["text"].to_list(), language)
        tables_.append(references.with_truth(table, side["label"].to_list()))
        texts += side["text"].to_list()
    return pl.concat(tables_), references.common_words(texts)


def run(params: Params, paths: Paths) -> None:
    """The stage: predicts, measures, draws."""
    target = targets.of(params)
    test = tables.read_table(paths.split / "test.parquet")
    validation = tables.read_table(paths.split / "validation.parquet")
    training = tables.read_json(paths.trained / "training.json")
    model = Model(paths.trained / "model", params.ingest.labels, params.train.target)
    said = model.predict(test["text"].to_list())
    rows = answers(test, said, target)
    actual, predicted = rows["actual"].to_list(), rows["predicted"].to_list()
    measured = target.score(actual, predicted, params.evaluate)
    measured |= trust(rows, params.evaluate) | {"architecture": training["architecture"]}
    train = tables.read_table(paths.split / "train.parquet")
    simple = svm_baseline.predict(
        train["text"].to_list(), train["label"].to_list(), test["text"].to_list()
    )
    plain = target.score(actual, simple, params.evaluate)
    measured["baseline"] = {"name": svm_baseline.NAME} | {
        key: plain[key] for key in ("accuracy", "macro_f1", "errors")
    }
    measured["slices"] = slices.accuracy(
        rows, slices.assign(test, params.evaluate.length_bounds), params.evaluate.confidence
    )
    behaved = behaviour.check(
        model, behaviour.load(paths.behaviour), test, params.evaluate.behaviour_documents
    )
    measured["behaviour"] = {key: behaved[key] for key in ("passed", "of", "value") if behaved}
    learned = pl.concat([train, validation])
    suspects = evaluation_insight.suspected_labels(
        learned, params.evaluate.suspect_documents, params.evaluate.seed
    )
    searched = min(len(learned), params.evaluate.suspect_documents)
    measured["label_errors"] = {"searched": searched, "suspected": len(suspects)}
    insight = report.Insight(
        evaluation_insight.class_words(model, test, predicted, params.evaluate.explained_documents),
        suspects.join(learned.select("id", "text"), on="id", maintain_order="left"),
        behaved.get("cases", []),
    )
    reference, words = known(model, validation, test, said, params)
    tables.write_json(measured, paths.evaluated / "metrics.json")
    tables.write_json(summary(measured), paths.evaluated / "summary.json")
    tables.write_table(rows, paths.evaluated / "predictions.parquet")
    tables.write_text(
        rows.select("actual", "predicted").write_csv(), paths.evaluated / "confusion.csv"
    )
    tables.write_table(reference, paths.evaluated / "reference.parquet")
    tables.write_table(suspects, paths.evaluated / "suspects.parquet")
    tables.write_table(words, paths.evaluated / "words.parquet")
    epochs = report.epochs(paths.trained / "live" / "plots" / "metrics")
    page = report.render(measured, rows, training, epochs, test, insight)
    tables.write_text(page, paths.evaluated / "report.html")
    accuracy, f1 = measured["accuracy"], measured["macro_f1"]
    say(
        f"evaluate: accuracy {accuracy['value']:.4f} ({accuracy['low']:.4f} to "
        f"{accuracy['high']:.4f}), macro F1 {f1['value']:.4f} ({f1['low']:.4f} to "
        f"{f1['high']:.4f}) on {measured['documents']} test documents; calibration error "
        f"{measured['calibration_error']:.4f}, {measured['answered']['share']:.1%} answered; "
        f"{svm_baseline.NAME} {plain['accuracy']['value']:.4f}; behaviour "
        f"{behaved.get('passed', 0)} of {behaved.get('of', 0)}; {len(suspects)} labels look wrong"
    )
