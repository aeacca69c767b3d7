"""Governor inputs: the history that the rules need, read from the ledger."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from components.core.ledger import WINDOWS, Champion, Ledger
from components.core.ledger import decisions as ledger_decisions
from components.core.ledger.verdicts import WindowFinding
from components.core.params import Governor
from monitoring.governor import Asker, History


@dataclass(frozen=True)
class GovernorInputs:
    """History for the governor, and the open retraining request that no run has claimed, if any."""

    history: History
    request: dict[str, Any] | None

    def lost(self, now: datetime, params: Governor) -> tuple[str, str] | None:
        """Returns (id, reason) of the request if no run claimed it within `reconcile_minutes`."""
        patience = timedelta(minutes=params.reconcile_minutes)
        if self.request is None or abs(now - self.request["time"]) < patience:
            return None
        return self.request["id"], " ".join(self.request["reasons"])


def gather(
    ledger: Ledger, champion: Champion, params: Governor, now: datetime, *, at_work: bool
) -> GovernorInputs:
    """Reads the history and the open request of the champion.

    Args:
        ledger: open.
        champion: the version that serves.
        params: `last_windows`.
        now: UTC.
        at_work: True while a learning run holds the lock.
    """
    requests = ledger_decisions.asked(ledger, now)
    request = ledger_decisions.open_request(ledger, requests, champion.bundle)
    under_way = "A learning run is at work" if at_work else ""
    if request:
        under_way = f"A retraining is asked for ({request['id'][:8]}) and not begun yet"
    judged = ledger.query(
        sa.select(WINDOWS.c.time)
        .where(WINDOWS.c.verdict.in_([WindowFinding.DRIFT, WindowFinding.NONE]))
        .order_by(WINDOWS.c.seq.desc())
        .limit(1)
    )
    history = History(
        new_labels=ledger.count_labels(int(champion.decision.get("feedback_watermark", 0))),
        asked=tuple(row["time"] for row in requests if row["details"].get("by") != Asker.PERSON),
        moved=ledger_decisions.moved(ledger, champion.bundle, params.last_windows),
        failures=ledger_decisions.failures(ledger),
        under_way=under_way,
        champion_since=champion.time,
        judged=judged[0]["time"] if judged else None,
    )
    return GovernorInputs(history, request)
