"""The command `newsloop rollback`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from components.core import bundle
from components.core.ledger import deployments as ledger_deployments
from components.core.ledger import version_names
from flows.cli import common, output
from flows.cli.common import Json, OpenLedger, Project


def add(
    app: typer.Typer,
    project: Project = common.read_project,
    open_ledger: OpenLedger = common.open_ledger,
) -> None:
    """Registers the command."""

    @app.command()
    def rollback(
        version: Annotated[
            str | None,
            typer.Argument(help="Earlier version, such as v3. Default: the previous champion."),
        ] = None,
        because: Annotated[str, typer.Option(help="Reason; stored in the ledger.")] = "",
        as_json: Json = False,
    ) -> None:
        """Roll back to the previous champion; the same command again goes one step further back.

        Verifies the bundle first. A running service follows within seconds.

        Example: `newsloop rollback --because "v4 fails on tech"`
        """
        _, paths = project()
        ledger = open_ledger(paths)
        wanted = version_names.number(version) if version else None
        champion, back = ledger_deployments.way_back(ledger, wanted)
        bundle.verify(paths.bundles / back["bundle"], paths.keys)
        reason = f"rolled back from {champion.tag}" + (f": {because}" if because else "")
        back = ledger_deployments.roll_back(ledger, champion, datetime.now(UTC), reason, wanted)
        found = {"version": back["version"], "tag": back["tag"], "reason": reason}
        output.lines([f"{back['tag']} serves from now on ({reason})"], found, as_json)
