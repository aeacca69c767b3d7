"""The monitoring flow: one window judged, one decision taken, an event where it says retrain."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from prefect import flow, get_run_logger
from prefect.events import emit_event

from components.core import ledger as ledgers
from components.core import params as parameters
from components.core.ledger import Ledger
from components.core.paths import Paths
from monitoring import monitor as monitoring

DRIFT = "newsloop.drift"  # the event that the learning deployment waits for


@flow(name="monitoring", flow_run_name="monitoring", validate_parameters=False)
def monitor(root: str, home: str) -> dict[str, Any]:
    """Judges the newest window of the champion's predictions.

    1. Read the window from the ledger and its verdict from Evidently.
    2. Let the governor decide; both are written to the ledger.
    3. Emit the event for a decision to retrain, also for an earlier one that no run took up.

    Args:
        root: the checkout.
        home: the installation's state, NEWSLOOP_HOME.

    Returns:
        verdict, reasons, decision_id, report (path of the HTML) of the decision.

    Raises:
        NewsloopError: no champion, or the ledger cannot be reached.
    """
    paths = Paths(Path(root), Path(home))
    params = parameters.load(paths.params)
    ledger = Ledger(ledgers.url(paths.ledger))
    try:
        outcome = monitoring.run(params, paths, datetime.now(UTC), ledger)
    finally:
        ledger.close()
    get_run_logger().info("%s: %s", outcome.decision.verdict, " ".join(outcome.decision.reasons))
    for decision_id, reason in outcome.requests():
        emit_event(
            DRIFT,
            resource={"prefect.resource.id": f"newsloop.decision.{decision_id}"},
            payload={"decision_id": decision_id, "reason": reason},
        )
    return outcome.as_dict()
