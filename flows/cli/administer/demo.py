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
        keep: Annotated[
            bool, typer.Option(help="Keep the sandbox's servers running afterwards.")
        ] = False,
    ) -> None:
        """Show the closed loop: drift, alarm, retraining, gate, release, without a lost request.

        Runs in a sandbox under .newsloop/demo; your champion and your ledger do not change. Needs
        one `newsloop run` before. Takes up to ten minutes on two cores.

        Example: `newsloop demo --keep`
        """
        interrupts.keeps("the sandbox was stopped; the same command starts from the beginning")
        params, paths = project()
        from flows.sandbox import demo as demonstration

        open_ledger(paths).need_champion("to begin with")
        demonstration.run(params, paths, keep)
