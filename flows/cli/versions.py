"""The commands about versions: repair, models, at, why, diff, restore, rollback."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from components.core import bundle, version_names
from components.core.errors import LedgerError, UsageError
from components.core.ledger import deployments as ledger_deployments
from flows.cli import card as cli_card
from flows.cli import output, output_versions
from flows.cli.common import Json, OpenLedger, Project

Version = Annotated[str, typer.Argument(help="Such as v3, or 3.")]


def add(app: typer.Typer, project: Project, open_ledger: OpenLedger) -> None:
    """Adds the commands to `app`; `project` and `open_ledger` are those of the other commands."""

    @app.command()
    def repair(as_json: Json = False) -> None:
        """Put right what a killed run left. Each run does it first by itself.

        Ends processes that outlived their run, removes locks of dead processes and half-written
        files, puts a good dvc.lock in the place of a torn one, and finishes a release that was
        begun.
        """
        _, paths = project()
        from flows.dvc import workspace
        from flows.versions import repair as repairs

        with workspace.alone(paths):
            done = repairs.run(paths, open_ledger(paths), datetime.now(UTC))
        output.lines(done or ["nothing to repair"], {"done": done}, as_json)

    @app.command()
    def models(
        card: Annotated[
            str, typer.Option(help="Show the model card of this version: v3, or champion.")
        ] = "",
        as_json: Json = False,
    ) -> None:
        """List the released versions, the newest first, and when each of them served."""
        _, paths = project()
        ledger = open_ledger(paths)
        if card:
            output.card(cli_card.find(paths, ledger, card), as_json)
            return
        history, retired = ledger_deployments.history(ledger), ledger.retired()
        rows = [
            {
                **row,
                "retired": row["version"] in retired,
                "served": ledger_deployments.served(history, row["version"]),
            }
            for row in ledger.versions()
        ]
        output_versions.models(rows, history, as_json)

    @app.command()
    def rollback(
        version: Annotated[
            str | None,
            typer.Argument(help="Back to the last time that it served. Default: one step."),
        ] = None,
        because: Annotated[str, typer.Option(help="The reason; kept in the ledger.")] = "",
        as_json: Json = False,
    ) -> None:
        """Let the version that served before serve again; once more goes further back.

        A running service follows within seconds.
        """
        _, paths = project()
        ledger = open_ledger(paths)
        wanted = version_names.number(version) if version else None
        champion, back = ledger_deployments.way_back(ledger, wanted)
        bundle.verify(paths.bundles / back["bundle"], paths.keys)
        reason = f"rolled back from {champion.tag}" + (f": {because}" if because else "")
        back = ledger_deployments.roll_back(ledger, champion, datetime.now(UTC), reason, wanted)
        found = {"version": back["version"], "tag": back["tag"], "reason": reason}
        output.lines([f"{back['tag']} serves from now on ({reason})"], found, as_json)

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

    _add_lineage(app, project, open_ledger)


def _add_lineage(
    app: typer.Typer,
    project: Project,
    open_ledger: OpenLedger,
) -> None:
    @app.command()
    def why(
        prediction_id: Annotated[str, typer.Argument(help="As the service's answer named it.")],
        as_json: Json = False,
    ) -> None:
        """Say where an answer came from: bundle, version, commit, data, gate, energy.

        The text of the answer is not shown.
        """
        _, paths = project()
        from flows import versions

        ledger = open_ledger(paths)
        answer = ledger_deployments.prediction(ledger, prediction_id)
        if answer is None:
            raise LedgerError(
                f"Expected a prediction {prediction_id} in the ledger, there is none. Ids are in "
                "the service's answers; `privacy.ledger_days` in params.yaml says how long they "
                "are kept."
            )
        output_versions.why(versions.why(paths, ledger, answer), as_json)

    @app.command()
    def diff(first: Version, second: Version, as_json: Json = False) -> None:
        """Say what differs between two versions: data, settings, metrics, answers.

        Answers are compared on the documents that both versions were tested on.
        """
        _, paths = project()
        from flows import versions

        ledger = open_ledger(paths)
        one, two = (ledger_deployments.released(ledger, name) for name in (first, second))
        output_versions.diff(versions.diff(paths, one, two), as_json)

    @app.command()
    def restore(
        version: Version,
        folder: Annotated[Path, typer.Argument(help="A new folder, or an empty one.")],
        retrain: Annotated[
            bool, typer.Option("--retrain", help="Train again, and compare the bundle's hash.")
        ] = False,
        as_json: Json = False,
    ) -> None:
        """Bring code, data and bundle of a version into a folder, and prove their hashes.

        Data come from DVC's remote. The champion and the checkout stay as they are.
        """
        _, paths = project()
        from flows.versions import restore as restoring

        row = ledger_deployments.released(open_ledger(paths), version)
        found = restoring.restore(paths, row, folder, output.say)
        if retrain:
            found["retrained"] = restoring.retrain(paths, row, folder, output.say)
        output_versions.restored(found, as_json)


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
