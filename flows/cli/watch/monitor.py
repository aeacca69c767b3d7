"""The command `newsloop monitor`."""

from __future__ import annotations

import typer

from flows.cli import common, output
from flows.cli.common import Json, OpenLedger, Project


def add(
    app: typer.Typer,
    project: Project = common.project,
    read_project: Project = common.read_project,
    open_ledger: OpenLedger = common.open_ledger,
) -> None:
    """Registers the command."""

    @app.command()
    def monitor(as_json: Json = False) -> None:
        """Test the newest window of predictions for drift now, as the hourly deployment does.

        Records the governor's decision, requests a retraining if it decides so, sends alerts, and
        writes the monitoring page and the operator's page. Starts a local Prefect server if none
        answers.
        """
        _, paths = read_project()
        open_ledger(paths).need_champion("to watch")
        params, paths = project()
        from flows import stack

        stack.ensure_server(params, paths)
        from flows.monitor import monitor as monitoring_flow

        output.monitoring(monitoring_flow(str(paths.root), str(paths.home)), as_json)
