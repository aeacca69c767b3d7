"""The command `newsloop gate`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from components.core.ledger.verdicts import DecisionKind
from flows.cli import common, output
from flows.cli.common import Json, OpenLedger, Project

_SHOWN = 12  # digits of a bundle's name


def add(
    app: typer.Typer,
    project: Project = common.read_project,
    open_ledger: OpenLedger = common.open_ledger,
) -> None:
    """Registers the command."""

    @app.command()
    def gate(
        last: Annotated[int, typer.Option(min=1, help="Number of decisions.")] = 10,
        as_json: Json = False,
    ) -> None:
        """Show the gate's last decisions, the newest first, with links to their pages.

        release: every check passed. keep: the candidate is sound, but not proven better, so the
        champion stays. refuse: a check failed, or a first release lacks a proof. cannot say: the
        rehearsal had no result. docs/release.md explains the rule.

        Example: `newsloop gate --last 3`
        """
        _, paths = project()
        rows = [
            {
                "time": row["time"].isoformat(),
                "verdict": row["verdict"],
                "candidate": row["details"]["candidate"],
                "reasons": row["reasons"],
                "page": (paths.decisions / f"{row['id']}.html").as_uri(),
            }
            for row in open_ledger(paths).decisions(DecisionKind.GATE, limit=last)
        ]
        lines = [line for row in rows for line in _lines(row)]
        output.lines(lines or ["none yet: `newsloop run` makes one"], rows, as_json)


def _lines(row: dict[str, Any]) -> list[str]:
    time = row["time"][:16].replace("T", " ")
    first = f"{time}  {row['verdict']:<9}  {row['candidate'][:_SHOWN]}  {row['page']}"
    return [first, *(f"    {reason}" for reason in row["reasons"])]
