"""The operational database: predictions, labels, versions, deployments, decisions, windows.

SQLite (write-ahead log) by default; any SQLAlchemy URL by NEWSLOOP_DATABASE_URL. Rows are only
added, so that "everything up to sequence number n" always names the same rows: a snapshot of the
feedback source pins them so. There are two exceptions. core/ledger/retention.py empties texts of an
erased person and deletes old rows. core/ledger/labels.py sets labels aside.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa

from components.core.errors import LedgerError
from components.core.ledger.database import parsed, url
from components.core.ledger.database_file import DatabaseFile
from components.core.ledger.feedback import FeedbackRecords
from components.core.ledger.tables import (
    DECISIONS,
    DEPLOYMENTS,
    LABELS,
    METADATA,
    OUTCOMES,
    PREDICTIONS,
    RETIRED,
    RUNS,
    TEXTS,
    VERSIONS,
    WINDOWS,
    UtcTime,
)
from components.core.ledger.verdicts import (
    CircuitVerdict,
    DecisionKind,
    GateVerdict,
    GovernorVerdict,
)
from components.core.ledger.versions import Champion, VersionRecords

__all__ = [
    "DECISIONS",
    "DEPLOYMENTS",
    "LABELS",
    "METADATA",
    "OUTCOMES",
    "PREDICTIONS",
    "RETIRED",
    "RUNS",
    "TEXTS",
    "VERSIONS",
    "WINDOWS",
    "Champion",
    "Ledger",
    "UtcTime",
    "existing",
    "opened",
    "url",
]

_IN_MEMORY = "sqlite://"


def existing(database: str) -> Ledger:
    """Opens a ledger to read it; without a file, an empty ledger in memory.

    Raises:
        LedgerError: as Ledger; or the file is gone while released bundles lie beside it.
    """
    file = DatabaseFile.of(parsed(database))
    return Ledger(_IN_MEMORY if file is not None and file.never_made() else database)


def opened(database: str) -> Ledger:
    """Opens a ledger, and makes one where there never was one.

    Raises:
        LedgerError: as Ledger; or the file is gone while released bundles lie beside it.
    """
    file = DatabaseFile.of(parsed(database))
    if file is not None:
        file.never_made()
    return Ledger(database)


class Ledger(VersionRecords, FeedbackRecords):
    """Access to the operational database; safe to share between threads.

    Args:
        database: an SQLAlchemy URL; see `url`.
        create: make the tables where they are missing, and bring older ones up to date.

    Attributes:
        name: the address, without a password.

    Raises:
        LedgerError: from every method, when the database cannot be reached or refuses.
    """

    def add_decision(self, row: dict[str, Any]) -> None:
        self.insert(DECISIONS, [row])

    def decisions(
        self,
        kind: DecisionKind,
        verdict: GateVerdict | GovernorVerdict | CircuitVerdict | None = None,
        limit: int = 1,
    ) -> list[dict[str, Any]]:
        """Returns the newest decisions of a kind, the newest first."""
        statement = sa.select(DECISIONS).where(DECISIONS.c.kind == kind)
        if verdict is not None:
            statement = statement.where(DECISIONS.c.verdict == verdict)
        return self.query(statement.order_by(DECISIONS.c.seq.desc()).limit(limit))

    def add_window(self, window: dict[str, Any], decision: dict[str, Any]) -> None:
        """Records a judged window and the governor's decision, both or neither.

        Raises:
            LedgerError: another run has judged some of these predictions in the meantime.
        """
        with self.sole_writer(WINDOWS) as connection:
            others = sa.select(WINDOWS.c.seq).where(
                WINDOWS.c.bundle == window["bundle"], WINDOWS.c.until > window["after"]
            )
            if connection.execute(others.limit(1)).first() is not None:
                raise LedgerError(
                    "Expected to be the only monitoring run, another one judged the same "
                    "predictions first. Its decision stands; there is nothing to do."
                )
            connection.execute(sa.insert(WINDOWS).values(window))
            connection.execute(sa.insert(DECISIONS).values(decision))

    def claim(self, decision_id: str, flow_run: str, time: datetime) -> bool:
        """Claims a decision to retrain for a run; returns True for the first run, else False."""
        row = {"decision_id": decision_id, "flow_run": flow_run, "time": time}
        try:
            with self.transaction() as connection:
                connection.execute(sa.insert(RUNS), [row])
        except LedgerError as error:
            if isinstance(error.__cause__, sa.exc.IntegrityError):
                return False
            raise
        return True
