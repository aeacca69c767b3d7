"""Parts of the test side, and how good the model is on each: by class, length, source and time."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import polars as pl

from components.core import metrics

KINDS = ("class", "length", "source", "time")
_PERIODS = 4  # that documents with a time are cut into, equally many in each


def assign(documents: pl.DataFrame, length_bounds: Sequence[int]) -> pl.DataFrame:
    """Which slice of each kind every document belongs to.

    Args:
        documents: with id, text, label, source and time.
        length_bounds: characters, rising, from which the next slice of lengths begins.

    Returns:
        id, and a column for each of KINDS: the slice's name, null where the document has none.

    >>> assign(pl.DataFrame({"id": ["x"], "text": ["abc"], "label": ["a"], "source": ["s"],
    ...     "time": [None]}, schema_overrides={"time": pl.Datetime("us", "UTC")}), [2, 9]).row(0)
    ('x', 'a', '2 to 8 characters', 's', None)
    """
    edges = [0, *length_bounds]
    names = [f"{low} to {high - 1} characters" for low, high in pairwise(edges)]
    names.append(f"{edges[-1]} characters and more")
    place = sum((pl.col("text").str.len_chars() >= edge).cast(pl.Int32) for edge in length_bounds)
    return documents.select(
        "id",
        pl.col("label").alias("class"),
        pl.lit(pl.Series(names)).gather(place).alias("length"),
        "source",
        _periods(documents["time"]).alias("time"),
    )


def accuracy(
    answers: pl.DataFrame, slices: pl.DataFrame, confidence: float
) -> dict[str, dict[str, Any]]:
    """Accuracy by slice.

    Args:
        answers: id, actual, predicted.
        slices: as `assign` gives them.
        confidence: of the intervals, in (0, 1).

    Returns:
        kind -> slice -> documents, and accuracy (value, low, high: Wilson's interval). A kind that
        no document has is left out.
    """
    rows = answers.select("id", hit=pl.col("actual") == pl.col("predicted")).join(slices, on="id")
    found: dict[str, dict[str, Any]] = {}
    for kind in KINDS:
        counts = rows.drop_nulls(kind).group_by(kind).agg(pl.len(), pl.col("hit").sum()).sort(kind)
        if len(counts):
            found[kind] = {
                name: {
                    "documents": total,
                    "accuracy": metrics.wilson(hits, total, confidence).rounded(),
                }
                for name, total, hits in counts.iter_rows()
            }
    return found


def _periods(times: pl.Series) -> pl.Series:
    """The stretch of time that each document belongs to, such as "2025-01-03 to 2025-04-30"."""
    known = times.drop_nulls().sort()
    periods = min(_PERIODS, known.n_unique())
    if not periods:
        return pl.Series([None] * len(times), dtype=pl.String)
    starts = [known[i * len(known) // periods] for i in range(periods)]
    named = pl.DataFrame({"start": starts}).unique("start").sort("start")
    after = pl.DataFrame({"time": times}).with_row_index()
    joined = after.drop_nulls().sort("time").join_asof(named, left_on="time", right_on="start")
    ends = joined.group_by("start").agg(pl.col("time").max().alias("end"))
    day = "%Y-%m-%d"
    text = joined.join(ends, on="start").select(
        "index",
        name=pl.format(
            "{} to {}", pl.col("start").dt.strftime(day), pl.col("end").dt.strftime(day)
        ),
    )
    return after.join(text, on="index", how="left", maintain_order="left")["name"]
