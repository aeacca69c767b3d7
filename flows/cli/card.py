"""What `newsloop models --card` shows."""

from __future__ import annotations

from components.core import bundle
from components.core.errors import BundleError, UsageError
from components.core.ledger import Ledger
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
    wanted = version.removeprefix("newsloop@").removeprefix("v").split(".")[0]
    if version == "champion" and champion is not None:
        wanted = str(champion.version)
    rows = {str(row["version"]): row for row in ledger.versions()}
    if wanted not in rows:
        raise UsageError(
            f"Expected champion or one of {[f'v{one}' for one in rows]}, got {version}. `newsloop "
            "models` lists the versions."
        )
    row = rows[wanted]
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
