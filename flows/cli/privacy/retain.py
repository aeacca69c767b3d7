"""The command `newsloop retain`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from flows.cli import common, output
from flows.cli.common import Json, OpenLedger, Project


def add(
    app: typer.Typer,
    project: Project = common.read_project,
    open_ledger: OpenLedger = common.open_ledger,
) -> None:
    """Registers the command."""

    @app.command()
    def retain(
        dry_run: Annotated[bool, typer.Option("--dry-run", help="Count, remove nothing.")] = False,
        as_json: Json = False,
    ) -> None:
        """Remove data older than the section privacy of params.yaml allows.

        The retention deployment does the same daily while `newsloop up` runs. Removes texts and
        rows of the ledger, quarantine tables, logs, monitoring pages, and bundles of retired
        versions.

        Example: `newsloop retain --dry-run`
        """
        params, paths = project()
        from flows.retention import retain as remove

        done = remove(params, paths, open_ledger(paths), datetime.now(UTC), dry_run=dry_run)
        verb = "would be removed" if dry_run else "removed"
        counts = ", ".join(f"{name} {count}" for name, count in done.items() if count)
        output.lines([f"{verb}: {counts or 'nothing is too old'}"], done, as_json)
