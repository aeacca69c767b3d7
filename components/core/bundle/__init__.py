"""The bundle: a signed folder that takes raw text and gives label probabilities.

    manifest.json   SHA-256 of every other file; the bundle's name is the SHA-256 of this one
    manifest.sig    Ed25519 signature of manifest.json
    bundle.json     labels, architecture, text settings, metrics, origin
    card.md         the model card; card.html is the same
    model/          SavedModel: raw strings -> probabilities, whether they suffice for an answer,
                    features, words, unknown share; and which words carried the label. A faster
                    runtime may have a file beside it, see bundle/runtimes/__init__.py
    reference.parquet  signals and sketches of texts held back, see bundle/reference.py;
                    monitoring compares traffic with them
    words.parquet   in how many of those texts each common word occurs

Nothing is loaded before it is verified. No pickle and no Python class is needed to load it. The
only implementation of inference: evaluate, service and monitoring call it.
"""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from components.core import tables
from components.core import target as targets
from components.core.bundle import runtimes
from components.core.bundle.explanation import Explanation, gather
from components.core.bundle.export import save_model, write
from components.core.bundle.layout import (
    CARD,
    CARD_PAGE,
    FACTS,
    MANIFEST,
    MODEL,
    REFERENCE,
    SIGNATURE,
    WORDS,
)
from components.core.bundle.predictions import Predictions
from components.core.bundle.signing import sign, verify
from components.core.errors import BundleError

if TYPE_CHECKING:
    import polars as pl

__all__ = [
    "CARD", "CARD_PAGE", "FACTS", "MANIFEST", "MODEL", "REFERENCE", "SIGNATURE", "WORDS", "Bundle",
    "Model", "Predictions", "card", "load", "model_format", "read_reference", "save_model", "sign",
    "verify", "words", "write",
]  # fmt: skip
_COMPUTED_TOGETHER = 128  # texts; more only costs memory
_EXPLAINED_TOGETHER = 8  # texts; each is computed at several points of its path


class Model:
    """A loaded model that takes raw texts; safe to call from several threads.

    Its memory is given back when nothing refers to it any more, so no call ever finds it closed.

    Args:
        folder: of the model, as `save_model` writes it.
        labels: the C classes, in the order of its outputs.
        target: how they become answers; a key of core/target/__init__.py's TARGETS.
    """

    def __init__(self, folder: Path, labels: Sequence[str], target: str = targets.DEFAULT) -> None:
        self.target = targets.make(target, labels)
        self.labels = self.target.classes
        self._runtime = runtimes.load(folder)
        # At the end of the process the system takes all of it back.
        weakref.finalize(self, self._runtime.close).atexit = False

    def predict(self, texts: Sequence[str]) -> Predictions:
        """Answers for `texts`, in their order.

        Raises:
            BundleError: the model gave something that is no probability.
        """
        import numpy as np

        # Of no texts, convolutions give a wrong shape: one is computed and left out.
        parts = [self._runtime.predict(part) for part in _cut(texts or [""], _COMPUTED_TOGETHER)]
        found = {
            key: np.concatenate([part[key] for part in parts])[: len(texts)] for key in parts[0]
        }
        probabilities = found["probabilities"]
        if not np.isfinite(probabilities).all():
            raise BundleError(
                "Expected probabilities from the model, got NaN or infinity. Do not release it; "
                "`newsloop rollback` brings the one before it back."
            )
        decided, confidence = self.target.decide(probabilities)
        return Predictions(
            labels=self.target.decode(decided),
            confidence=confidence,
            probabilities=probabilities,
            words=found["words"],
            unknown_share=found["unknown_share"],
            features=found["features"],
            # Bundles of before abstention are sure of everything.
            abstained=found.get("abstained", np.zeros(len(probabilities), bool)),
        )

    @property
    def memory(self) -> int:
        """Bytes of its weights."""
        return self._runtime.memory

    @property
    def explains(self) -> bool:
        """True if `explain` works; bundles of early releases have no explanation."""
        return self._runtime.explains

    def explain(self, texts: Sequence[str]) -> list[Explanation]:
        """Explains the label of each text by its words, in their order; see bundle/explanation.py.

        Raises:
            BundleError: this bundle was made before newsloop could do that.
        """
        if not self.explains:
            raise BundleError(
                "Expected a bundle that explains, this one is older. Run `newsloop run` to make "
                "a new one."
            )
        return [
            Explanation(
                label=self.labels[best := int(self.target.decide(said[None])[0][0])],
                confidence=float(said[best]),
                baseline=float(before[best]),
                weights=gather(words, weights.tolist()),
            )
            for part in _cut(texts, _EXPLAINED_TOGETHER)
            for said, before, words, weights in self._runtime.explain(part)
        ]


class Bundle(Model):
    """A loaded bundle. Use `load`, which verifies it first.

    Attributes:
        folder: where it was loaded from.
        name: SHA-256 of its manifest.
        facts: the content of bundle.json.
        card: the model card in Markdown; None in a bundle of before.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self.folder, self.name = folder, name
        self.facts: dict[str, Any] = tables.read_json(folder / FACTS)
        self.card = card(folder)
        target = self.facts.get("target", targets.DEFAULT)
        super().__init__(folder / MODEL, self.facts["labels"], target)

    def reference(self) -> pl.DataFrame:
        """Signals of texts held back, columns as `Predictions.signals`."""
        return tables.read_table(self.folder / REFERENCE)


def card(folder: Path) -> str | None:
    """The model card of the bundle at `folder`; None if it has none."""
    file = folder / CARD
    return file.read_text(encoding="utf-8") if file.exists() else None


def read_reference(folder: Path, name: str, key_folder: Path) -> pl.DataFrame:
    """`Bundle.reference` of the bundle at `folder`, verified, without loading its model.

    Raises:
        BundleError: as `verify`, or it is another bundle than `name`.
    """
    found = verify(folder, key_folder)
    if found != name:
        raise BundleError(
            f"Expected bundle {name[:12]} at {folder}, found {found[:12]}. Release it again, or "
            "roll back."
        )
    return tables.read_table(folder / REFERENCE)


def words(folder: Path) -> pl.DataFrame | None:
    """`word` and `texts`: the common words of the reference of a bundle that was verified.

    None for bundles of before these were kept.
    """
    path = folder / WORDS
    return tables.read_table(path) if path.exists() else None


def model_format(folder: Path) -> runtimes.Format | None:
    """The format of the model of the bundle at `folder`; None if `load` will find none."""
    return runtimes.find(folder / MODEL)


def load(folder: Path, key_folder: Path) -> Bundle:
    """The bundle at `folder`, verified first.

    Raises:
        BundleError: as `verify`, or its model cannot be loaded.
    """
    name = verify(folder, key_folder)
    try:
        return Bundle(folder, name)
    except (OSError, ValueError, KeyError) as error:
        raise BundleError(
            f"Expected a loadable model in {folder / MODEL}, got: {error}."
        ) from error


def _cut(texts: Sequence[str], size: int) -> list[Sequence[str]]:
    return [texts[i : i + size] for i in range(0, len(texts), size)]
