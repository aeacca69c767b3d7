"""The command `newsloop status`."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

import typer

from components.core.errors import StackError
from components.core.ledger import Ledger
from components.core.ledger import windows as ledger_windows
from components.core.params import Params
from components.core.paths import Paths
from flows import environment
from flows.cli import common, output
from flows.cli.common import Json, OpenLedger, Project
from flows.cli.watch.alerts import alert_line, recent


def add(
    app: typer.Typer,
    project: Project = common.read_project,
    open_ledger: OpenLedger = common.open_ledger,
) -> None:
    """Registers the command."""

    @app.command()
    def status(as_json: Json = False) -> None:
        """Say what runs and which model serves."""
        params, paths = project()
        output.status(state(params, paths, open_ledger(paths)), as_json)


def _day_ago() -> datetime:
    return datetime.now(UTC) - timedelta(days=1)


def state(params: Params, paths: Paths, ledger: Ledger) -> dict[str, Any]:
    from flows import stack, versions
    from serving.client import Client

    url = environment.server_url(params)
    champion = ledger.champion()
    processes = {
        name: (asdict(process) if (process := stack.find(paths, name)) else None)
        for name in (stack.SERVER, stack.RUNNER, stack.SERVICE)
    }
    serving = None
    with Client(stack.service_url(params)) as client:
        if processes[stack.SERVICE] and client.ready():
            try:
                serving = asdict(client.model())
            except StackError as error:  # it runs, but wants a key that this shell does not have
                output.say(str(error))
    return {
        "home": str(paths.home),
        "prefect": {"url": url, "answers": stack.server_is_ours(params, paths)},
        "processes": processes,
        "service": {"url": stack.service_url(params), "model": serving},
        "champion": champion and {**asdict(champion), "time": champion.time.isoformat()},
        "disagreements": versions.disagreements(paths, ledger),
        "texts": ledger_windows.text_counts(ledger, _day_ago())._asdict(),
        "alerts": [alert_line(row) for row in recent(ledger)],
    }
