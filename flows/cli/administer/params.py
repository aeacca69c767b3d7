"""The command `newsloop params`."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from components.core import params as parameters
from components.core.errors import UsageError
from components.core.params import documentation
from flows.cli import common, output
from flows.cli.common import Json, Project

if TYPE_CHECKING:
    from components.core.params.documentation import Row

_MARK = "*"


def add(app: typer.Typer, project: Project = common.read_project) -> None:
    """Registers the command."""

    @app.command()
    def params(
        section: Annotated[
            str, typer.Argument(help="Section or key, such as gate or train.fitting. Default: all.")
        ] = "",
        changed: Annotated[
            bool, typer.Option("--changed", help="Only values that differ from the defaults.")
        ] = False,
        as_json: Json = False,
    ) -> None:
        """Show the settings in effect, with default and unit or reason.

        A star marks a value that differs from the default. Edit params.yaml to change a setting;
        docs/params.md lists all defaults.

        Example: `newsloop params gate --changed`
        """
        settings, paths = project()
        rows = [
            row
            for row in documentation.in_effect(settings)
            if not section or f"{row.key}.".startswith(f"{section}.")
        ]
        if not rows:
            near = parameters.nearest(section)
            raise UsageError(
                f"Expected a section or key of params.yaml, got {section}. "
                + (f"The nearest is {near}." if near else "docs/params.md lists all keys.")
            )
        rows = [row for row in rows if row.changed or not changed]
        if as_json:
            output.as_json([_entry(row) for row in rows])
        elif rows:
            _print(rows)
        else:
            output.lines([f"{paths.params} has only default values"], None, False)


def _entry(row: Row) -> dict[str, object]:
    entry = asdict(row) | {"changed": row.changed}
    entry["reason"] = row.reason or entry.pop("about")
    entry.pop("about", None)
    return entry


def _print(rows: list[Row]) -> None:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for name in ("", "setting", "value", "default", "unit or reason"):
        table.add_column(name, overflow="fold")
    for row in rows:
        default = "required" if row.required else documentation.shown(row.default)
        table.add_row(
            _MARK if row.changed else "",
            row.key,
            escape(documentation.shown(row.value)),
            escape(default) if row.changed else "",
            escape(row.reason or row.about),
        )
    output.console().print(table)
