"""The command `newsloop home`: the page that links all others."""

from __future__ import annotations

import webbrowser
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated

import typer

from flows.cli import common, output
from flows.cli.common import Json, OpenLedger, Project


def add(
    app: typer.Typer,
    project: Project = common.read_project,
    open_ledger: OpenLedger = common.open_ledger,
    browse: Callable[[str], bool] = webbrowser.open,
) -> None:
    """Registers the command."""

    @app.command()
    def home(
        open_: Annotated[
            bool, typer.Option("--open", help="Open the page in a browser, if there is one.")
        ] = False,
        as_json: Json = False,
    ) -> None:
        """Write the page that links all others: runs, data, evaluation, gate, privacy, monitoring.

        Prints the page's address. `newsloop run` and monitoring write the same page.
        """
        params, paths = project()
        from flows import home_page, stack

        running = stack.server_is_ours(params, paths)
        page = home_page.write(paths, open_ledger(paths), datetime.now(UTC), prefect=running)
        output.lines([page.as_uri()], {"page": str(page)}, as_json)
        if open_ and not browse(page.as_uri()):
            output.say("newsloop found no browser that opens the page.")
