"""Measures the candidate on the test side, once, and renders a report.

03_split, 04_trained -> data/05_evaluated/metrics.json         for the gate
                        data/05_evaluated/summary.json         for `dvc metrics` and `dvc exp show`
                        data/05_evaluated/predictions.parquet  one row for each test document:
                                                               candidate and simplest models
                        data/05_evaluated/confusion.csv        for `dvc plots`
                        data/05_evaluated/reference.parquet    signals of validation and test side
                        data/05_evaluated/suspects.parquet     documents with suspected labels
                        data/05_evaluated/words.parquet        common words of the reference
                        data/05_evaluated/report.html          report
                        data/05_evaluated/answers.parquet      with cross-validation: for the bundle

Where the test side would be too small, all documents are measured, each by a model that did not
learn from it; see components/folds.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import polars as pl

from components import folds, slices
from components.core import keys, metrics, tables, text_quality
from components.core import target as targets
from components.core.bundle import Model, Predictions
from components.core.bundle import answers as bundle_answers
from components.core.bundle import reference as references
from components.core.bundle.layout import ANSWERS
from components.core.params import Evaluate, Params
from components.core.paths import Paths
from components.core.progress import say
from components.core.target import Target, calibration
from components.evaluate import baselines, behaviour, out_of_fold, report
from components.evaluate import insight as evaluation_insight

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

_DIGITS = 6  # decimal digits of numbers in files


def trust(rows: pl.DataFrame, settings: Evaluate) -> dict[str, Any]:
    """Measures calibration, and the effect of abstention.

    Args:
        rows: result of `answers`.
        settings: confidence level of the interval, bins of the calibration error.

    Returns:
        calibration_error and calibration_noise (see core/target/calibration.py) in [0, 1];
        answered: share of the documents without abstention, and their accuracy (value, low, high:
        Wilson interval), None if the model always abstains.
    """
    right = rows["right"]
    answered = ~rows["abstained"]
    hits, count = int((right & answered).sum()), int(answered.sum())
    confidence, bins = rows["confidence"].to_numpy(), settings.calibration_bins
    error = calibration.expected_calibration_error(confidence, right.to_numpy(), bins)
    noise = calibration.calibration_noise(confidence, bins, settings.seed)
    accuracy = metrics.wilson(hits, count, settings.confidence).rounded() if count else None
    return {
        "calibration_error": round(error, _DIGITS),
        "calibration_noise": round(noise, _DIGITS),
        "answered": {"share": round(count / max(len(rows), 1), _DIGITS), "accuracy": accuracy},
    }


def summary(measured: Mapping[str, Any]) -> dict[str, Any]:
    """Selects the main numbers of metrics.json, for one row of `dvc metrics show`."""
    return {
        "architecture": measured["architecture"],
        "accuracy": measured["accuracy"]["value"],
        "macro_f1": measured["macro_f1"]["value"],
        "calibration_error": measured["calibration_error"],
        "answered": measured["answered"]["share"],
        "errors": measured["errors"],
        "documents": measured["documents"],
    }


def answers(documents: pl.DataFrame, predictions: Predictions, target: Target) -> pl.DataFrame:
    """Builds a table of id, actual, predicted, confidence, abstained, right, without texts."""
    return documents.select("id", actual="label").with_columns(
        predicted=pl.Series(predictions.labels, dtype=pl.String),
        confidence=pl.Series(predictions.confidence).round(_DIGITS),
        abstained=pl.Series(predictions.abstained, dtype=pl.Boolean),
        right=target.right(documents["label"], pl.Series(predictions.labels, dtype=pl.String)),
    )


def build_reference(
    model: Model,
    validation: pl.DataFrame,
    test: pl.DataFrame,
    test_predictions: Predictions,
    params: Params,
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Builds the reference of the bundle, see core/bundle/reference.py.

    Args:
        model: the candidate.
        validation, test: documents of these sides.
        test_predictions: predictions of the test side, so that the model predicts it only once.
        params: all settings.

    Returns:
        The reference, at most `reference_rows` rows; and its common words.
    """
    first = validation.height
    chosen = references.thinned(first + test.height, params.evaluate.reference_rows)
    test_rows = [i - first for i in chosen if i >= first]
    chosen_validation, settings = validation[[i for i in chosen if i < first]], params.validate_
    language = text_quality.language_of(settings.language_characters, settings.language_score)
    tables_, texts = [], list[str]()
    for side, predictions in (
        (chosen_validation, model.predict(chosen_validation["text"].to_list())),
        (test[test_rows], test_predictions.taken(test_rows)),
    ):
        table = references.table(predictions, side["text"].to_list(), language)
        tables_.append(references.with_truth(table, side["label"].to_list()))
        texts += side["text"].to_list()
    return pl.concat(tables_), references.common_words(texts)


