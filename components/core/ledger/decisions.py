"""Queries and records of the governor, the alerts and the operator's page."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import sqlalchemy as sa

from components.core.ledger import Ledger
from components.core.ledger.tables import (
    ALERTS,
    DECISIONS,
    DEPLOYMENTS,
    OUTCOMES,
    RUNS,
    VERSIONS,
)
from components.core.ledger.verdicts import (
    AlertDelivery,
    CircuitVerdict,
    DecisionKind,
    GovernorVerdict,
    RunOutcome,
)

FAILED = (RunOutcome.REFUSED, RunOutcome.FAILED, RunOutcome.CRASHED, RunOutcome.CANNOT_SAY)
GOOD = (RunOutcome.RELEASED, RunOutcome.KEPT, RunOutcome.UNCHANGED)
MONTH = timedelta(days=30)
_RECENT_WINDOWS = 50  # two days of hourly ones
_RECENT_OUTCOMES = 500


def asked(ledger: Ledger, now: datetime) -> list[dict[str, Any]]:
    """Lists the decisions to retrain of the last 30 days, and of future times; the newest first."""
    return ledger.query(
        sa.select(DECISIONS)
        .where(DECISIONS.c.kind == DecisionKind.GOVERNOR)
        .where(DECISIONS.c.verdict == GovernorVerdict.RETRAIN)
        .where(DECISIONS.c.time > now - MONTH)
        .order_by(DECISIONS.c.seq.desc())
    )


def open_request(
    ledger: Ledger, requests: Sequence[dict[str, Any]], bundle: str
) -> dict[str, Any] | None:
    """Returns the newest of `requests` if no run claimed it and it concerns `bundle`."""
    if not requests or requests[0]["details"].get("bundle", bundle) != bundle:
        return None
    taken = sa.select(RUNS.c.seq).where(RUNS.c.decision_id == requests[0]["id"])
    return None if ledger.query(taken) else requests[0]


def moved(ledger: Ledger, bundle: str, limit: int) -> tuple[bool, ...]:
    """Returns for each of the newest judged windows of `bundle` whether its inputs had moved.

    Only recent windows are read.
    """
    rows = ledger.query(
        sa.select(DECISIONS.c.details)
        .where(DECISIONS.c.kind == DecisionKind.GOVERNOR)
        .where(DECISIONS.c.details["bundle"].as_string() == bundle)
        .order_by(DECISIONS.c.seq.desc())
        .limit(_RECENT_WINDOWS)
    )
    flags = [row["details"].get("world_moved") for row in rows]
    return tuple([flag for flag in flags if flag is not None][:limit])


def failures(ledger: Ledger) -> tuple[datetime, ...]:
    """Returns the times of failures since the last good run or closed circuit, newest first."""
    closed = ledger.decisions(DecisionKind.CIRCUIT, CircuitVerdict.CLOSED)
    ended = sa.select(OUTCOMES.c.time, OUTCOMES.c.outcome).order_by(OUTCOMES.c.seq.desc())
    if closed:
        ended = ended.where(OUTCOMES.c.time > closed[0]["time"])
    times: list[datetime] = []
    for row in ledger.query(ended.limit(_RECENT_OUTCOMES)):
        if row["outcome"] in GOOD:
            break
        if row["outcome"] in FAILED:
            times.append(row["time"])
    return tuple(times)


def end(
    ledger: Ledger,
    flow_run: str,
    decision_id: str | None,
    outcome: RunOutcome,
    time: datetime,
    details: dict[str, Any] | None = None,
) -> bool:
    """Records how a run ended. False if that was recorded before."""
    known = sa.select(OUTCOMES.c.seq).where(OUTCOMES.c.flow_run == flow_run)
    if ledger.query(known):
        return False
    row = {"flow_run": flow_run, "decision_id": decision_id, "time": time, "outcome": outcome}
    ledger.insert(OUTCOMES, [{**row, "details": details or {}}])
    return True


def unfinished(ledger: Ledger) -> list[dict[str, Any]]:
    """Lists the runs with a decision and without an outcome: at work, or dead."""
    ended = sa.select(OUTCOMES.c.flow_run)
    return ledger.query(sa.select(RUNS).where(RUNS.c.flow_run.not_in(ended)))


def last_taken_up(ledger: Ledger) -> datetime | None:
    """Returns the time at which a run last claimed a decision, UTC."""
    rows = ledger.query(sa.select(RUNS.c.time).order_by(RUNS.c.seq.desc()).limit(1))
    return rows[0]["time"] if rows else None


def decision(ledger: Ledger, decision_id: str) -> dict[str, Any] | None:
    """Returns the row of one decision of any kind; None if there is none."""
    rows = ledger.query(sa.select(DECISIONS).where(DECISIONS.c.id == decision_id))
    return rows[0] if rows else None


def story(ledger: Ledger, limit: int) -> list[dict[str, Any]]:
    """Lists the newest decisions of governor and circuit, the newest first, with their outcomes.

    Returns:
        Rows of DECISIONS with `outcome` (of the run that claimed it, or None) and `flow_run`.
    """
    return ledger.query(
        sa.select(DECISIONS, RUNS.c.flow_run, OUTCOMES.c.outcome)
        .select_from(DECISIONS)
        .join(RUNS, RUNS.c.decision_id == DECISIONS.c.id, isouter=True)
        .join(OUTCOMES, OUTCOMES.c.flow_run == RUNS.c.flow_run, isouter=True)
        .where(DECISIONS.c.kind.in_([DecisionKind.GOVERNOR, DecisionKind.CIRCUIT]))
        .order_by(DECISIONS.c.seq.desc())
        .limit(limit)
    )


def add_details(ledger: Ledger, decision_id: str, more: dict[str, Any]) -> None:
    """Adds later facts to a decision's details; the earlier ones stay."""
    row = decision(ledger, decision_id)
    if row is not None:
        changed = {**row["details"], **more}
        where = DECISIONS.c.id == decision_id
        ledger.execute(sa.update(DECISIONS).where(where).values(details=changed))


