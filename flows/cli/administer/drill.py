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
                help="all, or any of: drift, bad-model, bad-data, kill-worker, label-outage, "
                "lost-event, database-away."
            ),
        ],
        keep: Annotated[
            bool, typer.Option(help="Keep the sandbox's servers running afterwards.")
        ] = False,
        as_json: Json = False,
    ) -> None:
        """Inject a fault into a real stack and check that newsloop reacts as promised.

        Runs in a sandbox under .newsloop/drill; your champion and your ledger do not change. Needs
        one `newsloop run` before. Each drill takes several minutes.

        Exit status: 1 if a promise is broken.

        Example: `newsloop drill kill-worker lost-event`
        """
        interrupts.keeps("the sandbox was stopped; the same command starts from the beginning")
        params, paths = project()
        from flows.sandbox import drills

        found = drills.run(params, paths, list(drills.DRILLS) if names == ["all"] else names, keep)
        output.lines(["every promise was kept"], found, as_json)
