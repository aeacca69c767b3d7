"""The command `newsloop restore`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from components.core.ledger import deployments as ledger_deployments
from flows.cli import common, output, output_versions
from flows.cli.common import Json, OpenLedger, Project, Version


def add(
    app: typer.Typer,
    project: Project = common.read_project,
    open_ledger: OpenLedger = common.open_ledger,
) -> None:
    """Registers the command."""

    @app.command()
    def restore(
        version: Version,
        folder: Annotated[Path, typer.Argument(help="A new folder, or an empty one.")],
        retrain: Annotated[
            bool, typer.Option("--retrain", help="Train again, and compare the bundle's hash.")
        ] = False,
        as_json: Json = False,
    ) -> None:
        """Bring code, data and bundle of a version into a folder, and prove their hashes.

        Data come from DVC's remote. The champion and the checkout stay as they are.
        """
        _, paths = project()
        from flows.versions import restore as restoring

        row = ledger_deployments.released(open_ledger(paths), version)
        found = restoring.restore(paths, row, folder, output.say)
        if retrain:
            found["retrained"] = restoring.retrain(paths, row, folder, output.say)
        output_versions.restored(found, as_json)