# Alerts


def add_alert(ledger: Ledger, kind: str, key: str, text: str, now: datetime) -> None:
    row = {"time": now, "kind": kind, "key": key, "text": text, "told": AlertDelivery.NOT_YET}
    ledger.insert(ALERTS, [row])


def alerts(ledger: Ledger, since: datetime | None = None, limit: int = 100) -> list[dict[str, Any]]:
    """Lists the newest alerts, the newest first."""
    statement = sa.select(ALERTS).order_by(ALERTS.c.seq.desc()).limit(limit)
    return ledger.query(statement.where(ALERTS.c.time > since) if since else statement)


def untold(ledger: Ledger, limit: int = 100) -> list[dict[str, Any]]:
    """Lists the alerts that no channel has accepted, the oldest first."""
    where = ALERTS.c.told == AlertDelivery.NOT_YET
    return ledger.query(sa.select(ALERTS).where(where).order_by(ALERTS.c.seq).limit(limit))


def mark_alerts(ledger: Ledger, seqs: Sequence[int], delivery: AlertDelivery) -> None:
    if seqs:
        where = ALERTS.c.seq.in_(list(seqs))
        ledger.execute(sa.update(ALERTS).where(where).values(told=delivery))


def setbacks(ledger: Ledger, since: datetime) -> list[dict[str, Any]]:
    """Lists the rollbacks since then: seq, version, before, time, tag."""
    rows = ledger.query(
        sa.select(DEPLOYMENTS.c.seq, DEPLOYMENTS.c.version, DEPLOYMENTS.c.time, VERSIONS.c.tag)
        .join(VERSIONS, VERSIONS.c.version == DEPLOYMENTS.c.version)
        .order_by(DEPLOYMENTS.c.seq)
    )
    return [
        {**later, "before": earlier["tag"]}
        for earlier, later in pairwise(rows)
        if later["version"] < earlier["version"] and later["time"] > since
    ]
