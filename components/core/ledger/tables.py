"""The tables of the operational database. core/ledger reads and writes them."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa

from components.core.errors import LedgerError
from components.core.ledger.verdicts import (
    AlertDelivery,
    CircuitVerdict,
    DecisionKind,
    GateVerdict,
    GovernorVerdict,
    RunOutcome,
    TrialEvent,
    WindowFinding,
)


class UtcTime(sa.types.TypeDecorator[datetime]):
    """Times come in and go out aware and in UTC, whatever the database thinks of zones."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise LedgerError(f"Expected a time with a zone, got {value.isoformat()}.")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        del dialect
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class EnumColumn(sa.types.TypeDecorator[StrEnum]):
    """A member of one of `kinds`, whose values are all different; written as its value."""

    impl = sa.String
    cache_ok = True

    def __init__(self, kinds: tuple[type[StrEnum], ...]) -> None:
        super().__init__(16)
        self.kinds = kinds  # a part of SQLAlchemy's cache key, by its name
        self.members = {str(member): member for kind in kinds for member in kind}

    def process_bind_param(self, value: str | None, dialect: sa.Dialect) -> str | None:
        del dialect
        return None if value is None else str(self._member(value))

    def process_result_value(self, value: str | None, dialect: sa.Dialect) -> StrEnum | None:
        del dialect
        return None if value is None else self._member(value)

    def _member(self, value: str) -> StrEnum:
        if value not in self.members:
            raise LedgerError(
                f"Expected one of {', '.join(self.members)} in the ledger, got {value}: use the "
                "version of newsloop that wrote it, or a later one."
            )
        return self.members[value]


METADATA = sa.MetaData()
_SEQ = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _seq() -> sa.Column[int]:
    return sa.Column("seq", _SEQ, primary_key=True, autoincrement=True)


# One answer of the service. `features` are the model's own, as the bundle projects them.
PREDICTIONS = sa.Table(
    "predictions",
    METADATA,
    _seq(),
    sa.Column("id", sa.String(32), nullable=False, unique=True),
    sa.Column("time", UtcTime, nullable=False, index=True),
    sa.Column("bundle", sa.String(64), nullable=False, index=True),
    sa.Column("label", sa.String, nullable=False),
    sa.Column("confidence", sa.Float, nullable=False),
    # Of each class, or of the ten likeliest; see serving/http/answers.py.
    sa.Column("probabilities", sa.JSON, nullable=False),
    sa.Column("words", sa.Integer, nullable=False),
    sa.Column("unknown_share", sa.Float, nullable=False),
    sa.Column("features", sa.JSON, nullable=False),
    sa.Column("source", sa.String(64), nullable=True),  # name of the API key that asked; null: none
    sqlite_autoincrement=True,
)
# The scrubbed text of a prediction; null when there is none, so that nothing waits for it.
TEXTS = sa.Table(
    "texts",
    METADATA,
    sa.Column("prediction_id", sa.String(32), primary_key=True),
    sa.Column("text", sa.Text, nullable=True),
    # Of the caller's texts that were kept at the time, in (0, 1]; null: all, or the text was lost.
    sa.Column("share", sa.Float, nullable=True),
)


def _label() -> list[sa.Column[Any]]:
    return [
        sa.Column("prediction_id", sa.String(32), nullable=False, index=True),
        sa.Column("label", sa.String, nullable=False),
        sa.Column("time", UtcTime, nullable=False),
        sa.Column("origin", sa.String(16), nullable=True),  # queue: asked for; null: unasked
        # Who sent it, see core/ledger/labels.py; null: a label of before this was kept.
        sa.Column("caller", sa.String(64), nullable=True),
        sa.Column("trusted", sa.Boolean, nullable=True),  # it counts alone; null: it does
    ]


