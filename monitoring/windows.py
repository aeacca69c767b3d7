"""Windows: which predictions monitoring judges together, read from the ledger.

A window goes by sequence numbers, (after, until], never by clock time: daylight saving and a clock
set back do not change it. It starts where the last judged window of the same bundle ended.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl
import sqlalchemy as sa

from components.core.ledger import PREDICTIONS, WINDOWS, Ledger

_COLUMNS = ("label", "confidence", "words", "unknown_share", "features")
# The types of Predictions.signals: a float32 and the same number as a float64 with other digits
# would not tie, and every tie that breaks looks like drift.
_SCHEMA = {
    "label": pl.String(),
    "confidence": pl.Float32(),
    "words": pl.Int32(),
    "unknown_share": pl.Float32(),
}


@dataclass(frozen=True)
class Window:
    """The predictions of one bundle with sequence numbers in (after, until].

    Attributes:
        bundle: name of the bundle that gave them.
        after, until: sequence numbers of the ledger; equal when there is none.
        signals: a row a prediction, the oldest first; columns as `Predictions.signals`.
        skipped: older predictions in (after, until] that are left out of `signals`.
    """

    bundle: str
    after: int
    until: int
    signals: pl.DataFrame = field(repr=False)
    skipped: int = 0

    @property
    def rows(self) -> int:
        return self.signals.height


def pick(ledger: Ledger, bundle: str, max_rows: int) -> Window:
    """The predictions of `bundle` that no window has judged yet.

    Args:
        ledger: where they are.
        bundle: the champion's.
        max_rows: most rows; of more, the newest are taken and the others skipped.

    Raises:
        LedgerError: the ledger cannot be reached.
    """
    judged = sa.select(sa.func.max(WINDOWS.c.until).label("seq")).where(WINDOWS.c.bundle == bundle)
    after = int(ledger.query(judged)[0]["seq"] or 0)
    new = sa.and_(PREDICTIONS.c.bundle == bundle, PREDICTIONS.c.seq > after)
    rows = ledger.query(
        sa.select(PREDICTIONS.c.seq, *(PREDICTIONS.c[name] for name in _COLUMNS))
        .where(new)
        .order_by(PREDICTIONS.c.seq.desc())
        .limit(max_rows)
    )
    if not rows:
        return Window(bundle, after, after, signals([]))
    until = int(rows[0]["seq"])
    count = sa.select(sa.func.count().label("n")).where(new, PREDICTIONS.c.seq <= until)
    skipped = int(ledger.query(count)[0]["n"]) - len(rows)
    return Window(bundle, after, until, signals(rows[::-1]), skipped)


def signals(rows: Sequence[dict[str, Any]]) -> pl.DataFrame:
    """The signals of rows of ledger.PREDICTIONS.

    Args:
        rows: with `label`, `confidence`, `words`, `unknown_share`, `features` (a list of numbers).

    Returns:
        Columns label, confidence, words, unknown_share, feature_0, ...; a feature that a row lacks
        is null.
    """
    table = pl.DataFrame(
        {name: [row[name] for row in rows] for name in _SCHEMA}, schema=_SCHEMA, strict=False
    )
    features = [row["features"] or [] for row in rows]
    width = max(map(len, features), default=0)
    return table.with_columns(
        pl.Series(
            f"feature_{i}",
            [values[i] if i < len(values) else None for values in features],
            dtype=pl.Float32(),
            strict=False,
        )
        for i in range(width)
    )
