"""The commands `newsloop challenger start`, `status`, `stop`."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated

import typer

from components.core.errors import LedgerError, UsageError
from components.core.ledger import Ledger, deployments, trials
from components.core.ledger.trials import Challenge
from components.core.ledger.verdicts import TrialEvent
from flows.cli import common, output
from flows.cli.common import Json, OpenLedger, Project

_SHOWN = 10  # rows of the history


def add(
    app: typer.Typer,
    project: Project = common.read_project,
    open_ledger: OpenLedger = common.open_ledger,
) -> None:
    """Registers the commands."""
    challenger = typer.Typer(
        no_args_is_help=True, help="Try a released version beside the one that serves."
    )
    app.add_typer(challenger, name="challenger")

    @challenger.command()
    def start(
        version: Annotated[str, typer.Argument(help="Such as v3, or 3.")],
        shadow: Annotated[
            bool, typer.Option("--shadow", help="It gets the same texts and never answers.")
        ] = False,
        canary: Annotated[
            bool, typer.Option("--canary", help="It answers a share of the requests, then all.")
        ] = False,
        because: Annotated[str, typer.Option(help="The reason; kept in the ledger.")] = "a person",
        as_json: Json = False,
    ) -> None:
        """Begin a trial. A running service follows within seconds.

        A shadow is only compared. A canary answers more and more requests; if nothing speaks
        against it, it becomes the version that serves. With both it is a shadow first. What is bad
        goes by itself. Times, shares and limits: `serve.challenger` in params.yaml.
        """
        params, paths = project()
        if not (shadow or canary):
            raise UsageError("Expected --shadow, --canary, or both; got none of them.")
        from components.core import bundle

        ledger = open_ledger(paths)
        row = deployments.released(ledger, version)
        bundle.verify(paths.bundles / row["bundle"], paths.keys)
        shares = [0.0] * shadow + params.serve.challenger.shares * canary
        trials.start(ledger, row, shares, because, datetime.now(UTC))
        _show(ledger, as_json)

    @challenger.command()
    def status(as_json: Json = False) -> None:
        """Say how the newest trial stands, and what became of the ones before."""
        _, paths = project()
        _show(open_ledger(paths), as_json)

    @challenger.command()
    def stop(
        because: Annotated[str, typer.Option(help="The reason; kept in the ledger.")] = "a person",
        as_json: Json = False,
    ) -> None:
        """End the trial that runs; the version that serves stays."""
        _, paths = project()
        ledger = open_ledger(paths)
        running = trials.newest(ledger)
        if running is None or not running.running:
            raise LedgerError(
                "Expected a challenger to stop, none is on trial. `newsloop challenger start` "
                "begins one."
            )
        reason = f"stopped: {because}"
        if not trials.go_on(ledger, running, TrialEvent.STOPPED, reason, datetime.now(UTC)):
            raise LedgerError("Expected to stop it, it went on meanwhile. Run the command again.")
        _show(ledger, as_json)

    del start, status, stop  # registered; they are called by their names only


def _show(ledger: Ledger, as_json: bool) -> None:
    found = trials.history(ledger, _SHOWN)
    rows = [
        {**asdict(one), "time": one.time.isoformat(), "share": one.share, "running": one.running}
        for one in found
    ]
    counts = {}
    if found and found[0].running:
        for name, bundle in (("challenger", found[0].bundle), ("champion", found[0].champion)):
            counted, _ = trials.observed(ledger, bundle, found[0].time)
            right, labels = trials.labelled(ledger, bundle, found[0].time)
            counts[name] = {**asdict(counted), "right": right, "labelled": labels}
    lines = [_line(one) for one in found] or ["no version has been on trial yet"]
    for name, counted_ in counts.items():
        lines.append(f"{name}: " + ", ".join(f"{key} {n:g}" for key, n in counted_.items()))
    output.lines(lines, {"trials": rows, "counts": counts}, as_json)


def _line(one: Challenge) -> str:
    role = f"canary of {one.share:.0%}" if one.share else "shadow"
    state = role if one.running else one.event
    return f"{one.time:%Y-%m-%d %H:%M:%S} UTC  {one.tag}  {state}  ({one.reason})"
