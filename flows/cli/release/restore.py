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
        folder: Annotated[Path, typer.Argument(help="New or empty folder.")],
        retrain: Annotated[
            bool, typer.Option("--retrain", help="Train again, and compare the bundle's hash.")
        ] = False,
        as_json: Json = False,
    ) -> None:
        """Restore code, data and bundle of a version into a folder, and verify their hashes.

        The data come from DVC's remote. The champion and the checkout do not change.

        Exit status: 1 if a file is missing or altered, or if --retrain gives another bundle.

        Example: `newsloop restore v2 ../newsloop-v2 --retrain`
        """
        params, paths = project()
        from flows.versions import restore as restoring

        row = ledger_deployments.released(open_ledger(paths), version)
        seconds = params.release.remote_minutes * 60
        found = restoring.restore(paths, row, folder, output.say, seconds)
        if retrain:
            found["retrained"] = restoring.retrain(paths, row, folder, output.say)
        output_versions.restored(found, as_json)
