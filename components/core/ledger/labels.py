"""Labels by caller: list, rate, withdrawal and suspects.

A label that is set aside moves from LABELS to SET_ASIDE, so that nothing that reads labels can
forget to leave it out; `take_back` moves it back with the number that it had.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, TypeVar

import sqlalchemy as sa

from components.core.ledger import Ledger
from components.core.ledger.tables import (
    LABELS,
    PREDICTIONS,
    SET_ASIDE,
    TEXTS,
    last_labels,
    untrusted,
)

LOOPBACK = "loopback"  # a caller of this machine without a key
T = TypeVar("T")
Why = Literal["withdrawn", "suspect"]
_TOGETHER = 400  # values in one statement; SQLite takes 999 at least


@dataclass(frozen=True)
class Sender:
    """Caller of labels.

    Attributes:
        caller: the id of its API key, or LOOPBACK.
        trusted: its labels may decide alone: of a key with the scope `label`, or of the operator.
    """

    caller: str
    trusted: bool = False


OPERATOR = Sender("operator", trusted=True)  # who types commands on this machine


def sent(ledger: Ledger, caller: str, since: datetime) -> int:
    """Counts the labels of this caller since then, with those that were set aside."""
    counts = [
        sa.select(sa.func.count()).where(table.c.caller == caller, table.c.time > since)
        for table in (LABELS, SET_ASIDE)
    ]
    total = sa.select((counts[0].scalar_subquery() + counts[1].scalar_subquery()).label("n"))
    return int(ledger.query(total)[0]["n"])


def aside(ledger: Ledger, why: Why | None = None) -> list[dict[str, Any]]:
    """The rows of SET_ASIDE, in the order of the labels."""
    statement = sa.select(SET_ASIDE).order_by(SET_ASIDE.c.seq)
    return ledger.query(statement.where(SET_ASIDE.c.why == why) if why else statement)


def set_aside(ledger: Ledger, seqs: Sequence[int], why: Why, now: datetime) -> int:
    """Lets these labels count no more; how many did until now."""
    names = [column.name for column in LABELS.c]
    count = 0
    with ledger.sole_writer(LABELS) as connection:
        for part in _parts(seqs):
            there = LABELS.c.seq.in_(part)
            moved = sa.select(*LABELS.c, sa.literal(why), sa.literal(now, SET_ASIDE.c.since.type))
            connection.execute(
                sa.insert(SET_ASIDE).from_select([*names, "why", "since"], moved.where(there))
            )
            count += connection.execute(sa.delete(LABELS).where(there)).rowcount
    return count


def take_back(ledger: Ledger, seqs: Sequence[int]) -> int:
    """Lets labels that were set aside count again, alone if need be: a person looked at them."""
    names = [column.name for column in LABELS.c]
    count = 0
    with ledger.sole_writer(LABELS) as connection:
        for part in _parts(seqs):
            there = SET_ASIDE.c.seq.in_(part)
            columns = [sa.true() if name == "trusted" else SET_ASIDE.c[name] for name in names]
            connection.execute(
                sa.insert(LABELS).from_select(names, sa.select(*columns).where(there))
            )
            count += connection.execute(sa.delete(SET_ASIDE).where(there)).rowcount
    return count


def withdraw_suspects(ledger: Ledger, seqs: Sequence[int]) -> int:
    """A person agrees that these labels are wrong; how many."""
    return sum(
        ledger.execute(
            sa.update(SET_ASIDE).where(SET_ASIDE.c.seq.in_(part)).values(why="withdrawn")
        )
        for part in _parts(seqs)
    )


def texts(ledger: Ledger, predictions: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Prediction -> `text` (scrubbed; None: there is none) and `predicted`, the model's label."""
    rows_by_id: dict[str, dict[str, Any]] = {}
    for part in _parts(predictions):
        rows = ledger.query(
            sa.select(PREDICTIONS.c.id, PREDICTIONS.c.label.label("predicted"), TEXTS.c.text)
            .join(TEXTS, TEXTS.c.prediction_id == PREDICTIONS.c.id, isouter=True)
            .where(PREDICTIONS.c.id.in_(part))
        )
        rows_by_id |= {row["id"]: row for row in rows}
    return rows_by_id


def learnable(ledger: Ledger, until: int | None = None) -> list[dict[str, Any]]:
    """The last label of each prediction up to a sequence number, whether its text is there or not.

    Args:
        until: None for all.

    Returns:
        Rows of `seq`, `prediction_id`, `label` and `caller` (None: it counts alone), by `seq`.
    """
    last = last_labels(*([] if until is None else [LABELS.c.seq <= until]))
    return ledger.query(
        sa.select(LABELS.c.seq, LABELS.c.prediction_id, LABELS.c.label, untrusted())
        .join(last, LABELS.c.seq == last.c.seq)
        .order_by(LABELS.c.seq)
    )


def newest_of_each(rows: Sequence[dict[str, Any]], most: int) -> list[dict[str, Any]]:
    """Leaves of each caller the last `most` rows; who counts alone has no limit.

    >>> rows = [{"caller": caller, "seq": i} for i, caller in enumerate("abaa")]
    >>> [row["seq"] for row in newest_of_each([*rows, {"caller": None, "seq": 4}], 2)]
    [1, 2, 3, 4]
    """
    counts: Counter[str] = Counter()
    newest = []
    for row in reversed(rows):
        counts[row["caller"]] += 1
        if row["caller"] is None or counts[row["caller"]] <= most:
            newest.append(row)
    return newest[::-1]


def learned_by(ledger: Ledger, seqs: Sequence[int]) -> dict[str, int]:
    """Tag of each version -> how many of these labels were there to learn from when it was made.

    Versions that had none of them are left out; the oldest first.
    """
    marks = {
        row["tag"]: int(row["decision"].get("feedback_watermark", 0))
        for row in reversed(ledger.versions())
    }
    counts = {tag: sum(seq <= mark for seq in seqs) for tag, mark in marks.items()}
    return {tag: count for tag, count in counts.items() if count}


def _parts(values: Sequence[T]) -> list[Sequence[T]]:
    return [values[start : start + _TOGETHER] for start in range(0, len(values), _TOGETHER)]
