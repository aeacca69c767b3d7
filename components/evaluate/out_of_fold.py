"""The predictions of a cross-validation, which take the place of those on the test side.

04_trained/out_of_fold.parquet has the candidate's; the simplest models are trained here.
"""

from __future__ import annotations

import polars as pl

from components.core import tables
from components.core.bundle import Predictions
from components.core.paths import Paths
from components.core.target import Target
from components.evaluate import baselines as simple_models


def read(paths: Paths, documents: pl.DataFrame, target: Target) -> Predictions:
    """Reads the candidate's prediction for each of `documents`, in their order."""
    import numpy as np

    rows = documents.select("id").join(
        tables.read_table(paths.trained / "out_of_fold.parquet"),
        on="id", how="left", maintain_order="left",
    )  # fmt: skip
    probabilities = np.array(rows["probabilities"].to_list(), np.float32)
    decided, confidence = target.decide(probabilities)
    return Predictions(
        labels=target.decode(decided),
        confidence=confidence,
        probabilities=probabilities,
        words=rows["words"].to_numpy(),
        unknown_share=rows["unknown_share"].to_numpy(),
        features=np.array(rows["features"].to_list(), np.float32).reshape(len(rows), -1),
        abstained=rows["abstained"].to_numpy(),
        novelty=rows["novelty"].to_numpy(),
    )


def baselines(documents: pl.DataFrame) -> tuple[pl.DataFrame, str | None]:
    """Predicts each fold by the simplest models, trained on the other folds.

    Returns:
        As `baselines.predict`, a row for each of `documents`, in their order.
    """
    answers, problems = [], []
    for fold in documents["fold"].unique().sort():
        tested = documents["fold"] == fold
        rows, problem = simple_models.predict(documents.filter(~tested), documents.filter(tested))
        answers.append(rows.with_columns(documents.filter(tested)["id"]))
        problems.append(problem)
    problem = next((problem for problem in problems if problem), None)
    rows = documents.select("id").join(
        pl.concat(answers), on="id", how="left", maintain_order="left"
    )
    rows = rows.select(*simple_models.COLUMNS)
    if problem:
        rows = rows.with_columns(baseline=pl.lit(None, dtype=pl.String))
    return rows, problem
