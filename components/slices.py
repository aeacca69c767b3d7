"""Computes the accuracy on slices of the test side by class, length, source and time.

The evaluation's report and the gate use the same bounds for lengths.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Literal

import polars as pl

from components.core import metrics

LengthBounds = Sequence[int] | Literal["thirds"]
KINDS = ("class", "length", "source", "time")
_PERIODS = 4  # with about the same number of documents each


def by_length(lengths: pl.Series, bounds: LengthBounds) -> pl.Series:
    """Names the length slice of each document.

    Args:
        lengths: characters of each document.
        bounds: ascending numbers of characters at which the next slice begins; or "thirds" for
            three slices of equal numbers of documents, fewer slices if lengths repeat.

    >>> by_length(pl.Series([1, 5, 9]), [2, 9]).to_list()
    ['0 to 1 characters', '2 to 8 characters', '9 characters and more']
    >>> by_length(pl.Series([10, 20, 30]), "thirds").to_list()
    ['0 to 10 characters', '11 to 20 characters', '21 characters and more']
    """
    if bounds == "thirds":
        cuts = [lengths.quantile(share, "lower") for share in (1 / 3, 2 / 3)]
        bounds = sorted({int(cut) + 1 for cut in cuts if cut is not None and cut < _max(lengths)})
    edges = [0, *bounds]
    names = [f"{low} to {high - 1} characters" for low, high in pairwise(edges)]
    names.append(f"{edges[-1]} characters and more")
    slice_number = pl.Series([0] * len(lengths), dtype=pl.Int32)
    for edge in bounds:
        slice_number += (lengths >= edge).cast(pl.Int32)
    return pl.Series(names).gather(slice_number)


def _max(lengths: pl.Series) -> int:
    return int(str(lengths.max()))


def assign(documents: pl.DataFrame, length_bounds: LengthBounds) -> pl.DataFrame:
    """Assigns each document to its slice of each kind.

    Args:
        documents: table with id, text, label, source and time.
        length_bounds: see `by_length`.

    Returns:
        id, and a column for each of KINDS: the slice's name, null for a document without slice.

    >>> assign(pl.DataFrame({"id": ["x"], "text": ["abc"], "label": ["a"], "source": ["s"],
    ...     "time": [None]}, schema_overrides={"time": pl.Datetime("us", "UTC")}), [2, 9]).row(0)
    ('x', 'a', '2 to 8 characters', 's', None)
    """
    return documents.select(
        "id",
        pl.col("label").alias("class"),
        by_length(documents["text"].str.len_chars(), length_bounds).alias("length"),
        "source",
        _periods(documents["time"]).alias("time"),
    )


def accuracy(
    answers: pl.DataFrame, slices: pl.DataFrame, confidence: float
) -> dict[str, dict[str, Any]]:
    """Computes the accuracy on each slice.

    Args:
        answers: table with id and right.
        slices: result of `assign`.
        confidence: confidence level of the intervals, in (0, 1).

    Returns:
        kind -> slice -> documents, and accuracy (value, low, high: Wilson interval), without kinds
        that no document has.
    """
    rows = answers.select("id", hit="right").join(slices, on="id")
    accuracy_by_kind: dict[str, dict[str, Any]] = {}
    for kind in KINDS:
        counts = rows.drop_nulls(kind).group_by(kind).agg(pl.len(), pl.col("hit").sum()).sort(kind)
        if len(counts):
            accuracy_by_kind[kind] = {
                name: {
                    "documents": total,
                    "accuracy": metrics.wilson(hits, total, confidence).rounded(),
                }
                for name, total, hits in counts.iter_rows()
            }
    return accuracy_by_kind


def _periods(times: pl.Series) -> pl.Series:
    """Names the period of each document, such as "2025-01-03 to 2025-04-30"; null without time."""
    sorted_times = times.drop_nulls().sort()
    periods = min(_PERIODS, sorted_times.n_unique())
    if not periods:
        return pl.Series([None] * len(times), dtype=pl.String)
    starts = [sorted_times[i * len(sorted_times) // periods] for i in range(periods)]
    periods_table = pl.DataFrame({"start": starts}).unique("start").sort("start")
    indexed = pl.DataFrame({"time": times}).with_row_index()
    joined = (
        indexed.drop_nulls().sort("time").join_asof(periods_table, left_on="time", right_on="start")
    )
    ends = joined.group_by("start").agg(pl.col("time").max().alias("end"))
    day = "%Y-%m-%d"
    text = joined.join(ends, on="start").select(
        "index",
        name=pl.format(
            "{} to {}", pl.col("start").dt.strftime(day), pl.col("end").dt.strftime(day)
        ),
    )
    return indexed.join(text, on="index", how="left", maintain_order="left")["name"]
