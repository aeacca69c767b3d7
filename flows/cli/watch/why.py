"""The command `newsloop why`."""

from __future__ import annotations

from typing import Annotated

import typer

from components.core.errors import LedgerError
from components.core.ledger import deployments as ledger_deployments
from flows.cli import common, output_versions
from flows.cli.common import Json, OpenLedger, Project


def add(
    app: typer.Typer,
    project: Project = common.read_project,
    open_ledger: OpenLedger = common.open_ledger,
) -> None:
    """Registers the command."""

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
