"""The command `newsloop report`: the operator's page."""

from __future__ import annotations

from datetime import UTC, datetime

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
    def report(as_json: Json = False) -> None:
        """Write the operator's page now: champion, accuracy, drift, and the latest decisions.

        Prints the page's address. Monitoring writes the same page after each window.
        """
        params, paths = project()
        from flows import home_page, stack, write_operator_page

        ledger, now = open_ledger(paths), datetime.now(UTC)
        page = write_operator_page.write(params, paths, ledger, now)
        running = stack.server_is_ours(params, paths)
        home_page.write(paths, ledger, now, prefect=running)
        output.lines([page.as_uri()], {"page": str(page)}, as_json)
