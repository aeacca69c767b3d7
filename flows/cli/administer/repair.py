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
        """Put right what a killed run left. Each run does it first by itself.

        Ends processes that outlived their run, removes locks of dead processes and half-written
        files, puts a good dvc.lock in the place of a torn one, and finishes a release that was
        begun.
        """
        _, paths = project()
        from flows.dvc import workspace
        from flows.versions import repair as repairs

        with workspace.alone(paths):
            done = repairs.run(paths, open_ledger(paths), datetime.now(UTC))
        output.lines(done or ["nothing to repair"], {"done": done}, as_json)
