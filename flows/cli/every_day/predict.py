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
        source: Annotated[Path, typer.Argument(metavar="IN", help="What to classify.")],
        target: Annotated[Path, typer.Argument(metavar="OUT", help="Of the same format.")],
        version: Annotated[
            str, typer.Option(help="Such as v3; the version that serves if not given.")
        ] = "",
        column: Annotated[str, typer.Option(help="The column that holds the text.")] = "text",
        prefix: Annotated[str, typer.Option(help="Of the new columns' names.")] = "",
        as_json: Json = False,
    ) -> None:
        """Classify the rows of a file: CSV, JSON Lines or Parquet; .gz may follow.

        Writes all columns of IN and three more to OUT: label, confidence, abstained. OUT is there
        whole or not at all. Texts are stored nowhere else.
        """
        interrupts.keeps("OUT was not written; the same command begins again")
        _, paths = project()
        row = _version(open_ledger(paths), version)
        from components import predict as prediction
        from components.core import bundle as bundles

        if source.resolve() == target.resolve():
            raise UsageError(f"Expected OUT to be another file than IN, got {target} twice.")
        bundle = bundles.load(paths.bundles / row["bundle"], paths.keys)
        counts = prediction.predict(source, target, bundle.predict, column, prefix)
        output.lines(
            [
                f"{counts['rows']} rows by {row['tag']}, {counts['abstained']} unsure, "
                f"{counts['without_text']} without text: {target}"
            ],
            {"version": row["version"], "tag": row["tag"], "out": str(target), **counts},
            as_json,
        )

    del predict  # registered; it is called by its name only


def _version(ledger: Ledger, wanted: str) -> dict[str, Any]:
    """The row of the version that is wanted, or of the champion."""
    return (
        deployments.released(ledger, wanted)
        if wanted
        else vars(ledger.need_champion("to predict with"))
    )