def run(params: Params, paths: Paths) -> None:
    """Runs the stage: predicts, measures, renders the report."""
    target = targets.of(params)
    test = tables.read_table(paths.split / "test.parquet")
    validation = tables.read_table(paths.split / "validation.parquet")
    training = tables.read_json(paths.trained / "training.json")
    model = Model(paths.trained / "model", params.ingest.labels, params.train.target)
    documents = folds.read(paths)
    predictions = model.predict((test if documents is None else documents)["text"].to_list())
    final = None
    if documents is not None:
        test, final = documents, predictions
        predictions = out_of_fold.read(paths, documents, target)
    rows = answers(test, predictions, target)
    actual, predicted = rows["actual"].to_list(), rows["predicted"].to_list()
    independent = None if documents is None else folds.effective_count(documents["group"])
    measured = target.score(actual, predicted, params.evaluate, independent)
    measured["folds"] = training.get("folds", 0)
    measured |= trust(rows, params.evaluate) | {"architecture": training["architecture"]}
    train = tables.read_table(paths.split / "train.parquet")
    if documents is None:
        simple_answers, problem = baselines.predict(train, test)
    else:
        train, validation = documents, documents.clear()
        simple_answers, problem = out_of_fold.baselines(documents)
    rows = pl.concat([rows, simple_answers], how="horizontal")
    measured |= baselines.measure(rows, problem, target, params.evaluate)
    measured["imbalanced"] = metrics.imbalanced(train["label"].value_counts()["count"])
    measured["slices"] = slices.accuracy(
        rows, slices.assign(test, params.evaluate.length_bounds), params.evaluate.confidence
    )
    behaviour_results = behaviour.check(
        model, behaviour.load(paths.behaviour), test, params.evaluate.behaviour_documents
    )
    measured["behaviour"] = {
        key: behaviour_results[key] for key in ("passed", "of", "value") if behaviour_results
    }
    train_and_validation = pl.concat([train, validation])
    suspects = evaluation_insight.suspected_labels(
        train_and_validation, params.evaluate.suspect_documents, params.evaluate.seed
    )
    searched = min(len(train_and_validation), params.evaluate.suspect_documents)
    measured["label_errors"] = {"searched": searched, "suspected": len(suspects)}
    insight = report.Insight(
        evaluation_insight.class_words(model, test, predicted, params.evaluate.explained_documents),
        suspects.join(train_and_validation.select("id", "text"), on="id", maintain_order="left"),
        behaviour_results.get("cases", []),
    )
    reference, words = build_reference(model, validation, test, predictions, params)
    tables.write_json(measured, paths.evaluated / "metrics.json")
    tables.write_json(summary(measured), paths.evaluated / "summary.json")
    if final is not None:
        rows = _with_final(rows, test, final, paths)
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
        f"{f1['high']:.4f}) on {measured['documents']} {_of(measured)}; calibration error "
        f"{measured['calibration_error']:.4f}, {measured['answered']['share']:.1%} answered; "
        f"{_baseline(measured['baseline'])}; behaviour "
        f"{behaviour_results.get('passed', 0)} of {behaviour_results.get('of', 0)}; "
        f"{len(suspects)} labels look wrong"
    )


def _with_final(
    rows: pl.DataFrame, documents: pl.DataFrame, final: Predictions, paths: Paths
) -> pl.DataFrame:
    """Adds the final model's answers for the rehearsal, and writes those of the folds' models."""
    own = bundle_answers.table(
        documents["text"].to_list(), rows["predicted"].to_list(), keys.pseudonym_key(paths.keys)
    )
    tables.write_table(own, paths.evaluated / ANSWERS)
    return rows.with_columns(
        final=pl.Series(final.labels, dtype=pl.String),
        final_confidence=pl.Series(final.confidence).round(_DIGITS),
    )


def _of(measured: Mapping[str, Any]) -> str:
    count = measured["folds"]
    return f"documents by {count} folds" if count else "test documents"


def _baseline(baseline: Mapping[str, Any]) -> str:
    if baseline["problem"]:
        return f"{baseline['name']} could not be trained"
    return f"{baseline['name']} {baseline['accuracy']['value']:.4f}"
