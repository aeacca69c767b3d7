"""The folds of a cross-validation, which take the place of a test side that would be too small.

Where the test side would be too small, 03_split/folds.parquet has the documents of all sides with
their fold, their group of near duplicates, and the side that they would be on. The later stages
then measure the candidate on all documents, each by a model that did not learn from the document or
its near duplicates, and the released model learns from all documents. Without cross-validation the
file has no rows. fold_assignment.py makes it.
"""

from __future__ import annotations

import polars as pl

from components.core import tables
from components.core.paths import Paths

FILE = "folds.parquet"


def read(paths: Paths) -> pl.DataFrame | None:
    """Reads folds.parquet; None without cross-validation, also for a split of an older version."""
    file = paths.split / FILE
    rows = tables.read_table(file) if file.exists() else None
    return None if rows is None or rows.is_empty() else rows


def measured(paths: Paths) -> pl.DataFrame:
    """Reads the documents that evaluate measures: the test side, or all with cross-validation."""
    rows = read(paths)
    return tables.read_table(paths.split / "test.parquet") if rows is None else rows


def effective_count(group: pl.Series) -> float:
    """Computes the number of independent documents that groups of near duplicates are worth.

    Kish 1965, "Survey Sampling": n^2 / sum of squared group sizes, as if the documents of a group
    were all right or all wrong together.

    >>> effective_count(pl.Series([1, 2, 3, 4])), effective_count(pl.Series([1, 1, 2, 2]))
    (4.0, 2.0)
    """
    sizes = group.value_counts()["count"]
    return float(len(group) ** 2 / max(int((sizes**2).sum()), 1))
