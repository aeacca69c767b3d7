"""Checks of the gate that stand whichever caller's labels are left out; see docs/feedback.md.

The labels of one caller may be wrong on purpose. So a proof that the candidate is better has to
hold without each of them, and what speaks against a candidate has to be found without each of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from components.core import target as targets
from components.core.ledger import Ledger, labels
from components.core.params import Params
from components.gate.checks import Check

_LEFT_OUT = 8  # callers, those with the most texts of the test side


def of_predictions(ledger: Ledger) -> dict[str, str]:
    """Prediction -> the caller of its last label, where that may not decide alone."""
    rows = labels.learnable(ledger)
    return {row["prediction_id"]: row["caller"] for row in rows if row["caller"] is not None}


def without_each(rows: pl.DataFrame) -> list[pl.DataFrame]:
    """The rows without each of the callers in turn; `rows` alone where there are none.

    Args:
        rows: with a column `caller`, null for what does not come from one.
    """
    counts = rows.drop_nulls("caller").group_by("caller").len().sort("len", "caller")
    callers = counts["caller"].to_list()[-_LEFT_OUT:]
    parts = [rows.filter(pl.col("caller").is_null() | (pl.col("caller") != one)) for one in callers]
    return [part for part in parts if not part.is_empty()] if parts else [rows]


def standing(found: Sequence[Sequence[Check]]) -> list[Check]:
    """The checks that decide, of those of each part of `without_each`.

    Of a proof the weakest, of what else speaks against the candidate the mildest. What some parts
    do not ask at all is nothing that is found in each.

    >>> proofs = [Check("better", v, 0.05, ceiling=True, proof=True) for v in (0.01, 0.9)]
    >>> floors = [Check("accuracy", value, 0.95) for value in (0.93, 0.98)]
    >>> [one.value for one in standing([list(pair) for pair in zip(proofs, floors)])]
    [0.9, 0.98]
    """
    by_name = [{check.name: check for check in checks} for checks in found]
    chosen = []
    for name, check in by_name[0].items():
        same = [checks[name] for checks in by_name if name in checks]
        if check.proof:
            chosen.append(min(same, key=_slack))
        elif len(same) == len(by_name):
            chosen.append(max(same, key=_slack))
    return chosen


def measured_on(rows: pl.DataFrame, measured: Mapping[str, Any], params: Params) -> dict[str, Any]:
    """The numbers of metrics.json that have floors, on `rows` of the test side instead of all.

    A class that is not among them has none.

    Args:
        rows: columns actual and candidate.
        measured: metrics.json.
    """
    actual, said = rows["actual"].to_list(), rows["candidate"].to_list()
    names = [name for name in params.ingest.labels if name in {*actual, *said}]
    scored = targets.make(params.train.target, names).score(actual, said, params.evaluate)
    classes = {name: row for name, row in scored["classes"].items() if name in actual}
    return {**measured, **scored, "classes": classes}


def _slack(check: Check) -> float:
    return check.limit - check.value if check.ceiling else check.value - check.limit
