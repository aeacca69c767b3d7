"""The command `newsloop models`."""

from __future__ import annotations

from typing import Annotated

import typer

from components.core import bundle
from components.core.errors import (
    BundleError,
)
from components.core.ledger import Ledger
from components.core.ledger import deployments as ledger_deployments
from components.core.paths import Paths
from components.core.training import energy
from flows.cli import common, output, output_versions
from flows.cli.common import Json, OpenLedger, Project


def add(
    app: typer.Typer,
    project: Project = common.read_project,
    open_ledger: OpenLedger = common.open_ledger,
) -> None:
    """Registers the command."""

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
            output.card(model_card(paths, ledger, card), as_json)
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


def model_card(paths: Paths, ledger: Ledger, version: str) -> dict[str, str]:
    """The model card of a released version.

    Args:
        version: such as v3, or "champion".

    Returns:
        version: its tag; card: Markdown, with what the training cost; page: address of the page.

    Raises:
        UsageError: no such version.
        BundleError: its bundle is altered or gone, or older than model cards.
    """
    champion = ledger.champion()
    if version == "champion" and champion is not None:
        version = champion.tag
    row = ledger_deployments.released(ledger, version)
    folder = paths.bundles / row["bundle"]
    bundle.verify(folder, paths.keys)
    card = bundle.card(folder)
    if card is None:
        raise BundleError(
            f"Expected a model card in {row['tag']}, it was made before newsloop wrote them. "
            "`newsloop run` makes a version with one."
        )
    return {
        "version": row["tag"],
        "card": card + energy.section(row["metrics"].get("energy")),
        "page": (folder / bundle.CARD_PAGE).as_uri(),
    }
