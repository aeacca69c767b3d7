"""Erasure and retention in the ledger: the only places where rows change or go.

A label's row stays when its text goes: the snapshot of the feedback source is pinned by sequence
numbers, and leaves out rows without text. Of expired rows the newest label stays too, with its
emptied text, so that the numbers never seem to run backwards.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from components.core.databases import sqlite
from components.core.ledger import Ledger
from components.core.ledger.tables import (
    ALERTS,
    DECISIONS,
    LABELS,
    OBSERVATIONS,
    OUTCOMES,
    PREDICTIONS,
    RUNS,
    SET_ASIDE,
    SHADOWS,
    TEXTS,
    WINDOWS,
)
from components.core.ledger.verdicts import DecisionKind

_PLACEHOLDER = re.compile(r"<([A-Z][A-Z_]+[A-Z])(?:_[0-9a-f]{12})?>")
_TOGETHER = 400  # values in one statement; SQLite takes 999 at least


def find(ledger: Ledger, texts: Iterable[str], predictions: Iterable[str]) -> list[str]:
    """The ids of predictions that hold one of these (scrubbed) texts, or are named themselves.

    Only those count whose text is still there.
    """
    prediction_ids: set[str] = set()
    for column, values in ((TEXTS.c.text, texts), (TEXTS.c.prediction_id, predictions)):
        for part in _parts(sorted(set(values))):
            there = sa.and_(column.in_(part), TEXTS.c.text.is_not(None))
            rows = ledger.query(sa.select(TEXTS.c.prediction_id).where(there))
            prediction_ids.update(row["prediction_id"] for row in rows)
    return sorted(prediction_ids)


def forget(ledger: Ledger, predictions: Sequence[str]) -> int:
    """Empties the texts of these predictions and the features computed from them; how many."""
    count = 0
    for part in _parts(predictions):
        ledger.execute(sa.update(PREDICTIONS).where(PREDICTIONS.c.id.in_(part)).values(features=[]))
        emptied = sa.update(TEXTS).where(TEXTS.c.prediction_id.in_(part)).values(text=None)
        count += ledger.execute(emptied)
    return count


def expire(
    ledger: Ledger,
    unlabelled: datetime,
    labelled: datetime,
    rows: datetime,
    *,
    dry_run: bool = False,
) -> dict[str, int]:
    """Empties old texts and deletes old rows.

    Args:
        ledger: open.
        unlabelled: texts of unlabelled predictions older than this are emptied, UTC.
        labelled: the same for labelled ones, which are a source to learn from.
        rows: predictions, their texts and labels, windows, decisions of the governor, what became
            of them, and alerts older than this are deleted.
        dry_run: only count.

    Returns:
        How many of each: `texts`, `labelled_texts`, `predictions`, `labels`, `windows`,
        `decisions`, `outcomes`, `alerts`.
    """
    has_label = sa.or_(
        *[
            sa.exists().where(table.c.prediction_id == TEXTS.c.prediction_id)
            for table in (LABELS, SET_ASIDE)
        ]
    )
    counts: dict[str, int] = {}
    for name, before, chosen in (
        ("texts", unlabelled, sa.not_(has_label)),
        ("labelled_texts", labelled, has_label),
    ):
        old = sa.select(PREDICTIONS.c.id).where(PREDICTIONS.c.time < before)
        there = sa.and_(TEXTS.c.text.is_not(None), TEXTS.c.prediction_id.in_(old), chosen)
        change = sa.update(TEXTS).where(there).values(text=None)
        counts[name] = _count(ledger, TEXTS, there) if dry_run else ledger.execute(change)
    gone = sa.select(PREDICTIONS.c.id).where(PREDICTIONS.c.time < rows)
    newest = sa.select(sa.func.max(LABELS.c.seq)).scalar_subquery()
    # What the governor asked last decides when it may ask again, whatever its age.
    last_asked = sa.select(sa.func.max(DECISIONS.c.seq)).group_by(
        DECISIONS.c.kind, DECISIONS.c.verdict
    )
    # A run goes before its outcome: one without would be taken for dead. One at work has none.
    ended = sa.select(OUTCOMES.c.flow_run).where(OUTCOMES.c.time < rows)
    runs = sa.select(RUNS.c.flow_run)
    if dry_run:
        runs = runs.where(sa.or_(RUNS.c.time >= rows, RUNS.c.flow_run.not_in(ended)))
    last_window = sa.select(sa.func.max(WINDOWS.c.seq)).group_by(WINDOWS.c.bundle)
    for table, there in (
        (LABELS, sa.and_(LABELS.c.prediction_id.in_(gone), LABELS.c.seq != newest)),
        (SET_ASIDE, SET_ASIDE.c.prediction_id.in_(gone)),
        (TEXTS, sa.and_(TEXTS.c.prediction_id.in_(gone), sa.not_(has_label))),
        (SHADOWS, SHADOWS.c.prediction_id.in_(gone)),
        (OBSERVATIONS, OBSERVATIONS.c.time < rows),
        (PREDICTIONS, PREDICTIONS.c.time < rows),
        (WINDOWS, sa.and_(WINDOWS.c.time < rows, WINDOWS.c.seq.not_in(last_window))),
        (
            DECISIONS,
            sa.and_(
                DECISIONS.c.time < rows,
                DECISIONS.c.kind == DecisionKind.GOVERNOR,
                DECISIONS.c.seq.not_in(last_asked),
            ),
        ),
        (RUNS, sa.and_(RUNS.c.time < rows, RUNS.c.flow_run.in_(ended))),
        (OUTCOMES, sa.and_(OUTCOMES.c.time < rows, OUTCOMES.c.flow_run.not_in(runs))),
        (ALERTS, ALERTS.c.time < rows),
    ):
        deletion = sa.delete(table).where(there)
        count = _count(ledger, table, there) if dry_run else ledger.execute(deletion)
        if table not in (TEXTS, SET_ASIDE, SHADOWS, OBSERVATIONS, RUNS):
            counts[table.name] = count
    return counts


def masked(ledger: Ledger) -> dict[str, int]:
    """Counts the service's masks by kind, from the placeholders in its texts."""
    counts: Counter[str] = Counter()
    for row in ledger.query(sa.select(TEXTS.c.text).where(TEXTS.c.text.like("%<%>%"))):
        counts.update(_PLACEHOLDER.findall(str(row["text"])))
    return dict(sorted(counts.items()))


def compact(ledger: Ledger) -> None:
    """Gives the room of deleted rows back, so that nothing of them is left in the file.

    SQLite: the write-ahead log is emptied into the file and the file is written anew. PostgreSQL
    frees rows by itself (autovacuum); its own log and backups are not ours to clear.
    """
    if ledger.engine.dialect.name != "sqlite":
        return
    with ledger.engine.connect() as connection:
        raw: Any = connection.connection.dbapi_connection
        raw.isolation_level = None
        sqlite.rewrite(raw)
        connection.detach()  # its changed settings go to no other user


def _count(ledger: Ledger, table: sa.Table, where: sa.ColumnElement[bool]) -> int:
    statement = sa.select(sa.func.count().label("n")).select_from(table).where(where)
    return int(ledger.query(statement)[0]["n"])


def _parts(values: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(values), _TOGETHER):
        yield values[start : start + _TOGETHER]
