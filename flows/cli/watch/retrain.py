"""The command `newsloop retrain`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from components.core.errors import StackError
from flows.cli import common, output
from flows.cli.common import Json, OpenLedger, Project


def add(
    app: typer.Typer,
    project: Project = common.project,
    open_ledger: OpenLedger = common.open_ledger,
) -> None:
    """Registers the command."""

    @app.command()
    def retrain(
        because: Annotated[str, typer.Option(help="Reason; stored with the release.")],
        as_json: Json = False,
    ) -> None:
        """Request a retraining with the champion's settings now; the governor's limits are ignored.

        The learning deployment of `newsloop up` must run; it trains in the background, after a run
        in progress. Refused while another request waits.

        Example: `newsloop retrain --because "200 new labels"`
        """
        params, paths = project()
        from flows import prefect_client, retrain_requests, stack

        if stack.find(paths, stack.RUNNER) is None:
            raise StackError("Expected the deployments to run, they do not. Run `newsloop up`.")
        ledger, now = open_ledger(paths), datetime.now(UTC)
        decision_id, reason = retrain_requests.ask_as_person(ledger, params, now, because)
        prefect_client.ask_again(decision_id, reason)
        output.lines(
            [f"requested: {decision_id[:8]}. `newsloop decisions` shows its outcome."],
            {"decision_id": decision_id, "reason": reason},
            as_json,
        )
