"""Evidence of the gate: files of the stages, the ledger, the champion's answers.

Each comparison is made without the labels of each caller in turn; see callers.py.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl

from components import folds
from components.core import bundle, keys, params, tables
from components.core import target as targets
from components.core.bundle import answers as bundle_answers
from components.core.errors import DataError
from components.core.ledger import Champion, Ledger
from components.core.ledger import gate as ledger_gate
from components.core.paths import Paths
from components.gate import baselines, callers, comparison
from components.gate.baselines import Baseline, Metric, Simple
from components.gate.checks import rehearsed
from components.gate.comparison import Comparison


def against_simple(
    params_: params.Params, paths: Paths, measured: dict[str, Any], said_by: dict[str, str]
) -> tuple[list[list[Baseline]], list[str]]:
    """The comparisons with the simplest models, without each caller in turn; why one is missing."""
    rows = answered(paths)
    # Near duplicates, which a cross-validation knows, are no new evidence either.
    rows = rows.unique("group" if "group" in rows.columns else "text", maintain_order=True)
    if Simple.MAJORITY not in rows.columns:
        return [], [
            "the simplest models cannot be compared: another newsloop made the evaluation, and it "
            "has no answers of theirs"
        ]
    parts = callers.without_each(
        rows.select("candidate", *Simple, actual="label", caller=_caller(said_by))
    )
    if not parts:
        return [], ["no test document is left on which the simplest models could be compared"]
    metric = Metric.MACRO_F1 if measured.get("imbalanced") else Metric.ACCURACY
    compared_ = baselines.compare(parts, targets.of(params_), params_.gate, metric)
    problem = measured["baseline"].get("problem")
    remarks = [f"whether it is worse than the linear baseline cannot be said: {problem}"]
    return compared_, remarks if problem else []


def against_champion(
    params_: params.Params,
    paths: Paths,
    ledger: Ledger,
    champion: Champion,
    said_by: dict[str, str],
) -> tuple[list[Comparison], list[str]]:
    """The comparisons with the champion, without each caller in turn; or why there are none.

    Args:
        said_by: document -> the caller whose label it has, where that may not decide alone.
    """
    if champion.version in ledger.retired():
        return [], [f"{champion.tag} is retired and must go, so that it is not compared"]
    model = bundle.load(paths.bundles / champion.bundle, paths.keys)
    if set(model.labels) != set(params_.ingest.labels):
        return [], [f"{champion.tag} sorts into other classes and cannot be compared"]
    mark = champion.decision.get("feedback_watermark", 0)
    newest = _documents(params_, ledger_gate.labelled_since(ledger, mark))
    asked = _documents(params_, ledger_gate.asked_for(ledger))
    rows = compared(paths, model, newest, asked, said_by, paths.bundles / champion.bundle)
    parts = [] if rows.is_empty() else callers.without_each(rows)
    if not parts:
        return [], [f"no test document is left on which {champion.tag} could be compared"]
    target, bounds = targets.of(params_), params_.evaluate.length_bounds
    return [comparison.compare(part, target, params_.gate, bounds) for part in parts], []


def callers_of(params_: params.Params, ledger: Ledger) -> dict[str, str]:
    said_by = callers.of_predictions(ledger)
    documents = _documents(params_, list(said_by))
    return {id_: said_by[id_.partition("/")[2]] for id_ in documents}


def measured_without_each(
    params_: params.Params, paths: Paths, measured: dict[str, Any], said_by: dict[str, str]
) -> list[dict[str, Any]]:
    """metrics.json, or instead the same without each caller who has texts on the test side."""
    if not said_by:
        return [measured]
    rows = answered(paths).select("candidate", actual="label", caller=_caller(said_by))
    if rows["caller"].is_null().all():
        return [measured]
    return [
        callers.measured_on(part, measured, params_) for part in callers.without_each(rows)
    ] or [measured]


def stood(params_: params.Params, paths: Paths, candidate: str) -> bool:
    """Tests that a rehearsal of this candidate exists and passed."""
    return all(check.passed for check in rehearsed(rehearsal_of(paths, candidate), params_.gate))


def rehearsal_of(paths: Paths, candidate: str) -> dict[str, Any] | None:
    file = paths.rehearsals / f"{candidate}.json"
    return tables.read_json(file) if file.exists() else None


def compared(
    paths: Paths,
    champion: bundle.Model,
    newest: list[str],
    asked: list[str],
    said_by: dict[str, str],
    folder: Path | None = None,
) -> pl.DataFrame:
    """One row a text of the test side: what `comparison.compare` wants.

    A text that stands there twice counts once: repeats are no new evidence. Texts whose label the
    label queue asked for are left out: it asks for those that are hard for the champion, and on
    them any other model looks better.

    A champion that was measured by cross-validation learned from all its documents. Its bundle has
    the answers of the folds' models to them, which count instead of its own. If the candidate alone
    was measured so, only the documents that would be on the test side count: the champion did not
    learn from them.

    Args:
        champion: the model that serves.
        newest: ids of documents that people labelled since it was made. Only those that fell on
            the test side count: the candidate learned from the others.
        asked: ids of documents that the label queue asked for.
        said_by: document -> the caller whose label it has, where that may not decide alone.
        folder: of the champion's bundle; None: it has no answers.
    """
    rows = (
        answered(paths)
        .filter(~pl.col("id").is_in(asked))
        .unique("text", keep="first", maintain_order=True)
    )
    texts = rows["text"].to_list()
    own = bundle_answers.read(folder, texts, keys.pseudonym_key(paths.keys)) if folder else None
    if own is None and "side" in rows.columns:
        rows, own = rows.filter(pl.col("side") == "test"), []
        texts = rows["text"].to_list()
    said = champion.predict(texts).labels
    if own:
        said = [answer or label for answer, label in zip(own, said, strict=True)]
    return rows.select(
        "candidate",
        "source",
        champion=pl.Series(said, dtype=pl.String),
        actual="label",
        recent=pl.col("id").is_in(newest),
        length=pl.col("text").str.len_chars(),
        caller=_caller(said_by),
    )


def answered(paths: Paths) -> pl.DataFrame:
    """The test side, with the answers of the candidate; and of the simplest models, if any."""
    answers = tables.read_table(paths.evaluated / "predictions.parquet")
    test = folds.measured(paths)
    if answers["id"].to_list() != test["id"].to_list():
        raise DataError(
            f"Expected an answer of the candidate to each document of {paths.split}, got others. "
            "Run `dvc repro evaluate`."
        )
    simple = [answers[model] for model in Simple if model in answers.columns]
    return test.with_columns(answers["predicted"].alias("candidate"), *simple)


def _caller(said_by: dict[str, str]) -> pl.Expr:
    return pl.col("id").replace_strict(said_by, default=None, return_dtype=pl.String)


def _documents(params_: params.Params, predictions: list[str]) -> list[str]:
    """The ids that these predictions have as documents of the feedback sources."""
    sources = [one.name for one in params_.ingest.sources if one.kind == "feedback"]
    return [f"{source}/{id_}" for source in sources for id_ in predictions]


def leaks(paths: Paths) -> int:
    """Documents in which validate's leak test found personal data, and that went on."""
    validation = tables.read_json(paths.validated / "validation.json")
    count = validation["leaks"] if "leaks" in validation else _leaks_of_0_1(validation)
    if count is None:
        raise DataError(
            f"Expected the leak test's result in {paths.validated}, it has none. Run `dvc repro "
            "--force validate`."
        )
    return int(count)


def _leaks_of_0_1(validation: dict[str, Any]) -> int | None:
    """The same from a file of 0.1.0, as a champion of that version makes it in the workspace."""
    rows = validation["expectations"].get("Documents that go on", [])
    return next((row["unexpected"] for row in rows if row["column"] == "leaks"), None)


def train_documents(paths: Paths) -> dict[str, int]:
    """Documents of each class on the train side; empty if split did not count them."""
    file = paths.split / "split.json"
    split = tables.read_json(file) if file.exists() else {}
    return dict(split.get("sides", {}).get("train", {}).get("by_class", {}))
