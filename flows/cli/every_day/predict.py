"""The command `newsloop predict`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from components.core.errors import UsageError
from components.core.ledger import Ledger, deployments
from components.core.runtime import interrupts
from flows.cli import common, output
from flows.cli.common import Json, OpenLedger, Project


def add(
    app: typer.Typer,
    project: Project = common.read_project,
    open_ledger: OpenLedger = common.open_ledger,
) -> None:
    """Registers the command."""

    @app.command()
    def predict(
        source: Annotated[Path, typer.Argument(metavar="IN", help="File to classify.")],
        target: Annotated[
            Path, typer.Argument(metavar="OUT", help="File to write, of the same format.")
        ],
        version: Annotated[
            str, typer.Option(help="Version to predict with, such as v3. Default: the champion.")
        ] = "",
        column: Annotated[str, typer.Option(help="Column with the text.")] = "text",
        prefix: Annotated[str, typer.Option(help="Prefix of the new columns' names.")] = "",
        as_json: Json = False,
    ) -> None:
        """Classify the rows of a CSV, JSON Lines or Parquet file, also with the suffix .gz.

        Writes all columns of IN and four new ones to OUT: label, confidence, abstained, and
        novelty, which is above 1 for a text unlike those that the model learned from. OUT appears
        complete or not at all. Nothing is recorded in the ledger.

        Example: `newsloop predict articles.csv labelled.csv --column body`
        """
        interrupts.keeps("OUT was not written; the same command starts from the beginning")
        params, paths = project()
        row = _version(open_ledger(paths), version)
        from components import predict as prediction
        from components.core import bundle as bundles

        if source.resolve() == target.resolve():
            raise UsageError(f"Expected OUT to be another file than IN, got {target} twice.")
        bundle = bundles.load(paths.bundles / row["bundle"], paths.keys)
        counts = prediction.predict(
            source, target, bundle.predict, column, prefix, params.ingest.limits
        )
        output.lines(
            [
                f"{counts['rows']} rows by {row['tag']}, {counts['abstained']} unsure "
                f"({counts['novel']} unlike the texts it learned from), "
                f"{counts['without_text']} without text: {target}"
            ],
            {"version": row["version"], "tag": row["tag"], "out": str(target), **counts},
            as_json,
        )

    del predict  # Typer calls it


def _version(ledger: Ledger, version: str) -> dict[str, Any]:
    """Returns the row of a version; of the champion if `version` is empty."""
    return (
        deployments.released(ledger, version)
        if version
        else vars(ledger.need_champion("to predict with"))
    )
