"""The commands `newsloop alerts` and `newsloop alerts test`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import typer

from components.core.errors import (
    StackError,
    UsageError,
)
from components.core.ledger import Ledger
from components.core.ledger import decisions as ledger_decisions
from components.core.ledger.verdicts import AlertDelivery
from components.core.params import Params
from components.core.paths import Paths
from flows.cli import common, output
from flows.cli.common import Json, Limit, OpenLedger, Project

_RECENT = timedelta(days=1)


def add(
    app: typer.Typer,
    project: Project = common.read_project,
    open_ledger: OpenLedger = common.open_ledger,
) -> None:
    """Registers the command."""

    group = typer.Typer(help="List the alerts, or test their channels.")
    app.add_typer(group, name="alerts", invoke_without_command=True)

    @group.callback()
    def alerts(context: typer.Context, limit: Limit = 20, as_json: Json = False) -> None:
        """List the alerts, the newest first, or test their channels.

        Example: `newsloop alerts --limit 5`
        """
        if context.invoked_subcommand:
            return
        _, paths = project()
        rows = ledger_decisions.alerts(open_ledger(paths), limit=limit)
        output.lines([alert_line(row) for row in rows] or ["none yet"], rows, as_json)

    @group.command()
    def test(as_json: Json = False) -> None:
        """Send a test alert to every channel. Exit status: 1 if a channel fails."""
        params, paths = project()
        _test(params, paths, open_ledger(paths), as_json)


def recent(ledger: Ledger) -> list[dict[str, Any]]:
    """Returns the alerts of the last day, for `newsloop status`."""
    return ledger_decisions.alerts(ledger, datetime.now(UTC) - _RECENT)


def alert_line(row: dict[str, Any]) -> str:
    """Formats an alert for the terminal."""
    return f"{row['time']:%Y-%m-%d %H:%M}  {row['kind']} ({row['told']}): {row['text']}"


def _test(params: Params, paths: Paths, ledger: Ledger, as_json: bool) -> None:
    from monitoring import alerts

    where = alerts.channels(paths)
    if not where:
        raise UsageError(
            f"Expected addresses in {paths.home / alerts.FILE} (mode 0600) or {alerts.CHANNELS}, "
            "got none. docs/deciding.md shows their form."
        )
    now = datetime.now(UTC)
    alert = alerts.Alert(
        alerts.AlertKind.TEST, "A person tried whether alerts arrive.", now.isoformat()
    )
    alerts.tell([alert], ledger, where, params.alerts, now)
    row = ledger_decisions.alerts(ledger, limit=1)[0]
    if row["told"] != AlertDelivery.TOLD:
        raise StackError(
            f"Expected {len(where)} channels to take a message within "
            f"{params.alerts.timeout_seconds:g} s, not all did. See that each address is right "
            "and its server answers; what was not told is told with the next alert."
        )
    output.lines([f"sent to {len(where)} channels"], {"channels": len(where)}, as_json)
