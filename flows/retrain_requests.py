"""Retraining requests: each is requested, claimed and finished once, despite losses and duplicates.

The ledger decides, not Prefect. A request is a decision "retrain"; only the run that claims the
request trains for it. A run is merged if its request is claimed already, or if another run began
after the request and so has all its data. Claim and outcome are written under the learning lock:
if the lock is free, a claim without an outcome belongs to a dead run.
"""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from components.core.errors import Busy, GateRefused, LedgerError, RehearsalUndecided
from components.core.ledger import Champion, Ledger
from components.core.ledger import decisions as ledger_decisions
from components.core.ledger.verdicts import (
    DecisionKind,
    GovernorVerdict,
    RunOutcome,
    WindowFinding,
)
from components.core.params import Params
from components.core.paths import Paths
from flows.dvc import workspace
from monitoring import governor, governor_inputs
from monitoring.governor import Asker, WindowVerdict


def at_work(paths: Paths) -> bool:
    """Returns True while a learning run of any origin holds the lock."""
    try:
        with workspace.alone(paths):
            return False
    except Busy:
        return True


def decide(
    ledger: Ledger, params: Params, champion: Champion, now: datetime, by: Asker, why: str
) -> tuple[str, governor.GovernorDecision]:
    """Asks the governor for a schedule or a person, records and returns decision and id."""
    past = governor_inputs.gather(ledger, champion, params.governor, now, at_work=False)
    verdict = WindowVerdict(WindowFinding.NONE, (f"{why.rstrip('.')}.",))
    decision = governor.decide(verdict, past.history, params.governor, now, by)
    decision_id = uuid.uuid4().hex
    ledger.add_decision(
        {
            "id": decision_id,
            "kind": DecisionKind.GOVERNOR,
            "time": now,
            "verdict": decision.verdict,
            "reasons": decision.reasons,
            "details": {"bundle": champion.bundle, "by": by, "rule": decision.rule},
        }
    )
    return decision_id, decision


def take_up(
    ledger: Ledger,
    params: Params,
    decision_id: str | None,
    reason: str,
    flow_run: str,
    now: datetime,
) -> tuple[str | None, RunOutcome | None]:
    """Decides if a run that holds the lock trains.

    Args:
        ledger: open.
        params: of the checkout.
        decision_id: the request that started it; None for a schedule, which asks the governor.
        reason: why it was started.
        flow_run: its id.
        now: UTC.

    Returns:
        The decision's id, and None if the run trains, else the outcome: MERGED or HELD_BACK.
    """
    champion = ledger.champion()
    if decision_id is None:
        if champion is None:
            return None, None
        decision_id, decision = decide(ledger, params, champion, now, Asker.SCHEDULE, reason)
        if decision.verdict != GovernorVerdict.RETRAIN:
            return decision_id, RunOutcome.HELD_BACK
    asked = ledger_decisions.decision(ledger, decision_id)
    before = ledger_decisions.last_taken_up(ledger)
    if not ledger.claim(decision_id, flow_run, now):
        return decision_id, RunOutcome.MERGED
    if asked and before and before > asked["time"]:
        return decision_id, RunOutcome.MERGED
    return decision_id, None


def failure(error: BaseException) -> tuple[RunOutcome, dict[str, Any]]:
    """Returns outcome and details of a failed run, without the message, which may quote data."""
    if not isinstance(error, Exception):
        return RunOutcome.INTERRUPTED, {"error": type(error).__name__}
    outcome = RunOutcome.FAILED
    if isinstance(error, GateRefused):
        outcome = RunOutcome.REFUSED
    elif isinstance(error, RehearsalUndecided):
        outcome = RunOutcome.CANNOT_SAY
    return outcome, {"error": type(error).__name__}


def bury(ledger: Ledger, paths: Paths, now: datetime) -> list[dict[str, Any]]:
    """Records dead runs as crashed; returns their rows of RUNS."""
    suspects = {row["flow_run"] for row in ledger_decisions.unfinished(ledger)}
    if not suspects or at_work(paths):
        return []
    dead = [row for row in ledger_decisions.unfinished(ledger) if row["flow_run"] in suspects]
    for row in dead:
        ids = row["flow_run"], row["decision_id"]
        ledger_decisions.end(ledger, *ids, RunOutcome.CRASHED, now)
    return dead


def ask_as_person(ledger: Ledger, params: Params, now: datetime, why: str) -> tuple[str, str]:
    """Requests a retraining for a person; returns (decision's id, reason).

    Raises:
        LedgerError: no champion, or a retraining is asked for already.
    """
    champion = ledger.need_champion("to retrain")
    decision_id, decision = decide(ledger, params, champion, now, Asker.PERSON, why)
    if decision.verdict != GovernorVerdict.RETRAIN:
        raise LedgerError(
            f"Expected no retraining to be asked for already. {decision.reasons[-1]} "
            "`newsloop decisions` shows it."
        )
    return decision_id, " ".join(decision.reasons)
