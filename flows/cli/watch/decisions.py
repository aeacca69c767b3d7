"""The command `newsloop decisions`."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from components.core.ledger import Ledger
from components.core.ledger import decisions as ledger_decisions
from components.core.ledger.verdicts import CircuitVerdict, DecisionKind
from flows.cli import common, output
from flows.cli.common import Json, Limit, OpenLedger, Project


def add(
    app: typer.Typer,
    project: Project = common.read_project,
    open_ledger: OpenLedger = common.open_ledger,
) -> None:
    """Registers the command."""

    @app.command()
    def decisions(
        limit: Limit = 20,
        close_circuit: Annotated[
            bool, typer.Option("--close-circuit", help="Let retrainings be tried again now.")
        ] = False,
        because: Annotated[str, typer.Option(help="Why; kept in the ledger.")] = "a person",
        as_json: Json = False,
    ) -> None:
        """List what the governor decided, why, what became of it, and whether it helped."""
        _, paths = project()
        ledger = open_ledger(paths)
        if close_circuit:
            _close(ledger, because)
        rows = ledger_decisions.story(ledger, limit)
        output.lines([line for row in rows for line in _told(row)] or ["none yet"], rows, as_json)


def _close(ledger: Ledger, because: str) -> None:
    now = datetime.now(UTC)
    reasons = [f"The circuit was closed: {because}."]
    row = {"id": uuid.uuid4().hex, "kind": DecisionKind.CIRCUIT, "time": now}
    ledger.add_decision(
        {**row, "verdict": CircuitVerdict.CLOSED, "reasons": reasons, "details": {"by": "person"}}
    )


def _told(row: dict[str, Any]) -> list[str]:
    from monitoring.operator_page import became

    lines = [f"{row['time']:%Y-%m-%d %H:%M}  {row['verdict']:<8}{row['id'][:8]}  "
             f"{' '.join(row['reasons'])}"]  # fmt: skip
    after = became(row)
    return [*lines, f"{'':<36}{after}"] if after else lines
