"""The way of rows to the ledger: at once, or over the spool when the ledger is away.

While anything is in the spool, what comes later goes there too, so that the order stays. A row is
looked up before it is inserted a second time, so it arrives once, whatever was interrupted.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from typing import Any, Protocol

import sqlalchemy as sa

from components.core.errors import LedgerError
from components.core.ledger.tables import METADATA
from serving.recording.spool import Spool, SpoolFull

LOG = logging.getLogger("newsloop.serving")
_END_SECONDS = 5.0  # for a row that is on its way
_LOOKED_UP = 400  # keys in one statement; SQLite takes 999 at least


class Database(Protocol):
    """Protocol of the methods of components.core.ledger.Ledger that the outbox calls."""

    def insert(self, table: sa.Table, rows: Sequence[dict[str, Any]]) -> None: ...
    def query(self, statement: sa.Select[Any]) -> list[dict[str, Any]]: ...


class Outbox:
    """Sends rows; safe to share between threads. `start` begins with what an earlier run left.

    Args:
        ledger: where rows go.
        spool: where they wait on disk; None: in the memory of whoever sends.
        retry_seconds: between two tries to reach the ledger, or to find room on the disk.
        keys: table name -> the column by which a row is known.

    Attributes:
        counts: rows that went over the spool, and rows that were lost.
        full: the spool took nothing the last time, so rows wait in memory.
    """

    def __init__(
        self, ledger: Database, spool: Spool | None, retry_seconds: float, keys: dict[str, str]
    ) -> None:
        self._ledger, self._spool, self._retry_seconds = ledger, spool, retry_seconds
        self._keys = keys
        self._lock = threading.Lock()
        self._empty = threading.Event()  # nothing waits in the spool
        self._stop = threading.Event()
        self._hurry = threading.Event()
        self._logged = ""
        self._thread = threading.Thread(target=self._run, name="outbox", daemon=True)
        self.counts = {"rows_spooled": 0, "rows_lost": 0}
        self.full = False
        if spool is None or not spool.bytes:
            self._empty.set()

    @property
    def spooled_bytes(self) -> int:
        return 0 if self._spool is None else self._spool.bytes

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """Ends the thread; what is spooled stays there for the next start."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(_END_SECONDS)
        # A ledger that hangs has the lock: the process ends without it, and its files with it.
        if self._lock.acquire(timeout=_END_SECONDS):
            try:
                if self._spool is not None:
                    self._spool.close()
            finally:
                self._lock.release()

    def hurry(self) -> None:
        """Ends all waiting: rows that cannot be sent at once are lost."""
        self._hurry.set()

    def send(self, table: sa.Table, rows: list[dict[str, Any]]) -> bool:
        """Returns when `rows` are in the ledger or on the disk; False if they are lost."""
        failed = False
        while True:
            with self._lock:
                direct = self._empty.is_set()
                if direct:
                    arrived = self._insert(table, rows, again=failed)
                    if arrived is not None:
                        return arrived
                    failed = True
                if self._put(table, rows):
                    return True
            if self._hurry.wait(self._retry_seconds):
                LOG.error("%d rows of %s are lost at shutdown.", len(rows), table.name)
                self.counts["rows_lost"] += len(rows)
                return False

    def wait_delivered(self, seconds: float) -> bool:
        """Waits `seconds` at most; returns True once nothing is left on the disk."""
        return self._empty.wait(seconds)

    def deliver(self) -> None:
        """Sends what is spooled, the oldest first, until nothing is left or the ledger is away."""
        if self._spool is None:
            return
        # A segment at a time, so that the sending threads come between.
        delivered = True
        while delivered and not self._stop.is_set():
            with self._lock:
                delivered = self._spool.deliver(self._give)
                if not self._spool.bytes:
                    self._empty.set()

    def _put(self, table: sa.Table, rows: list[dict[str, Any]]) -> bool:
        if self._spool is None:
            return False
        try:
            self._spool.put(table.name, rows)
        except SpoolFull as error:
            if not self.full:
                LOG.error("The spool takes no rows: %s. Answers go on; make room.", error)
            self.full = True
            return False
        self._empty.clear()
        self.full = False
        self.counts["rows_spooled"] += len(rows)
        return True

    def _give(self, name: str, rows: list[dict[str, Any]]) -> bool:
        return self._insert(METADATA.tables[name], rows, again=True) is not None

    def _insert(self, table: sa.Table, rows: list[dict[str, Any]], *, again: bool) -> bool | None:
        """Inserts rows; returns False if they are lost, None if the ledger is away."""
        try:
            self._ledger.insert(table, self._missing(table, rows) if again else rows)
        except LedgerError as error:
            if str(error) != self._logged:
                self._logged = str(error)
                LOG.error("%d rows wait for the ledger: %s", len(rows), error)
            return None
        except Exception as error:  # noqa: BLE001 - bad rows must not end the thread
            # Its message may hold a row's values.
            LOG.error("%d rows of %s are lost: %s.", len(rows), table.name, type(error).__name__)
            self.counts["rows_lost"] += len(rows)
            return False
        self._logged = ""
        return True

    def _missing(self, table: sa.Table, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Selects the rows that the ledger lacks: a failed try may have been committed."""
        key = table.c[self._keys[table.name]]
        known: set[Any] = set()
        for start in range(0, len(rows), _LOOKED_UP):
            part = [row[key.name] for row in rows[start : start + _LOOKED_UP]]
            there = self._ledger.query(sa.select(key).where(key.in_(part)))
            known.update(row[key.name] for row in there)
        return [row for row in rows if row[key.name] not in known]

    def _run(self) -> None:
        while True:
            if not self._empty.is_set():
                try:
                    self.deliver()
                except Exception as error:  # noqa: BLE001 - it must outlive any surprise here
                    LOG.error("Delivering the spool gave %s.", type(error).__name__)
            if self._stop.wait(self._retry_seconds):
                return
