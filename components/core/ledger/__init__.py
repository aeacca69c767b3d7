"""The operational database: predictions, labels, versions, deployments, decisions, windows.

SQLite (write-ahead log) by default; any SQLAlchemy URL by NEWSLOOP_DATABASE_URL. Rows are only
ever added, so that "everything up to sequence number n" names the same rows for ever: that is
what a snapshot of the feedback source pins. The exceptions: in core/ledger/retention.py the text of
an erased person is emptied, and what is older than the retention times goes; in
core/ledger/labels.py a label is set aside.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from components.core import postgresql
from components.core.errors import NO_ROOM, LedgerError
from components.core.ledger import migrations
from components.core.ledger.database_file import DatabaseFile
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
    last_labels,
)
from components.core.ledger.verdicts import (
    CircuitVerdict,
    DecisionKind,
    GateVerdict,
    GovernorVerdict,
)

if TYPE_CHECKING:
    from components.core.ledger.labels import Sender

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
# What SQLite says where it cannot write; it calls a full disk either.
_WITHOUT_ROOM = ("disk I/O error", "database or disk is full")


@dataclass(frozen=True)
class Champion:
    """The version that serves.

    Attributes:
        time, reason: of its deployment.
        seq: of its deployment, which tells two deployments of one version apart.
        returns_to: of a way back, the deployment that stands again; None: a step forward.
    """

    version: int
    bundle: str
    tag: str
    commit: str
    time: datetime
    reason: str
    metrics: dict[str, Any]
    decision: dict[str, Any]
    snapshot: str
    dvc_lock: str
    seq: int = 0
    returns_to: int | None = None


def url(ledger_file: Path) -> str:
    """NEWSLOOP_DATABASE_URL, or SQLite at `ledger_file`."""
    return os.environ.get("NEWSLOOP_DATABASE_URL") or f"sqlite:///{ledger_file}"


def existing(database: str) -> Ledger:
    """Opens a ledger to read it; an empty one in memory in place of a file that is not there.

    Raises:
        LedgerError: as Ledger; or the file is gone while released bundles lie beside it.
    """
    file = DatabaseFile.of(_target(database))
    return Ledger(_IN_MEMORY if file is not None and file.never_made() else database)


def opened(database: str) -> Ledger:
    """Opens a ledger, which is made where there never was one.

    Raises:
        LedgerError: as Ledger; or the file is gone while released bundles lie beside it.
    """
    file = DatabaseFile.of(_target(database))
    if file is not None:
        file.never_made()
    return Ledger(database)


class Ledger:
    """Access to the operational database; safe to share between threads.

    Args:
        database: an SQLAlchemy URL; see `url`.
        create: make the tables where they are missing, and bring older ones up to date.

    Attributes:
        name: the address, without a password.

    Raises:
        LedgerError: from every method, when the database cannot be reached or refuses.
    """

    def __init__(self, database: str, *, create: bool = True) -> None:
        target = _target(database)
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
        """A transaction whose failures are LedgerErrors; gives a connection.

        A SQLite file that was replaced, such as by a backup, is opened anew.
        """
        if self._file is not None and self._file.follow(self.engine) and self._create:
            self._upgrade()
        return Transaction(self.engine, self.name, self._file)

    @contextlib.contextmanager
    def sole_writer(self, table: sa.Table) -> Iterator[sa.Connection]:
        """A transaction during which no other one writes to `table`; what it reads stays true."""
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
        """The rows of `statement`, each as a dictionary."""
        with self.transaction() as connection:
            return [dict(row) for row in connection.execute(statement).mappings()]

    def execute(self, statement: sa.Update | sa.Delete) -> int:
        """Changes or deletes rows; how many. For erasure and retention, see ledger_privacy.py."""
        with self.transaction() as connection:
            return int(connection.execute(statement).rowcount)

    # Versions and deployments

    def champion(self) -> Champion | None:
        """The version that serves, or None before the first release."""
        history = self.deployments(limit=1)
        return history[0] if history else None

    def need_champion(self, purpose: str) -> Champion:
        """The version that serves.

        Args:
            purpose: completes "Expected a champion".

        Raises:
            LedgerError: none was released yet.
        """
        champion = self.champion()
        if champion is None:
            raise LedgerError(
                f"Expected a champion {purpose} in the ledger {self.name}, none was released yet. "
                "Run `newsloop run` first."
            )
        return champion

    def deployments(self, limit: int | None = None) -> list[Champion]:
        """Lists the deployments, the newest first."""
        statement = (
            sa.select(
                *[column for column in VERSIONS.c if column.name != "time"],
                DEPLOYMENTS.c.time,
                DEPLOYMENTS.c.reason,
                DEPLOYMENTS.c.seq,
                DEPLOYMENTS.c.returns_to,
            )
            .join_from(DEPLOYMENTS, VERSIONS, DEPLOYMENTS.c.version == VERSIONS.c.version)
            .order_by(DEPLOYMENTS.c.seq.desc())
            .limit(limit)
        )
        return [Champion(**row) for row in self.query(statement)]

    def versions(self) -> list[dict[str, Any]]:
        """Every released version, the newest first."""
        return self.query(sa.select(VERSIONS).order_by(VERSIONS.c.version.desc()))

    def add_version(self, row: dict[str, Any], reason: str) -> None:
        """Registers a version and makes it the champion, both or neither."""
        with self.transaction() as connection:
            connection.execute(sa.insert(VERSIONS), [row])
            connection.execute(
                sa.insert(DEPLOYMENTS),
                [{"version": row["version"], "time": row["time"], "reason": reason}],
            )

    def deploy(self, version: int, time: datetime, reason: str) -> None:
        """Makes an earlier version the champion."""
        self.insert(DEPLOYMENTS, [{"version": version, "time": time, "reason": reason}])

    def retire(
        self, version: int, bundle: str, time: datetime, reason: str, erasure: str | None = None
    ) -> bool:
        """Marks a version that must not serve again. True the first time, False after that."""
        if version in self.retired():
            return False
        row = {"version": version, "bundle": bundle, "time": time, "reason": reason}
        self.insert(RETIRED, [{**row, "erasure": erasure}])
        return True

    def retired(self) -> dict[int, dict[str, Any]]:
        """Version -> its row, with the id of the `erasure` if one retired it; none may serve."""
        return {row["version"]: row for row in self.query(sa.select(RETIRED))}

    # Feedback

    def add_labels(
        self,
        labels: Iterable[tuple[str, str]],
        time: datetime,
        origin: str | None = None,
        sender: Sender | None = None,
    ) -> dict[str, int]:
        """Takes what people said of predictions.

        Args:
            labels: (prediction_id, label) pairs.
            time: when they were said, UTC.
            origin: who asked for them; see core/ledger/windows.py QUEUE. None: nobody.
            sender: who sent them; None: not known, as in ledgers of before this was kept.

        Returns:
            Counts `accepted`, `duplicate` (the sender said the same last) and `unknown` (no such
            prediction).
        """
        caller = sender.caller if sender else None
        counts = {"accepted": 0, "duplicate": 0, "unknown": 0}
        with self.transaction() as connection:
            for prediction_id, label in labels:
                known = sa.select(PREDICTIONS.c.seq).where(PREDICTIONS.c.id == prediction_id)
                if connection.execute(known).first() is None:
                    counts["unknown"] += 1
                    continue
                last = connection.execute(
                    sa.select(LABELS.c.label)
                    .where(LABELS.c.prediction_id == prediction_id)
                    .where(LABELS.c.caller.is_not_distinct_from(caller))
                    .order_by(LABELS.c.seq.desc())
                    .limit(1)
                ).scalar()
                if last == label:
                    counts["duplicate"] += 1
                    continue
                row = {
                    "prediction_id": prediction_id,
                    "label": label,
                    "time": time,
                    "origin": origin,
                    "caller": caller,
                    "trusted": sender.trusted if sender else None,
                }
                connection.execute(sa.insert(LABELS), [row])
                counts["accepted"] += 1
        return counts

    def feedback_watermark(self) -> int:
        """The highest sequence number up to which every label's text has been scrubbed; 0 if none.

        A label whose text is still with the scrubber waits for the next snapshot.
        """
        waiting = (
            sa.select(sa.func.min(LABELS.c.seq))
            .join_from(LABELS, TEXTS, LABELS.c.prediction_id == TEXTS.c.prediction_id, isouter=True)
            .where(TEXTS.c.prediction_id.is_(None))
        )
        with self.transaction() as connection:
            first = connection.execute(waiting).scalar()
            last = sa.select(sa.func.max(LABELS.c.seq))
            if first is not None:
                last = last.where(LABELS.c.seq < first)
            return connection.execute(last).scalar() or 0

    def feedback_without_text(self, until: int) -> int:
        """Counts the labels with sequence number <= `until` that have no text to learn from."""
        statement = (
            sa.select(sa.func.count().label("n"))
            .select_from(LABELS)
            .join(TEXTS, LABELS.c.prediction_id == TEXTS.c.prediction_id)
            .where(LABELS.c.seq <= until, TEXTS.c.text.is_(None))
        )
        return int(self.query(statement)[0]["n"])

    def feedback(self, until: int) -> list[dict[str, Any]]:
        """Labelled texts: for each prediction the last label with sequence number <= `until`.

        Returns:
            Rows of `prediction_id`, `text` (scrubbed), `label`, `time` of the prediction, in the
            order of the labels. Predictions whose text the scrubber refused are left out.
        """
        last = last_labels(LABELS.c.seq <= until)
        return self.query(
            sa.select(LABELS.c.prediction_id, TEXTS.c.text, LABELS.c.label, PREDICTIONS.c.time)
            .join(last, LABELS.c.seq == last.c.seq)
            .join(TEXTS, LABELS.c.prediction_id == TEXTS.c.prediction_id)
            .join(PREDICTIONS, LABELS.c.prediction_id == PREDICTIONS.c.id)
            .where(TEXTS.c.text.is_not(None))
            .order_by(LABELS.c.seq)
        )

    def count_labels(self, after: int) -> int:
        """Counts the labels after the sequence number `after`."""
        statement = sa.select(sa.func.count().label("n")).where(LABELS.c.seq > after)
        return int(self.query(statement)[0]["n"])

    # Decisions

    def add_decision(self, row: dict[str, Any]) -> None:
        self.insert(DECISIONS, [row])

    def decisions(
        self,
        kind: DecisionKind,
        verdict: GateVerdict | GovernorVerdict | CircuitVerdict | None = None,
        limit: int = 1,
    ) -> list[dict[str, Any]]:
        """The newest decisions of a kind, the newest first."""
        statement = sa.select(DECISIONS).where(DECISIONS.c.kind == kind)
        if verdict is not None:
            statement = statement.where(DECISIONS.c.verdict == verdict)
        return self.query(statement.order_by(DECISIONS.c.seq.desc()).limit(limit))

    def add_window(self, window: dict[str, Any], decision: dict[str, Any]) -> None:
        """Records a judged window and what the governor made of it, both or neither.

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
        """True for the first run that takes up a decision to retrain, False for all later ones."""
        row = {"decision_id": decision_id, "flow_run": flow_run, "time": time}
        try:
            with self.transaction() as connection:
                connection.execute(sa.insert(RUNS), [row])
        except LedgerError as error:
            if isinstance(error.__cause__, sa.exc.IntegrityError):
                return False
            raise
        return True


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


def _target(database: str) -> sa.URL:
    try:
        return sa.make_url(database)
    except SQLAlchemyError as error:
        # It may hold a password: it is not shown.
        raise LedgerError(
            "Expected the address of the ledger as an SQLAlchemy URL, such as "
            "postgresql+psycopg://user:password@host/newsloop, got something else. See "
            "NEWSLOOP_DATABASE_URL."
        ) from error


def _explained(error: SQLAlchemyError, name: str) -> LedgerError:
    # str(error) repeats the parameters, which may be a text: only the cause is shown.
    cause = str(getattr(error, "orig", None) or type(error).__name__)
    todo = "See that the database runs and that this user may write to it."
    if cause in _WITHOUT_ROOM:
        todo = NO_ROOM
    return LedgerError(f"Expected to reach the ledger at {name}, got: {cause}. {todo}")


def _tune_sqlite(connection: Any, record: object) -> None:
    del record
    cursor = connection.cursor()
    for pragma in (
        "journal_mode=WAL",
        "synchronous=NORMAL",
        "busy_timeout=30000",
        "foreign_keys=ON",
        "secure_delete=ON",  # what was erased must not stay in free pages
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()
