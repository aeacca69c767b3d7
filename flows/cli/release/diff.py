"""The command `newsloop diff`."""

from __future__ import annotations

import typer

from components.core.ledger import deployments as ledger_deployments
from flows.cli import common, output_versions
from flows.cli.common import Json, OpenLedger, Project, Version


def add(
    app: typer.Typer,
    project: Project = common.read_project,
    open_ledger: OpenLedger = common.open_ledger,
) -> None:
    """Registers the command."""

    @app.command()
    def diff(first: Version, second: Version, as_json: Json = False) -> None:
        """Say what differs between two versions: data, settings, metrics, answers.

        Answers are compared on the documents that both versions were tested on.
        """
        _, paths = project()
        from flows import versions

        ledger = open_ledger(paths)
        one, two = (
            ledger_deployments.released(ledger, first),
            ledger_deployments.released(ledger, second),
        )
        output_versions.diff(versions.diff(paths, one, two), as_json)
