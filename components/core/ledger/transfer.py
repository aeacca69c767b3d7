"""Takes a ledger to another database: from SQLite to PostgreSQL, when a team outgrows a file."""

from __future__ import annotations

from collections.abc import Callable

import sqlalchemy as sa

from components.core.errors import LedgerError
from components.core.ledger import LABELS, METADATA, Ledger
from components.core.ledger.tables import SET_ASIDE

_TOGETHER = 1000  # rows in one statement


def copy(
    source: Ledger, target: Ledger, progress: Callable[[str, int], None] = lambda *_: None
) -> dict[str, int]:
    """Copies every row of every table, all or nothing; sequence numbers stay as they are.

    Args:
        source: is read in one transaction, so that rows which come meanwhile are left out. Stop the
            service and the flows first.
        target: must hold no rows.
        progress: called with a table's name and the rows of it copied so far.

    Returns:
        Rows by table.

    Raises:
        LedgerError: the target holds rows, or one of the two cannot be reached.
    """
    full = [
        table.name for table in METADATA.sorted_tables if target.query(sa.select(table).limit(1))
    ]
    if full:
        raise LedgerError(
            f"Expected an empty ledger to copy to, found rows in {', '.join(full)}. Nothing was "
            "copied; name an empty database."
        )
    counts: dict[str, int] = {}
    with source.transaction() as reading, target.transaction() as writing:
        for table in METADATA.sorted_tables:
            keys = list(table.primary_key.columns)
            streamed = reading.execution_options(yield_per=_TOGETHER)
            counts[table.name] = 0
            with streamed.execute(sa.select(table).order_by(*keys)) as rows:
                for part in rows.mappings().partitions():
                    writing.execute(sa.insert(table), [dict(row) for row in part])
                    counts[table.name] += len(part)
                    progress(table.name, counts[table.name])
            numbered = "seq" in table.c and table is not SET_ASIDE
            if writing.dialect.name == "postgresql" and numbered and counts[table.name]:
                # Its counter knows nothing of numbers that were given by hand.
                counter = sa.func.pg_get_serial_sequence(table.name, "seq")
                writing.execute(sa.select(sa.func.setval(counter, sa.func.max(table.c.seq))))
        if writing.dialect.name == "postgresql" and counts[SET_ASIDE.name]:
            # A label that is taken back has its number again, which no other may have meanwhile.
            last = [sa.func.coalesce(sa.func.max(t.c.seq), 0) for t in (LABELS, SET_ASIDE)]
            highest = [sa.select(statement).scalar_subquery() for statement in last]
            counter = sa.func.pg_get_serial_sequence(LABELS.name, "seq")
            writing.execute(sa.select(sa.func.setval(counter, sa.func.greatest(*highest))))
    return counts
