"""Monitoring flow: judges a window, decides, sends alerts and draws the page."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from prefect import flow, get_run_logger

from components.core import ledger as ledgers
from components.core import params as parameters
from components.core.errors import LedgerError, NewsloopError
from components.core.ledger import Ledger
from components.core.ledger import decisions as ledger_decisions
from components.core.ledger.verdicts import GovernorVerdict, RunOutcome
from components.core.params import Params
from components.core.paths import Paths
from flows import (
    home_page,
    notify,
    prefect_auth,
    prefect_client,
    retrain_requests,
    write_operator_page,
)
from monitoring import alerts, retraining_effect
from monitoring import monitor as monitoring
from monitoring.alerts import Alert, AlertKind
from monitoring.retraining_effect import Effect

_LOOKED_BACK = timedelta(days=1)  # for runs that Prefect cancelled because another run was active


@flow(name="monitoring", flow_run_name="monitoring", validate_parameters=False)
def monitor(root: str, home: str) -> dict[str, Any]:
    """Judges the newest window of the champion's predictions.

    1. Reconcile: runs that died are recorded as crashed, runs that Prefect cancelled as merged.
    2. Read the window from the ledger and its verdict from Evidently; let the governor decide. Both
       are written to the ledger.
    3. Ask for the retraining that was decided, or again for an earlier one that no run took up.
    4. Compare a retrained champion with the model before it.
    5. Send the alerts, and draw the operator's page.

    Args:
        root: the checkout.
        home: the installation's state, NEWSLOOP_HOME.

    Returns:
        verdict, reasons, decision_id, report (path of the HTML) of the decision; page: the
        operator's.

    Raises:
        NewsloopError: no champion, or the ledger cannot be reached.
    """
    prefect_auth.reserve(os.environ.get("PREFECT_API_URL"))
    paths = Paths(Path(root), Path(home))
    params = parameters.load(paths.params)
    now = datetime.now(UTC)
    try:
        ledger = ledgers.opened(ledgers.url(paths.ledger))
    except LedgerError:
        notify.ledger_away(params, paths, now)
        raise
    found: list[Alert] = []
    try:
        found += reconcile(paths, ledger, now)
        outcome = _decide(params, paths, ledger, now)
        found += alerts.of_outcome(outcome)
        compared = retraining_effect.run(params, paths, ledger)
        if compared and compared["answer"] == Effect.WORSE:
            found.append(Alert(AlertKind.WORSE_MODEL, compared["text"], compared["after"]))
        page = write_operator_page.write(params, paths, ledger, now)
        home_page.write(paths, ledger, now, prefect=True)
    except NewsloopError as error:
        kind = type(error).__name__
        text = f"Monitoring failed ({kind}). The champion serves on, unwatched. See Prefect's log."
        found.append(Alert(AlertKind.MONITORING_FAILED, text, kind))
        raise
    finally:
        notify.tell(found, params, paths, ledger, now)
        ledger.close()
    return {**outcome.as_dict(), "effect": compared, "page": str(page)}


def _decide(params: Params, paths: Paths, ledger: Ledger, now: datetime) -> monitoring.Outcome:
    """Judges and decides (step 2), and requests retrainings (step 3)."""
    outcome = monitoring.run(params, paths, now, ledger, at_work=retrain_requests.at_work(paths))
    get_run_logger().info("%s: %s", outcome.decision.verdict, " ".join(outcome.decision.reasons))
    if outcome.reconcile:
        prefect_client.ask_again(*outcome.reconcile)
    if outcome.decision.verdict == GovernorVerdict.RETRAIN:
        prefect_client.ask(outcome.decision_id, " ".join(outcome.decision.reasons))
    return outcome


def reconcile(paths: Paths, ledger: Ledger, now: datetime) -> list[Alert]:
    """Reconciles ledger and Prefect; returns an alert for each dead run."""
    dead = retrain_requests.bury(ledger, paths, now)
    prefect_client.mark_crashed([row["flow_run"] for row in dead])
    for flow_run in prefect_client.doubled(now - _LOOKED_BACK):
        ledger_decisions.end(ledger, flow_run, None, RunOutcome.MERGED, now)
    text = "A retraining died at work. The champion serves on, and the next request trains again."
    return [
        Alert(AlertKind.DEAD_RUN, f"{text} Run {row['flow_run']}.", row["flow_run"]) for row in dead
    ]
