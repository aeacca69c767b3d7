"""The command `newsloop repair`."""

from __future__ import annotations

from datetime import UTC, datetime

import typer

from flows.cli import common, output
from flows.cli.common import Json, OpenLedger, Project


def add(
    app: typer.Typer,
    project: Project = common.project,
    open_ledger: OpenLedger = common.open_ledger,
) -> None:
    """Registers the command."""

    @app.command()
    def repair(as_json: Json = False) -> None:
        """Repair the state that a killed run left. Each learning run does this first.

        Ends processes that outlived their run, removes locks of dead processes and half-written
        files, replaces a torn dvc.lock, and finishes or undoes a release that was interrupted.
        Prints each repair, or that there is nothing to repair.
        """
        _, paths = project()
        from flows.dvc import workspace
        from flows.versions import repair as repairs

        with workspace.alone(paths):
            done = repairs.run(paths, open_ledger(paths), datetime.now(UTC))
        output.lines(done or ["nothing to repair"], {"done": done}, as_json)
