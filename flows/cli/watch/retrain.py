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
        because: Annotated[str, typer.Option(help="The reason; kept with the release.")],
        as_json: Json = False,
    ) -> None:
        """Ask for a retraining now, by the recipe of the champion, whatever the governor says.

        `newsloop up` must run: its deployment takes it up. If one is at work, it comes after it.
        """
        params, paths = project()
        from flows import prefect_client, retrain_requests, stack

        if stack.find(paths, stack.RUNNER) is None:
            raise StackError("Expected the deployments to run, they do not. Run `newsloop up`.")
        ledger, now = open_ledger(paths), datetime.now(UTC)
        decision_id, reason = retrain_requests.ask_as_person(ledger, params, now, because)
        prefect_client.ask_again(decision_id, reason)
        output.lines(
            [f"asked for: {decision_id[:8]}. `newsloop decisions` shows what becomes of it."],
            {"decision_id": decision_id, "reason": reason},
            as_json,
        )
