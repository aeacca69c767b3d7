"""The bundle: a signed folder that takes raw text and gives label probabilities.

    manifest.json   SHA-256 of every other file; the bundle's name is the SHA-256 of this one
    manifest.sig    Ed25519 signature of manifest.json
    bundle.json     labels, architecture, text settings, metrics, origin
    card.md         the model card; card.html is the same
    model/          SavedModel: raw strings -> probabilities, whether they suffice for an answer,
                    features, words, unknown share; and which words carried the label. Some have a
                    shortcut to the same answers, see core/bundle/fast_textcnn
    reference.parquet  signals and sketches of texts held back, see bundle/reference.py;
                    monitoring compares traffic with them
    words.parquet   in how many of those texts each common word occurs

Nothing is loaded before it is verified. No pickle and no Python class is needed to load it. The
only implementation of inference: evaluate, service and monitoring call it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cryptography.exceptions import InvalidSignature

from components.core import keys, tables
from components.core.bundle import fast_textcnn, saved_model
from components.core.bundle.calibration import Calibration
from components.core.bundle.explanation import Explanation, gather, weigh
from components.core.errors import BundleError

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

    Array = np.ndarray[Any, Any]

MANIFEST, SIGNATURE, FACTS, MODEL, REFERENCE, CARD, CARD_PAGE, WORDS = (
    "manifest.json",
    "manifest.sig",
    "bundle.json",
    "model",
    "reference.parquet",
    "card.md",
    "card.html",
    "words.parquet",
)
_COMPUTED_TOGETHER = 128  # texts; more only costs memory
_EXPLAINED_TOGETHER = 8  # texts; each is computed at several points of its path


@dataclass(frozen=True)
class Predictions:
    """Answers for N texts.

    Attributes:
        labels: N names of classes.
        confidence: (N,) float32, the probability of the label.
        probabilities: (N, C) float32, rows sum to 1, columns in the order of `Bundle.labels`.
        words: (N,) int32, words in each text.
        unknown_share: (N,) float32 in [0, 1], share of the words read outside the vocabulary.
        features: (N, D) float32, the model's features along the kept directions.
        abstained: (N,) bool, the confidence is too low for an answer; the label is a guess.
    """

    labels: list[str]
    confidence: Array
    probabilities: Array
    words: Array
    unknown_share: Array
    features: Array
    abstained: Array

    def __len__(self) -> int:
        return len(self.labels)

    def taken(self, rows: Sequence[int]) -> Predictions:
        """The answers with these numbers, in this order."""
        arrays = [one.name for one in fields(self) if one.name != "labels"]
        labels = [self.labels[i] for i in rows]
        return Predictions(labels, **{name: getattr(self, name)[rows] for name in arrays})

    def signals(self) -> pl.DataFrame:
        """What monitoring watches: label, confidence, words, unknown_share, feature_0, ..."""
        import polars as pl

        columns: dict[str, Any] = {
            "label": pl.Series(self.labels, dtype=pl.String),
            "confidence": self.confidence,
            "words": self.words,
            "unknown_share": self.unknown_share,
        }
        columns |= {f"feature_{i}": column for i, column in enumerate(self.features.T)}
        return pl.DataFrame(columns)


class Model:
    """A loaded model that takes raw texts; safe to call from several threads.

    Where it has a shortcut, TensorFlow is not needed.

    Args:
        folder: of the SavedModel, as `save_model` writes it.
        labels: the C classes, in the order of its outputs.
    """

    def __init__(self, folder: Path, labels: Sequence[str]) -> None:
        self.labels = list(labels)
        self._model: saved_model.Loaded | fast_textcnn.Shortcut
        self._model = fast_textcnn.load(folder) or saved_model.load(folder)

    def predict(self, texts: Sequence[str]) -> Predictions:
        """Answers for `texts`, in their order.

        Raises:
            BundleError: the model gave something that is no probability.
        """
        import numpy as np

        # Of no texts, convolutions give a wrong shape: one is computed and left out.
        parts = [self._model.predict(part) for part in _cut(texts or [""], _COMPUTED_TOGETHER)]
        found = {
            key: np.concatenate([part[key] for part in parts])[: len(texts)] for key in parts[0]
        }
        probabilities = found["probabilities"]
        if not np.isfinite(probabilities).all():
            raise BundleError(
                "Expected probabilities from the model, got NaN or infinity. Do not release it; "
                "`newsloop rollback` brings the one before it back."
            )
        best = probabilities.argmax(axis=1)
        return Predictions(
            labels=[self.labels[i] for i in best],
            confidence=probabilities.max(axis=1),
            probabilities=probabilities,
            words=found["words"],
            unknown_share=found["unknown_share"],
            features=found["features"],
            # Bundles of before abstention are sure of everything.
            abstained=found.get("abstained", np.zeros(len(best), bool)),
        )

    @property
    def uses_tensorflow(self) -> bool:
        return isinstance(self._model, saved_model.Loaded)

    @property
    def explains(self) -> bool:
        """Whether `explain` can be asked; bundles of before it cannot."""
        return self._model.explains

    def explain(self, texts: Sequence[str]) -> list[Explanation]:
        """Which words carried the label of each text, in their order; see bundle/explanation.py.

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
                label=self.labels[best := int(said.argmax())],
                confidence=float(said[best]),
                baseline=float(before[best]),
                weights=gather(words, weights.tolist()),
            )
            for part in _cut(texts, _EXPLAINED_TOGETHER)
            for said, before, words, weights in self._model.explain(part)
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
        super().__init__(folder / MODEL, self.facts["labels"])

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


