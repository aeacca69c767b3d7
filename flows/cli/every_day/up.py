"""The command `newsloop up`."""

from __future__ import annotations

import typer

from components.core.runtime import interrupts
from flows.cli import common, output
from flows.cli.common import Json, OpenLedger, Project
from flows.cli.every_day import status


def add(
    app: typer.Typer,
    project: Project = common.project,
    open_ledger: OpenLedger = common.open_ledger,
) -> None:
    """Registers the command."""

    @app.command()
    def up(as_json: Json = False) -> None:
        """Keep the whole stack running: Prefect server, deployments, service.

        Learning runs weekly and on drift, monitoring hourly; the service answers with the champion.
        What runs already is left as it is; what was stopped by a signal goes on; what outlived the
        process that started it is ended and started anew. `newsloop down` ends what this started.
        """
        interrupts.keeps("what answers already runs on; the same command goes on with the rest")
        params, paths = project()
        from flows import stack

        with_champion = open_ledger(paths).need_champion("to serve")
        stack.begin_service(params, paths)
        output.say("Prefect server ...")
        stack.ensure_server(params, paths)
        output.say("deployments ...")
        stack.start_runner(params, paths)
        output.say(f"service with {with_champion.tag} ...")
        stack.start_service(params, paths)
        output.status(status.state(params, paths, open_ledger(paths)), as_json)
