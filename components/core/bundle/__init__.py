"""The bundle: a signed folder with a model that maps raw text to label probabilities.

    manifest.json   SHA-256 of every other file; the bundle's name is the SHA-256 of this file
    manifest.sig    Ed25519 signature of manifest.json
    bundle.json     labels, architecture, text settings, metrics, origin
    card.md         the model card; card.html has the same content
    model/          SavedModel: raw strings -> probabilities, abstention, features, words, unknown
                    share; and explanations by words. A faster runtime may have a file beside it,
                    see bundle/runtimes/__init__.py; and bundle/novelty.py another one
    reference.parquet  signals and sketches of held-out texts, see bundle/reference.py; monitoring
                    compares traffic with them
    words.parquet   number of those texts with each common word
    answers.parquet after cross-validation: the answers to the documents, see bundle/answers.py

`load` verifies a bundle before it loads the model. A bundle needs no pickle and no Python class.
This package is the only implementation of inference: evaluate, service and monitoring call it.
"""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from components.core import tables
from components.core import target as targets
from components.core.bundle import novelty, runtimes
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
from components.core.bundle.signing import complete, depends_on_key, sign, verify
from components.core.errors import BundleError

if TYPE_CHECKING:
    import polars as pl

__all__ = [
    "CARD", "CARD_PAGE", "FACTS", "MANIFEST", "MODEL", "REFERENCE", "SIGNATURE", "WORDS", "Bundle",
    "Model", "Predictions", "card", "complete", "depends_on_key", "load", "model_format",
    "read_reference", "save_model", "sign", "verify", "words", "write",
]  # fmt: skip
_PREDICT_BATCH = 128  # texts; more cost memory and save no time
_EXPLAIN_BATCH = 8  # texts; each needs the network at several points of its path


class Model:
    """A loaded model that takes raw texts; safe to call from several threads.

    The model frees its memory when the last reference to it goes, so no call sees a closed model.

    Args:
        folder: of the model, written by `save_model`.
        labels: the C classes, in the order of the model's outputs.
        target: key of TARGETS in core/target/__init__.py; decides labels from probabilities.
    """

    def __init__(self, folder: Path, labels: Sequence[str], target: str = targets.DEFAULT) -> None:
        self.target = targets.make(target, labels)
        self.labels = self.target.classes
        self._runtime = runtimes.load(folder)
        self._novelty = novelty.load(folder)
        # At the end of the process the operating system frees the memory.
        weakref.finalize(self, self._runtime.close).atexit = False

    def predict(self, texts: Sequence[str]) -> Predictions:
        """Predicts `texts`, in their order.

        Raises:
            BundleError: a probability of the model is NaN or infinite.
        """
        import numpy as np

        # Convolutions return a wrong shape for zero texts, so one is computed and left out.
        parts = [self._runtime.predict(part) for part in _cut(texts or [""], _PREDICT_BATCH)]
        outputs = {
            key: np.concatenate([part[key] for part in parts])[: len(texts)] for key in parts[0]
        }
        probabilities = outputs["probabilities"]
        if not np.isfinite(probabilities).all():
            raise BundleError(
                "Expected probabilities from the model, got NaN or infinity. Do not release it; "
                "`newsloop rollback` brings the one before it back."
            )
        decided, confidence = self.target.decide(probabilities)
        # Bundles older than abstention never abstain.
        abstained = outputs.get("abstained", np.zeros(len(probabilities), bool))
        scores = self._novelty(outputs) if self._novelty else None
        return Predictions(
            labels=self.target.decode(decided),
            confidence=confidence,
            probabilities=probabilities,
            words=outputs["words"],
            unknown_share=outputs["unknown_share"],
            features=outputs["features"],
            abstained=abstained if scores is None else abstained | (scores > 1),
            novelty=scores,
        )

    @property
    def memory(self) -> int:
        """Bytes of the weights."""
        return self._runtime.memory

    @property
    def explains(self) -> bool:
        """True if `explain` works; bundles of early releases have no explanation."""
        return self._runtime.explains

    def explain(self, texts: Sequence[str]) -> list[Explanation]:
        """Explains the label of each text by its words, in their order; see bundle/explanation.py.

        Raises:
            BundleError: the bundle is older than explanations.
        """
        if not self.explains:
            raise BundleError(
                "Expected a bundle that explains, this one is older. Run `newsloop run` to make "
                "a new one."
            )
        return [
            Explanation(
                label=self.labels[best := int(self.target.decide(probabilities[None])[0][0])],
                confidence=float(probabilities[best]),
                baseline=float(baseline[best]),
                weights=gather(words, weights.tolist()),
            )
            for part in _cut(texts, _EXPLAIN_BATCH)
            for probabilities, baseline, words, weights in self._runtime.explain(part)
        ]


class Bundle(Model):
    """A loaded bundle. Use `load`, which verifies it first.

    Attributes:
        folder: of the bundle.
        name: SHA-256 of the manifest.
        facts: content of bundle.json.
        card: the model card in Markdown; None for bundles older than model cards.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self.folder, self.name = folder, name
        self.facts: dict[str, Any] = tables.read_json(folder / FACTS)
        self.card = card(folder)
        target = self.facts.get("target", targets.DEFAULT)
        super().__init__(folder / MODEL, self.facts["labels"], target)

    def reference(self) -> pl.DataFrame:
        """Reads the reference: signals of held-out texts; columns see bundle/reference.py."""
        return tables.read_table(self.folder / REFERENCE)


def card(folder: Path) -> str | None:
    """Reads the model card of the bundle at `folder`; None if the bundle has none."""
    file = folder / CARD
    return file.read_text(encoding="utf-8") if file.exists() else None


def read_reference(folder: Path, name: str, key_folder: Path) -> pl.DataFrame:
    """Verifies the bundle at `folder` and reads its reference, without loading its model.

    Raises:
        BundleError: as `verify`, or the bundle's name is not `name`.
    """
    actual_name = verify(folder, key_folder)
    if actual_name != name:
        raise BundleError(
            f"Expected bundle {name[:12]} at {folder}, found {actual_name[:12]}. Release it again, "
            "or roll back."
        )
    return tables.read_table(folder / REFERENCE)


def words(folder: Path) -> pl.DataFrame | None:
    """Reads the common words (columns word and texts) of a bundle that was verified.

    Returns:
        None for a bundle older than words.parquet.
    """
    path = folder / WORDS
    return tables.read_table(path) if path.exists() else None


def model_format(folder: Path) -> runtimes.Format | None:
    """Finds the format of the model in the bundle at `folder`; None if no format reads it."""
    return runtimes.find(folder / MODEL)


def load(folder: Path, key_folder: Path) -> Bundle:
    """Verifies and loads the bundle at `folder`.

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
