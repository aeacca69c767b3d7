"""The command `newsloop retain`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from flows.cli import common, output
from flows.cli.common import Json, OpenLedger, Project


def add(
    app: typer.Typer,
    project: Project = common.project,
    open_ledger: OpenLedger = common.open_ledger,
) -> None:
    """Registers the command."""

    @app.command()
    def retain(
        dry_run: Annotated[bool, typer.Option("--dry-run", help="Count, remove nothing.")] = False,
        as_json: Json = False,
    ) -> None:
        """Remove what is older than `privacy` in params.yaml allows, as is done daily."""
        params, paths = project()
        from flows.retention import retain as remove

        done = remove(params, paths, open_ledger(paths), datetime.now(UTC), dry_run=dry_run)
        verb = "would go" if dry_run else "gone"
        told = ", ".join(f"{name} {count}" for name, count in done.items() if count)
        output.lines([f"{verb}: {told or 'nothing is too old'}"], done, as_json)
