"""Sends alerts from a flow; a failure to send never stops the run."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime

from components.core.errors import NewsloopError, UsageError
from components.core.ledger import Ledger
from components.core.ledger import decisions as ledger_decisions
from components.core.ledger.verdicts import RunOutcome
from components.core.params import Params
from components.core.paths import Paths
from monitoring import alerts
from monitoring.alerts import Alert, AlertKind
from monitoring.governor import History

_AWAY = "ledger-away.json"
LOG = logging.getLogger("newsloop.alerts")


def tell(
    found: Sequence[Alert], params: Params, paths: Paths, ledger: Ledger, now: datetime
) -> None:
    """Records alerts and sends them; logs a warning if the ledger or the addresses fail."""
    try:
        history = History(failures=ledger_decisions.failures(ledger))
        every = [
            *found,
            *alerts.of_circuit(history, params, now),
            *alerts.of_setbacks(ledger, params.alerts, now),
            *alerts.of_disk(paths, params.alerts),
        ]
        try:
            where = alerts.channels(paths)
        except UsageError as error:
            LOG.warning("%s", error)
            # The alerts stay unsent in the ledger and go out after the addresses are fixed.
            alerts.tell(every, ledger, [alerts.FILE], params.alerts, now, lambda *_: False)
        else:
            alerts.tell(every, ledger, where, params.alerts, now)
    except NewsloopError as error:
        LOG.warning("Alerts could not be written: %s", error)


def ledger_away(params: Params, paths: Paths, now: datetime) -> None:
    """Sends the alert that the ledger cannot be used; a file has its time, as the ledger cannot."""
    text = (
        "The ledger cannot be opened. The service answers on, and keeps predictions in its spool. "
        "`newsloop status` says why."
    )
    try:
        alerts.tell_once(
            Alert(AlertKind.LEDGER_AWAY, text),
            paths.home / _AWAY,
            alerts.channels(paths),
            params.alerts,
            now,
        )
    except (OSError, UsageError) as error:
        LOG.warning("The alert that the ledger is away was not sent: %s", error)


def of_learning(outcome: RunOutcome, flow_run: str, error: BaseException) -> list[Alert]:
    """Builds the alert for a failed retraining; none for an interrupted one."""
    if outcome == RunOutcome.REFUSED:
        text = "No candidate passed the gate. The champion serves on. See `newsloop decisions`."
        return [Alert(AlertKind.GATE_REFUSED, text, flow_run)]
    if outcome == RunOutcome.INTERRUPTED:
        return []
    if outcome == RunOutcome.CANNOT_SAY:
        text = (
            "A candidate was trained, but its rehearsal had no result. The champion serves on. "
            "`newsloop gate` has the reason; the next run only repeats the rehearsal."
        )
        return [Alert(AlertKind.REHEARSAL_UNDECIDED, text, flow_run)]
    text = (
        f"A retraining failed ({type(error).__name__}). The champion serves on. Prefect's run "
        f"{flow_run} has its log."
    )
    return [Alert(AlertKind.RETRAINING_FAILED, text, flow_run)]
