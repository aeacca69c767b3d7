"""The command `newsloop demo`."""

from __future__ import annotations

from typing import Annotated

import typer

from components.core.runtime import interrupts
from flows.cli import common
from flows.cli.common import OpenLedger, Project


def add(
    app: typer.Typer,
    project: Project = common.project,
    open_ledger: OpenLedger = common.open_ledger,
) -> None:
    """Registers the command."""

    @app.command()
    def demo(
        keep: Annotated[bool, typer.Option(help="Leave its servers running to look at.")] = False,
    ) -> None:
        """Show the closed loop: drift, event, retraining, gate, release, no request lost.

        Works in a sandbox of its own under .newsloop/demo; your champion and your ledger are not
        touched. Takes up to ten minutes on two cores. Needs one `newsloop run` before.
        """
        interrupts.keeps("the sandbox was ended; the same command begins again")
        params, paths = project()
        from flows.sandbox import demo as demonstration

        open_ledger(paths).need_champion("to begin with")
        demonstration.run(params, paths, keep)