def save_model(
    folder: Path,
    network: Any,
    encoder: Any,
    centre: Array,
    directions: Array,
    calibration: Calibration = Calibration(),  # noqa: B008 - frozen
) -> None:
    """Writes the SavedModel that takes raw strings.

    Args:
        network: as core/networks/assembly.py builds it.
        encoder: tf.Module from strings (B,) to ids, words, unknown share, whose `read` gives the
            words at the places of the ids, and `lengths` how many; see core/tokenizers/words.py.
        centre: (F,) mean of the features.
        directions: (F, D) columns along which the features are kept.
        calibration: what is done to the network's probabilities; see core/bundle/calibration.py.
    """
    import tensorflow as tf

    from components.core.networks.assembly import FEATURES, PROBABILITIES
    from components.core.networks.assembly import shortcut as weights_of

    def tempered(probabilities: Any) -> Any:
        powers = tf.pow(probabilities, 1 / calibration.temperature)
        return powers / tf.reduce_sum(powers, axis=1, keepdims=True)

    def answer(
        read: tuple[Any, Any, Any], outputs: Callable[[Any], dict[str, Any]]
    ) -> dict[str, Any]:
        ids, words, unknown_share = read
        found = outputs(ids)
        probabilities = tempered(found[PROBABILITIES])
        return {
            "probabilities": probabilities,
            "abstained": tf.reduce_max(probabilities, axis=1) < calibration.abstain_below,
            "features": tf.matmul(found[FEATURES] - module.centre, module.directions),
            "words": words,
            "unknown_share": unknown_share,
        }

    texts = tf.TensorSpec([None], tf.string, name="texts")

    # Nothing here depends on a tensor's value in Python's own words, so nothing is to be rewritten.
    class Module(tf.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.encoder = encoder
            self.network = network
            self.centre = tf.constant(centre, tf.float32)
            self.directions = tf.constant(directions, tf.float32)

        @tf.function(input_signature=[texts], autograph=False)
        def predict(self, texts):  # type: ignore[no-untyped-def]  # annotations break BentoML's use
            return answer(encoder(texts), lambda ids: self.network(ids, training=False))

        @tf.function(input_signature=[texts], autograph=False)
        def explain(self, texts):  # type: ignore[no-untyped-def]
            def probabilities(ids: Any) -> Any:
                return tempered(self.network(ids, training=False)[PROBABILITIES])

            ids = self.encoder(texts)[0]
            if weights:  # it does not matter how far a text is padded
                ids = ids[:, : tf.maximum(tf.reduce_max(tf.math.count_nonzero(ids, axis=1)), 1)]
            weighed = weigh(self.network, probabilities, ids, self.encoder.lengths)
            return {**weighed, "words": self.encoder.read(texts)}

    weights = weights_of(network)
    module = Module()
    signatures = {"serving_default": module.predict, "explain": module.explain}
    tf.saved_model.save(module, str(folder), signatures=signatures)
    saved_model.make_canonical(folder)
    if weights:
        fast_textcnn.save(
            folder, weights, encoder.vocabulary(), encoder.lengths[0], encoder.unit, centre,
            directions, calibration,
        )  # fmt: skip


def write(folder: Path, facts: Mapping[str, Any], reference: pl.DataFrame, key_folder: Path) -> str:
    """Completes and signs a bundle whose `model/` is already in `folder`.

    Returns:
        The bundle's name: SHA-256 of its manifest.
    """
    tables.write_json(dict(facts), folder / FACTS)
    tables.write_table(reference, folder / REFERENCE)
    return sign(folder, key_folder)


def sign(folder: Path, key_folder: Path) -> str:
    """Writes manifest and signature of all files in `folder`: of a bundle, or a bento's code.

    Returns:
        SHA-256 of the manifest.
    """
    files = {str(path.relative_to(folder)): tables.file_hash(path) for path in _files(folder)}
    manifest = json.dumps({"files": files}, indent=1, sort_keys=True).encode()
    (folder / MANIFEST).write_bytes(manifest)
    (folder / SIGNATURE).write_bytes(keys.signing_key(key_folder).sign(manifest))
    return hashlib.sha256(manifest).hexdigest()


def verify(folder: Path, key_folder: Path) -> str:
    """The name of the bundle at `folder`, once every byte of it has been checked.

    Raises:
        BundleError: a file is missing, superfluous or altered, or the signature is not by the key
            whose public half lies in `key_folder`.
    """
    try:
        manifest = (folder / MANIFEST).read_bytes()
        signature = (folder / SIGNATURE).read_bytes()
    except OSError as error:
        raise BundleError(
            f"Expected a signed bundle at {folder}, got: {error.strerror} ({error.filename})."
        ) from error
    try:
        keys.public_key(key_folder).verify(signature, manifest)
    except InvalidSignature as error:
        raise BundleError(
            f"Expected bundle {folder} to be signed by the key in {key_folder}; it is not. Do not "
            "use it: it was altered or comes from another installation."
        ) from error
    expected = json.loads(manifest)["files"]
    found = {str(path.relative_to(folder)) for path in _files(folder)}
    wrong = sorted(found ^ set(expected))
    wrong += [
        name
        for name in sorted(found & set(expected))
        if tables.file_hash(folder / name) != expected[name]
    ]
    if wrong:
        raise BundleError(
            f"Expected bundle {folder} as its manifest says; missing, superfluous or altered: "
            f"{', '.join(wrong)}. Restore it with `dvc pull`, or roll back."
        )
    return hashlib.sha256(manifest).hexdigest()


def needs_tensorflow(folder: Path) -> bool:
    """Whether the bundle at `folder` is asked through TensorFlow."""
    return not (folder / MODEL / fast_textcnn.FILE).exists()


def load(folder: Path, key_folder: Path) -> Bundle:
    """The bundle at `folder`, verified first.

    Raises:
        BundleError: as `verify`, or TensorFlow cannot load it.
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


def _files(folder: Path) -> list[Path]:
    """Every file that a manifest speaks of; Python writes its caches beside a bento's code."""
    return sorted(
        path
        for path in folder.rglob("*")
        if not path.is_dir()
        and str(path.relative_to(folder)) not in (MANIFEST, SIGNATURE)
        and path.parent.name != "__pycache__"
    )
