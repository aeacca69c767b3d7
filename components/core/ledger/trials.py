"""The trial of a version beside the champion, and what was counted of both, in the ledger."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from components.core.errors import LedgerError
from components.core.ledger import Ledger
from components.core.ledger.counts import Counts
from components.core.ledger.tables import (
    CHALLENGES,
    DEPLOYMENTS,
    LABELS,
    OBSERVATIONS,
    PREDICTIONS,
    SHADOWS,
    VERSIONS,
    last_labels,
    untrusted,
)
from components.core.ledger.verdicts import TrialEvent
from components.core.ledger.windows import QUEUE

_LABELLED_TEXTS = 2000  # that two models are compared by; by then all but the smallest gap shows


@dataclass(frozen=True)
class LabelledText:
    """The last label that one caller gave to a prediction.

    Attributes:
        seq: sequence number of the prediction.
        label: what people say.
        caller: who sent it; None: it counts alone.
    """

    seq: int
    label: str
    caller: str | None = None


@dataclass(frozen=True)
class Challenge:
    """State of a trial.

    Attributes:
        id: 32 hexadecimal digits.
        number: of the row that says so.
        time: since when it stands so, UTC.
        version, bundle, tag: of the challenger.
        champion: the champion's bundle when it began.
        shares: of requests that the challenger answers, by step; 0: a shadow.
        step: counts in `shares`.
    """

    id: str
    number: int
    time: datetime
    event: TrialEvent
    version: int
    bundle: str
    tag: str
    champion: str
    shares: list[float]
    step: int
    reason: str

    @property
    def running(self) -> bool:
        return self.event in (TrialEvent.START, TrialEvent.STEP)

    @property
    def share(self) -> float:
        return self.shares[self.step]


def newest(ledger: Ledger) -> Challenge | None:
    """The trial that began last, running or over."""
    trials = history(ledger, 1)
    return trials[0] if trials else None


def history(ledger: Ledger, limit: int) -> list[Challenge]:
    """Lists the events of all trials, the newest first."""
    named = [column for column in CHALLENGES.c if column.name not in ("seq", "challenge")]
    rows = ledger.query(
        sa.select(CHALLENGES.c.challenge.label("id"), *named, VERSIONS.c.tag)
        .join(VERSIONS, CHALLENGES.c.version == VERSIONS.c.version)
        .order_by(CHALLENGES.c.seq.desc())
        .limit(limit)
    )
    return [Challenge(**row) for row in rows]


def start(
    ledger: Ledger, version: dict[str, Any], shares: Sequence[float], reason: str, now: datetime
) -> None:
    """Begins a trial of `version` (a row of VERSIONS) against the champion.

    Raises:
        LedgerError: there is no champion, it is this version, it is retired, or another trial runs.
    """
    champion, last = ledger.champion(), newest(ledger)
    if champion is None or champion.version == version["version"]:
        raise LedgerError(
            f"Expected another version to serve than {version['tag']}, to compare it with. "
            "`newsloop status` says which one serves."
        )
    if version["version"] in ledger.retired():
        raise LedgerError(
            f"Expected a version that may serve, {version['tag']} is retired. `newsloop models` "
            "lists the others."
        )
    if last is not None and last.running:
        raise LedgerError(
            f"Expected no other challenger, {last.tag} is on trial. End that by `newsloop "
            "challenger stop`, or wait."
        )
    row = {
        "challenge": uuid.uuid4().hex, "number": 0, "time": now, "event": TrialEvent.START,
        "version": version["version"], "bundle": version["bundle"], "champion": champion.bundle,
        "shares": list(shares), "step": 0, "reason": reason,
    }  # fmt: skip
    ledger.insert(CHALLENGES, [row])


def go_on(
    ledger: Ledger, challenge: Challenge, event: TrialEvent, reason: str, now: datetime
) -> bool:
    """Writes what becomes of a trial; a promotion makes it the champion, both or neither.

    Returns:
        False if another service, or a person, was first: then nothing was written.
    """
    step = challenge.step + (event == TrialEvent.STEP)
    row = {
        "challenge": challenge.id, "number": challenge.number + 1, "time": now, "event": event,
        "version": challenge.version, "bundle": challenge.bundle, "champion": challenge.champion,
        "shares": challenge.shares, "step": step, "reason": reason,
    }  # fmt: skip
    try:
        with ledger.transaction() as connection:
            connection.execute(sa.insert(CHALLENGES), [row])
            if event == TrialEvent.PROMOTED:
                deployed = {"version": challenge.version, "time": now, "reason": reason}
                connection.execute(sa.insert(DEPLOYMENTS), [deployed])
    except LedgerError as error:
        if isinstance(error.__cause__, sa.exc.IntegrityError):
            return False
        raise
    return True


def observe(ledger: Ledger, counts: dict[str, Counts], now: datetime) -> None:
    """Keeps what was counted, by bundle."""
    rows = [
        {"time": now, "bundle": bundle, **asdict(counted)} for bundle, counted in counts.items()
    ]
    ledger.insert(OBSERVATIONS, rows)


def observed(ledger: Ledger, bundle: str, since: datetime) -> tuple[Counts, datetime | None]:
    """All that was counted of `bundle` since then, and when something was counted last."""
    names = [field.name for field in fields(Counts)]
    sums = [sa.func.coalesce(sa.func.sum(OBSERVATIONS.c[name]), 0).label(name) for name in names]
    row = ledger.query(
        sa.select(sa.func.max(OBSERVATIONS.c.time).label("last"), *sums).where(
            OBSERVATIONS.c.bundle == bundle, OBSERVATIONS.c.time >= since
        )
    )[0]
    last = row.pop("last")
    return Counts(**row), last


def labelled(ledger: Ledger, bundle: str, since: datetime | None = None) -> tuple[int, int]:
    """Counts the labelled answers of `bundle`: (right, all).

    Answers of a shadow count too. The last label of a prediction counts.
    """
    last = last_labels()
    given = sa.select(PREDICTIONS.c.id, PREDICTIONS.c.label).where(PREDICTIONS.c.bundle == bundle)
    shadow = (
        sa.select(SHADOWS.c.prediction_id, SHADOWS.c.label)
        .join(PREDICTIONS, PREDICTIONS.c.id == SHADOWS.c.prediction_id)
        .where(SHADOWS.c.bundle == bundle)
    )
    if since is not None:
        given = given.where(PREDICTIONS.c.time >= since)
        shadow = shadow.where(PREDICTIONS.c.time >= since)
    answers = sa.union_all(given, shadow).subquery()
    right = sa.func.sum(sa.case((answers.c.label == LABELS.c.label, 1), else_=0))
    columns: list[Any] = [right.label("right"), sa.func.count().label("n")]
    row = ledger.query(
        sa.select(*columns)
        .select_from(answers)
        .join(last, last.c.prediction_id == answers.c.id)
        .join(LABELS, LABELS.c.seq == last.c.seq)
    )[0]
    return int(row["right"] or 0), int(row["n"])


def labelled_texts(ledger: Ledger, since: datetime) -> list[LabelledText]:
    """The labels of predictions that were made since then, in the order in which they were sent.

    Those that the label queue asked for are left out: it asks for what the champion is least sure
    of. Of very many the first ones decide.
    """
    newest = (
        sa.select(sa.func.max(LABELS.c.seq).label("seq"))
        .where(LABELS.c.time >= since)
        .group_by(LABELS.c.prediction_id, LABELS.c.caller)
        .subquery()
    )
    rows = ledger.query(
        sa.select(PREDICTIONS.c.seq, LABELS.c.label, untrusted())
        .join(LABELS, LABELS.c.prediction_id == PREDICTIONS.c.id)
        .join(newest, LABELS.c.seq == newest.c.seq)
        .where(
            PREDICTIONS.c.time >= since,
            sa.or_(LABELS.c.origin.is_(None), LABELS.c.origin != QUEUE),
        )
        .order_by(LABELS.c.seq)
        .limit(_LABELLED_TEXTS)
    )
    return [LabelledText(**row) for row in rows]


def add_shadows(ledger: Ledger, rows: list[dict[str, Any]]) -> None:
    """Keeps what a challenger would have answered."""
    ledger.insert(SHADOWS, rows)
