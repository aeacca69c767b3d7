"""The commands about deciding: newsloop decisions, retrain, alerts, report, drill."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer

from components.core.errors import StackError, UsageError
from components.core.ledger import Ledger
from components.core.ledger import decisions as ledger_decisions
from components.core.ledger.decisions import CIRCUIT
from components.core.params import Params
from components.core.paths import Paths
from flows.cli import output
from flows.cli.common import Json, OpenLedger, Project

_RECENT = timedelta(days=1)
Limit = Annotated[int, typer.Option(min=1, help="How many, the newest first.")]


def add(app: typer.Typer, project: Project, open_ledger: OpenLedger) -> None:
    """Adds the commands to `app`; `project` and `open_ledger` are those of the other commands."""

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

    @app.command()
    def retrain(
        because: Annotated[str, typer.Option(help="The reason; kept with the release.")],
        as_json: Json = False,
    ) -> None:
        """Ask for a retraining now, by the recipe of the champion, whatever the governor says.

        `newsloop up` must run: its deployment takes it up. If one is at work, it comes after it.
        """
        params, paths = project()
        from flows import prefect_client, retrain_requests, stack

        if stack.find(paths, stack.RUNNER) is None:
            raise StackError("Expected the deployments to run, they do not. Run `newsloop up`.")
        ledger, now = open_ledger(paths), datetime.now(UTC)
        decision_id, reason = retrain_requests.ask_as_person(ledger, params, now, because)
        prefect_client.ask_again(decision_id, reason)
        output.lines(
            [f"asked for: {decision_id[:8]}. `newsloop decisions` shows what becomes of it."],
            {"decision_id": decision_id, "reason": reason},
            as_json,
        )

    @app.command()
    def report(as_json: Json = False) -> None:
        """Draw the operator's page now: what serves, how well, what moved, what was decided."""
        params, paths = project()
        from flows import write_operator_page

        page = write_operator_page.write(params, paths, open_ledger(paths), datetime.now(UTC))
        output.lines([page.as_uri()], {"page": str(page)}, as_json)

    @app.command()
    def drill(
        names: Annotated[
            list[str],
            typer.Argument(
                help="all, or some of: drift, bad-model, bad-data, kill-worker, label-outage, "
                "lost-event, database-away."
            ),
        ],
        keep: Annotated[bool, typer.Option(help="Leave its servers running to look at.")] = False,
        as_json: Json = False,
    ) -> None:
        """Make a trouble on the real stack and see whether what newsloop promises is kept.

        Works in a sandbox of its own under .newsloop/drill; your champion and your ledger are not
        touched. Several minutes a drill. Needs one `newsloop run` before. Exit status 1 if a
        promise is broken.
        """
        params, paths = project()
        from flows.sandbox import drills

        found = drills.run(params, paths, list(drills.DRILLS) if names == ["all"] else names, keep)
        output.lines(["every promise was kept"], found, as_json)

    told = typer.Typer(help="What people were told, and whether the channels work.")
    app.add_typer(told, name="alerts", invoke_without_command=True)

    @told.callback()
    def alerts(context: typer.Context, limit: Limit = 20, as_json: Json = False) -> None:
        """List what people were told, the newest first."""
        if context.invoked_subcommand:
            return
        _, paths = project()
        rows = ledger_decisions.alerts(open_ledger(paths), limit=limit)
        output.lines([alert_line(row) for row in rows] or ["none yet"], rows, as_json)

    @told.command()
    def test(as_json: Json = False) -> None:
        """Send a test message to every channel."""
        params, paths = project()
        _test(params, paths, open_ledger(paths), as_json)


def _close(ledger: Ledger, because: str) -> None:
    now = datetime.now(UTC)
    reasons = [f"The circuit was closed: {because}."]
    row = {"id": uuid.uuid4().hex, "kind": CIRCUIT, "time": now, "verdict": "closed"}
    ledger.add_decision({**row, "reasons": reasons, "details": {"by": "person"}})


def _told(row: dict[str, Any]) -> list[str]:
    from monitoring.operator_page import became

    lines = [f"{row['time']:%Y-%m-%d %H:%M}  {row['verdict']:<8}{row['id'][:8]}  "
             f"{' '.join(row['reasons'])}"]  # fmt: skip
    after = became(row)
    return [*lines, f"{'':<36}{after}"] if after else lines


def recent(ledger: Ledger) -> list[dict[str, Any]]:
    """The alerts of the last day, for `newsloop status`."""
    return ledger_decisions.alerts(ledger, datetime.now(UTC) - _RECENT)


def alert_line(row: dict[str, Any]) -> str:
    """An alert for the terminal."""
    return f"{row['time']:%Y-%m-%d %H:%M}  {row['kind']} ({row['told']}): {row['text']}"


def _test(params: Params, paths: Paths, ledger: Ledger, as_json: bool) -> None:
    from monitoring import alerts

    where = alerts.channels(paths)
    if not where:
        raise UsageError(
            f"Expected addresses in {paths.home / alerts.FILE} (mode 0600) or {alerts.CHANNELS}, "
            "found none. docs/deciding.md shows how they look."
        )
    now = datetime.now(UTC)
    alert = alerts.Alert("test", "A person tried whether alerts arrive.", now.isoformat())
    alerts.tell([alert], ledger, where, params.alerts, now)
    row = ledger_decisions.alerts(ledger, limit=1)[0]
    if row["told"] != ledger_decisions.TOLD:
        raise StackError(
            f"Expected {len(where)} channels to take a message within "
            f"{params.alerts.timeout_seconds:g} s, not all did. See that each address is right "
            "and its server answers; what was not told is told with the next alert."
        )
    output.lines([f"sent to {len(where)} channels"], {"channels": len(where)}, as_json)
