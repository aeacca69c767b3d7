"""The command `newsloop down`."""

from __future__ import annotations

import typer

from flows.cli import common, output
from flows.cli.common import Json, Project


def add(app: typer.Typer, project: Project = common.project) -> None:
    """Registers the command."""

    @app.command()
    def down(as_json: Json = False) -> None:
        """End what `newsloop run` and `newsloop up` started, and nothing else."""
        _, paths = project()
        from flows import stack

        ended = [
            name for name in (stack.SERVICE, stack.RUNNER, stack.SERVER) if stack.stop(paths, name)
        ]
        output.lines(
            [f"ended: {', '.join(ended) or 'nothing was running'}"], {"ended": ended}, as_json
        )
