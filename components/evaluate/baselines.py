"""Answers of the simplest models to the test side, for the gate: majority class and linear model.

Both learn from the train side alone. A candidate that is not better than the majority class has
learned nothing, and one that is worse than the linear model is not worth its cost.
"""

from __future__ import annotations

from typing import Any

import polars as pl

from components import svm_baseline
from components.core import metrics
from components.core.errors import DataError
from components.core.params import Evaluate
from components.core.target import Target

COLUMNS = {"majority": pl.String, "baseline": pl.String}


def predict(train: pl.DataFrame, test: pl.DataFrame) -> tuple[pl.DataFrame, str | None]:
    """Predicts the test side by both models.

    Args:
        train, test: documents, with text and label.

    Returns:
        A row for each document of `test`: majority (the most frequent label of `train`, the first
        by name of equal ones), baseline (null where it cannot be trained); and why it cannot be.
    """
    counts = train["label"].value_counts().sort("count", "label", descending=[True, False])
    problem = None
    try:
        answers: list[str] | None = svm_baseline.predict(
            train["text"].to_list(), train["label"].to_list(), test["text"].to_list()
        )
    except DataError as error:
        answers, problem = None, str(error)
    rows = pl.DataFrame(
        {
            "majority": [counts["label"][0]] * len(test),
            "baseline": answers or [None] * len(test),
        },
        schema=COLUMNS,
    )
    return rows, problem


def measure(
    answers: pl.DataFrame, problem: str | None, target: Target, settings: Evaluate
) -> dict[str, Any]:
    """Computes the numbers of both models for metrics.json.

    Args:
        answers: actual, majority and baseline of each test document.
        problem: why the baseline has no answers; None if it has.
    """
    actual = answers["actual"].to_list()
    baseline: dict[str, Any] = {"name": svm_baseline.NAME, "problem": problem}
    if problem is None:
        scores = target.score(actual, answers["baseline"].to_list(), settings)
        baseline |= {key: scores[key] for key in ("accuracy", "macro_f1", "errors")}
    hits = int((answers["actual"] == answers["majority"]).sum())
    majority = metrics.wilson(hits, len(actual), settings.confidence).rounded()
    return {
        "baseline": baseline,
        "majority": {"label": answers["majority"][0], "accuracy": majority},
    }
