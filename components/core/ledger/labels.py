"""Who sent which labels, how many one caller may send, and which of them count no more.

A label that is set aside moves from LABELS to SET_ASIDE, so that nothing that reads labels can
forget to leave it out; `take_back` moves it back with the number that it had.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import sqlalchemy as sa

from components.core.ledger import Ledger
from components.core.ledger.tables import LABELS, SET_ASIDE

LOOPBACK = "loopback"  # a caller of this machine without a key
Why = Literal["withdrawn", "suspect"]
_TOGETHER = 400  # values in one statement; SQLite takes 999 at least


@dataclass(frozen=True)
class Sender:
    """Who sends labels.

    Attributes:
        caller: the id of its API key, or LOOPBACK.
        trusted: its labels may decide alone: of a key with the scope `label`, or of the operator.
    """

    caller: str
    trusted: bool = False


OPERATOR = Sender("operator", trusted=True)  # who types commands on this machine


def sent(ledger: Ledger, caller: str, since: datetime) -> int:
    """How many labels this caller has sent since then, those that were set aside included."""
    counts = [
        sa.select(sa.func.count()).where(table.c.caller == caller, table.c.time > since)
        for table in (LABELS, SET_ASIDE)
    ]
    total = sa.select((counts[0].scalar_subquery() + counts[1].scalar_subquery()).label("n"))
    return int(ledger.query(total)[0]["n"])


def by_caller(ledger: Ledger, *where: sa.ColumnElement[bool]) -> list[dict[str, Any]]:
    """Labels that count, by caller: `caller`, `trusted`, `labels`, `first`, `last`.

    Args:
        where: conditions on LABELS.
    """
    return ledger.query(
        sa.select(
            LABELS.c.caller,
            LABELS.c.trusted,
            sa.func.count().label("labels"),
            sa.func.min(LABELS.c.time).label("first"),
            sa.func.max(LABELS.c.time).label("last"),
        )
        .where(*where)
        .group_by(LABELS.c.caller, LABELS.c.trusted)
        .order_by(sa.func.min(LABELS.c.seq))
    )


def chosen(ledger: Ledger, *where: sa.ColumnElement[bool]) -> list[int]:
    """Sequence numbers of the labels that count and fulfil these conditions on LABELS."""
    rows = ledger.query(sa.select(LABELS.c.seq).where(*where).order_by(LABELS.c.seq))
    return [row["seq"] for row in rows]


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
            found = sa.select(*LABELS.c, sa.literal(why), sa.literal(now, SET_ASIDE.c.since.type))
            connection.execute(
                sa.insert(SET_ASIDE).from_select([*names, "why", "since"], found.where(there))
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


def _parts(values: Sequence[int]) -> list[Sequence[int]]:
    return [values[start : start + _TOGETHER] for start in range(0, len(values), _TOGETHER)]
