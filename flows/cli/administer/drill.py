"""The command `newsloop drill`."""

from __future__ import annotations

from typing import Annotated

import typer

from components.core.runtime import interrupts
from flows.cli import common, output
from flows.cli.common import Json, Project


def add(app: typer.Typer, project: Project = common.project) -> None:
    """Registers the command."""

    @app.command()
    def drill(
        names: Annotated[
            list[str],
            typer.Argument(
                help="all, or some of: drift, bad-model, bad-data, kill-worker, label-outage, "
                "lost-event, database-away."
            ),
        ],
        keep: Annotated[bool, typer.Option(help="Leave its servers running to look at.")] = False,
        as_json: Json = False,
    ) -> None:
        """Make a trouble on the real stack and see whether what newsloop promises is kept.

        Works in a sandbox of its own under .newsloop/drill; your champion and your ledger are not
        touched. Several minutes a drill. Needs one `newsloop run` before. Exit status 1 if a
        promise is broken.
        """
        interrupts.keeps("the sandbox was ended; the same command begins again")
        params, paths = project()
        from flows.sandbox import drills

        found = drills.run(params, paths, list(drills.DRILLS) if names == ["all"] else names, keep)
        output.lines(["every promise was kept"], found, as_json)
