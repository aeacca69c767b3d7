"""The command `newsloop at`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from components.core.errors import UsageError
from components.core.ledger import deployments as ledger_deployments
from flows.cli import common, output
from flows.cli.common import Json, OpenLedger, Project


def add(
    app: typer.Typer,
    project: Project = common.read_project,
    open_ledger: OpenLedger = common.open_ledger,
) -> None:
    """Registers the command."""

    @app.command()
    def at(
        time: Annotated[str, typer.Argument(help="With its zone, such as 2026-11-01T12:00Z.")],
        as_json: Json = False,
    ) -> None:
        """Say which version served at a time."""
        _, paths = project()
        found = ledger_deployments.at(open_ledger(paths), moment(time))
        line = (
            f"{found['tag']}, since {found['time']:%Y-%m-%d %H:%M:%S} UTC ({found['reason']})"
            if found
            else "none: nothing was released yet"
        )
        output.lines([line], found, as_json)


def moment(text: str) -> datetime:
    """A time of a person, with its zone, in UTC.

    Raises:
        UsageError: it is none, or without a zone.
    """
    try:
        time = datetime.fromisoformat(text)
    except ValueError as error:
        raise UsageError(
            f"Expected a time such as 2026-11-01T12:00Z, got {text} ({error})."
        ) from error
    if time.tzinfo is None:
        raise UsageError(f"Expected a time with its zone, such as {text}Z for UTC, got {text}.")
    return time.astimezone(UTC)