# What people said about a prediction; the last word counts.
LABELS = sa.Table(
    "labels",
    METADATA,
    _seq(),
    *_label(),
    sa.Index("ix_labels_caller", "caller", "time"),
    sqlite_autoincrement=True,
)
# Labels that count nowhere, with the numbers that they had in LABELS.
SET_ASIDE = sa.Table(
    "set_aside",
    METADATA,
    sa.Column("seq", _SEQ, primary_key=True, autoincrement=False),
    *_label(),
    sa.Column("why", sa.String(16), nullable=False),  # withdrawn | suspect
    sa.Column("since", UtcTime, nullable=False),
)
# A released bundle: where it came from and what the gate said.
VERSIONS = sa.Table(
    "versions",
    METADATA,
    sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("bundle", sa.String(64), nullable=False, unique=True),
    sa.Column("time", UtcTime, nullable=False),
    sa.Column("tag", sa.String, nullable=False),
    sa.Column("commit", sa.String(40), nullable=False),
    sa.Column("dvc_lock", sa.String(64), nullable=False),
    sa.Column("snapshot", sa.String(64), nullable=False),
    sa.Column("metrics", sa.JSON, nullable=False),
    sa.Column("decision", sa.JSON, nullable=False),
)
# Who served when: the last row names the champion.
DEPLOYMENTS = sa.Table(
    "deployments",
    METADATA,
    _seq(),
    sa.Column("version", sa.Integer, sa.ForeignKey("versions.version"), nullable=False),
    sa.Column("time", UtcTime, nullable=False),
    sa.Column("reason", sa.String, nullable=False),
    # Of a way back: `seq` of the deployment that stands again. Null for a step forward.
    sa.Column("returns_to", _SEQ, nullable=True),
    sqlite_autoincrement=True,
)
# What the gate and the governor decided, and why.
DECISIONS = sa.Table(
    "decisions",
    METADATA,
    _seq(),
    sa.Column("id", sa.String(32), nullable=False, unique=True),
    sa.Column("kind", EnumColumn((DecisionKind,)), nullable=False),
    sa.Column("time", UtcTime, nullable=False),
    sa.Column(
        "verdict", EnumColumn((GateVerdict, GovernorVerdict, CircuitVerdict)), nullable=False
    ),
    sa.Column("reasons", sa.JSON, nullable=False),
    sa.Column("details", sa.JSON, nullable=False),
    sqlite_autoincrement=True,
)
# What became of a request to retrain. One row for each decision that a run took up.
RUNS = sa.Table(
    "runs",
    METADATA,
    _seq(),
    sa.Column("decision_id", sa.String(32), nullable=False, unique=True),
    sa.Column("flow_run", sa.String, nullable=False),
    sa.Column("time", UtcTime, nullable=False),
    sqlite_autoincrement=True,
)
# How a learning run ended that a schedule, an event or reconciliation started.
OUTCOMES = sa.Table(
    "outcomes",
    METADATA,
    _seq(),
    sa.Column("flow_run", sa.String, nullable=False, unique=True),
    sa.Column("decision_id", sa.String(32), nullable=True),  # null: merged before it had one
    sa.Column("time", UtcTime, nullable=False),
    sa.Column("outcome", EnumColumn((RunOutcome,)), nullable=False),
    sa.Column("details", sa.JSON, nullable=False),
    sqlite_autoincrement=True,
)
# What people were told, or should have been. `told` is the only thing that changes.
ALERTS = sa.Table(
    "alerts",
    METADATA,
    _seq(),
    sa.Column("time", UtcTime, nullable=False),
    sa.Column("kind", sa.String(32), nullable=False),
    sa.Column("key", sa.String(64), nullable=False),  # what it is about: told once in a while
    sa.Column("text", sa.String, nullable=False),
    sa.Column("told", EnumColumn((AlertDelivery,)), nullable=False),
    sqlite_autoincrement=True,
)
# A stretch of predictions that monitoring judged together: seq in (after, until].
WINDOWS = sa.Table(
    "windows",
    METADATA,
    _seq(),
    sa.Column("time", UtcTime, nullable=False),
    sa.Column("bundle", sa.String(64), nullable=False),
    sa.Column("after", _SEQ, nullable=False),
    sa.Column("until", _SEQ, nullable=False),
    sa.Column("rows", sa.Integer, nullable=False),
    sa.Column("verdict", EnumColumn((WindowFinding,)), nullable=False),
    sa.Column("details", sa.JSON, nullable=False),
    sqlite_autoincrement=True,
)
# A version that must not serve again: it learned from somebody who was erased.
RETIRED = sa.Table(
    "retired",
    METADATA,
    _seq(),
    sa.Column(
        "version", sa.Integer, sa.ForeignKey("versions.version"), nullable=False, unique=True
    ),
    sa.Column("bundle", sa.String(64), nullable=False),
    sa.Column("time", UtcTime, nullable=False),
    sa.Column("reason", sa.String, nullable=False),
    sa.Column("erasure", sa.String(12), nullable=True),  # its id
    sqlite_autoincrement=True,
)
# The trial of a version beside the champion: its last row says how it stands. `step` counts in
# `shares`; a share of 0 is a shadow.
CHALLENGES = sa.Table(
    "challenges",
    METADATA,
    _seq(),
    sa.Column("challenge", sa.String(32), nullable=False),
    sa.Column("number", sa.Integer, nullable=False),  # of the row in its challenge
    sa.Column("time", UtcTime, nullable=False),
    sa.Column("event", EnumColumn((TrialEvent,)), nullable=False),
    sa.Column("version", sa.Integer, sa.ForeignKey("versions.version"), nullable=False),
    sa.Column("bundle", sa.String(64), nullable=False),
    sa.Column("champion", sa.String(64), nullable=False),
    sa.Column("shares", sa.JSON, nullable=False),
    sa.Column("step", sa.Integer, nullable=False),
    sa.Column("reason", sa.String, nullable=False),
    sa.UniqueConstraint("challenge", "number"),
    sqlite_autoincrement=True,
)
# What a service counted of a bundle since its last row; written while a version is on trial.
OBSERVATIONS = sa.Table(
    "observations",
    METADATA,
    _seq(),
    sa.Column("time", UtcTime, nullable=False, index=True),
    sa.Column("bundle", sa.String(64), nullable=False),
    sa.Column("batches", sa.Integer, nullable=False),
    sa.Column("errors", sa.Integer, nullable=False),
    sa.Column("slow", sa.Integer, nullable=False),
    sa.Column("texts", sa.Integer, nullable=False),
    sa.Column("confidence", sa.Float, nullable=False),  # summed over the texts
    sa.Column("compared", sa.Integer, nullable=False),
    sa.Column("disagreed", sa.Integer, nullable=False),
    sqlite_autoincrement=True,
)
# What a challenger would have answered.
SHADOWS = sa.Table(
    "shadows",
    METADATA,
    sa.Column("prediction_id", sa.String(32), primary_key=True),
    sa.Column("bundle", sa.String(64), primary_key=True),
    sa.Column("label", sa.String, nullable=False),
    sa.Column("confidence", sa.Float, nullable=False),
)


def last_labels(*where: sa.ColumnElement[bool]) -> sa.Subquery:
    """Columns prediction_id and seq of the last label of each prediction: the last word counts.

    To be joined. Asked for by `seq IN (...)`, SQLite looks all of them up for each prediction.

    Args:
        where: which labels are looked at.
    """
    newest = sa.func.max(LABELS.c.seq).label("seq")
    chosen = sa.select(LABELS.c.prediction_id, newest).where(*where)
    return chosen.group_by(LABELS.c.prediction_id).subquery()


def untrusted() -> sa.Label[str | None]:
    """The column `caller` of a label that may not decide alone; null for one that may."""
    return sa.case((LABELS.c.trusted.is_(False), LABELS.c.caller)).label("caller")
