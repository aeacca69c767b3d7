"""Slices of the test side by class, length, source and time, and the accuracy on each.

The evaluation's report and the gate cut lengths by the same bounds.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Literal

import polars as pl

from components.core import metrics

LengthBounds = Sequence[int] | Literal["thirds"]
KINDS = ("class", "length", "source", "time")
_PERIODS = 4  # that documents with a time are cut into, equally many in each


def by_length(lengths: pl.Series, bounds: LengthBounds) -> pl.Series:
    """The name of the slice of lengths that each document belongs to.

    Args:
        lengths: characters of each document.
        bounds: characters, rising, from which the next slice begins; or "thirds": bounds that put
            a third of the documents into each of three slices, fewer slices where lengths repeat.

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
    place = pl.Series([0] * len(lengths), dtype=pl.Int32)
    for edge in bounds:
        place += (lengths >= edge).cast(pl.Int32)
    return pl.Series(names).gather(place)


def _max(lengths: pl.Series) -> int:
    return int(str(lengths.max()))


def assign(documents: pl.DataFrame, length_bounds: LengthBounds) -> pl.DataFrame:
    """The slice of each kind that every document belongs to.

    Args:
        documents: with id, text, label, source and time.
        length_bounds: as `by_length` has them.

    Returns:
        id, and a column for each of KINDS: the slice's name, null where the document has none.

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
    """Accuracy by slice.

    Args:
        answers: id, right.
        slices: as `assign` gives them.
        confidence: of the intervals, in (0, 1).

    Returns:
        kind -> slice -> documents, and accuracy (value, low, high: Wilson's interval). A kind that
        no document has is left out.
    """
    rows = answers.select("id", hit="right").join(slices, on="id")
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
