"""What `newsloop models --card` shows."""

from __future__ import annotations

from components.core import bundle
from components.core.errors import BundleError
from components.core.ledger import Ledger, deployments
from components.core.paths import Paths
from components.core.training import energy


def find(paths: Paths, ledger: Ledger, version: str) -> dict[str, str]:
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
    row = deployments.released(ledger, version)
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
