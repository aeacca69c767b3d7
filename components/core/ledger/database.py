"""Connection to the ledger's database: transactions, queries, and their errors."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from components.core.databases import postgresql
from components.core.errors import NO_ROOM, LedgerError
from components.core.ledger import migrations
from components.core.ledger.database_file import DatabaseFile

# SQLite reports a full disk by either of these messages.
_WITHOUT_ROOM = ("disk I/O error", "database or disk is full")


def url(ledger_file: Path) -> str:
    """Returns NEWSLOOP_DATABASE_URL, or the address of a SQLite file at `ledger_file`."""
    return os.environ.get("NEWSLOOP_DATABASE_URL") or f"sqlite:///{ledger_file}"


def parsed(database: str) -> sa.URL:
    """Parses the address of a ledger.

    Raises:
        LedgerError: it is no SQLAlchemy URL.
    """
    try:
        return sa.make_url(database)
    except SQLAlchemyError as error:
        # The address may hold a password, so the message does not show it.
        raise LedgerError(
            "Expected the address of the ledger as an SQLAlchemy URL, such as "
            "postgresql+psycopg://user:password@host/newsloop, got something else. See "
            "NEWSLOOP_DATABASE_URL."
        ) from error


class LedgerDatabase:
    """Access to the tables; safe to share between threads. See `Ledger` for the arguments."""

    def __init__(self, database: str, *, create: bool = True) -> None:
        target = parsed(database)
        self._file, self._create = DatabaseFile.of(target), create
        if self._file is not None and create:
            self._file.make()
        self.name = target.render_as_string(hide_password=True)
        try:
            self.engine = sa.create_engine(target, pool_pre_ping=True)
        except (SQLAlchemyError, ImportError) as error:
            raise LedgerError(
                f"Expected a database of a kind that is installed here (sqlite, "
                f"postgresql+psycopg), got {self.name}: {error}."
            ) from error
        if self.engine.dialect.name == "sqlite":
            sa.event.listen(self.engine, "connect", _tune_sqlite)
        postgresql.limit(self.engine)
        if self._file is not None:
            sa.event.listen(self.engine, "do_connect", self._file.connect)
        if create:
            try:
                self._upgrade()
            except LedgerError:
                self.close()
                raise

    def _upgrade(self) -> None:
        try:
            migrations.upgrade(self.engine)
        except SQLAlchemyError as error:
            raise _explained(error, self.name) from error

    def close(self) -> None:
        self.engine.dispose()

    def transaction(self) -> Transaction:
        """Begins a transaction whose failures are LedgerErrors; gives a connection.

        A SQLite file that was replaced, such as by a backup, is opened again.
        """
        if self._file is not None and self._file.follow(self.engine) and self._create:
            self._upgrade()
        return Transaction(self.engine, self.name, self._file)

    @contextlib.contextmanager
    def sole_writer(self, table: sa.Table) -> Iterator[sa.Connection]:
        """Begins a transaction that excludes other writers of `table`; its reads stay true."""
        with self.transaction() as connection:
            if self.engine.dialect.name == "sqlite":
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            else:
                connection.exec_driver_sql(f"LOCK TABLE {table.name} IN SHARE ROW EXCLUSIVE MODE")
            yield connection

    def insert(self, table: sa.Table, rows: Sequence[dict[str, Any]]) -> None:
        """Adds `rows` to `table` in one transaction."""
        if rows:
            with self.transaction() as connection:
                connection.execute(sa.insert(table), list(rows))

    def query(self, statement: sa.Select[Any]) -> list[dict[str, Any]]:
        """Returns the rows of `statement`, each as a dictionary."""
        with self.transaction() as connection:
            return [dict(row) for row in connection.execute(statement).mappings()]

    def execute(self, statement: sa.Update | sa.Delete) -> int:
        """Changes or deletes rows for erasure and retention; returns their number."""
        with self.transaction() as connection:
            return int(connection.execute(statement).rowcount)


class Transaction:
    """A database transaction whose failures are LedgerErrors."""

    def __init__(self, engine: sa.Engine, name: str, file: DatabaseFile | None) -> None:
        self._context = engine.begin()
        self.name, self._file = name, file
        self._identity = file.identity() if file is not None else None

    def __enter__(self) -> sa.Connection:
        try:
            return self._context.__enter__()
        except SQLAlchemyError as error:
            raise _explained(error, self.name) from error

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        try:
            self._context.__exit__(kind, error, trace)
        except SQLAlchemyError as failure:
            raise _explained(failure, self.name) from failure
        if isinstance(error, SQLAlchemyError):
            raise _explained(error, self.name) from error
        if error is None and self._file is not None and self._file.identity() != self._identity:
            raise LedgerError(
                f"Expected the ledger at {self.name} to stay the same file, it was replaced while "
                "it was written. Try again."
            )


def _explained(error: SQLAlchemyError, name: str) -> LedgerError:
    # str(error) repeats the parameters, which may be a text: only the cause is shown.
    cause = str(getattr(error, "orig", None) or type(error).__name__)
    remedy = "See that the database runs and that this user may write to it."
    if cause in _WITHOUT_ROOM:
        remedy = NO_ROOM
    return LedgerError(f"Expected to reach the ledger at {name}, got: {cause}. {remedy}")


def _tune_sqlite(connection: Any, record: object) -> None:
    del record
    cursor = connection.cursor()
    for pragma in (
        "journal_mode=WAL",
        "synchronous=NORMAL",
        "busy_timeout=30000",
        "foreign_keys=ON",
        "secure_delete=ON",  # free pages must not hold erased data
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()
