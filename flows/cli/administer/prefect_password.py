"""The command `newsloop prefect-password`."""

from __future__ import annotations

import sys

import typer

from components.core import keys
from components.core.errors import UsageError
from flows import environment
from flows.cli import common, output
from flows.cli.common import Json, Project


def add(app: typer.Typer, project: Project = common.project) -> None:
    """Registers the command."""

    @app.command("prefect-password")
    def prefect_password(as_json: Json = False) -> None:
        """Show the password of the local Prefect page until Enter is pressed.

        The terminal's scrollback keeps nothing. Into a pipe the command writes the password alone,
        for example for a clipboard program.
        """
        params, paths = project()
        if environment.server_url(params) != environment.local_url(params):
            raise UsageError(
                "Expected the local Prefect server, PREFECT_API_URL names another one. Ask the "
                "operator of that server for its password."
            )
        password, file = keys.prefect_password(paths.keys), paths.keys / keys.PREFECT
        out = output.console()
        if as_json:
            output.as_json({"password": password, "file": str(file)})
        elif not out.is_terminal:
            sys.stdout.write(password)
        else:
            with out.screen():
                out.print(f"\n  {password}\n\n  (the file is {file}; press Enter)", markup=False)
                sys.stdin.readline()
