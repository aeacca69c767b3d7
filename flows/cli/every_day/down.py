"""The command `newsloop down`."""

from __future__ import annotations

import typer

from flows.cli import common, output
from flows.cli.common import Json, Project


def add(app: typer.Typer, project: Project = common.project) -> None:
    """Registers the command."""

    @app.command()
    def down(as_json: Json = False) -> None:
        """End what `newsloop run` and `newsloop up` started, and nothing else.

        Also what outlived the process that started it, such as a worker of a killed service.
        """
        _, paths = project()
        from flows import stack

        ended = [name for name in reversed(stack.NAMES) if stack.stop(paths, name)]
        output.lines(
            [f"ended: {', '.join(ended) or 'nothing was running'}"], {"ended": ended}, as_json
        )
