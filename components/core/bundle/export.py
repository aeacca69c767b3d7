"""Writes bundles: the SavedModel that takes raw strings, what other runtimes read, and the rest."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from components.core import tables
from components.core.bundle import fast_textcnn, saved_model
from components.core.bundle.explanation import weigh
from components.core.bundle.layout import FACTS, REFERENCE
from components.core.bundle.signing import sign
from components.core.target.calibration import Calibration

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

    Array = np.ndarray[Any, Any]


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

    from components.core.networks.assembly import FEATURES, PROBABILITIES, textcnn_weights

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

    weights = textcnn_weights(network)
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
