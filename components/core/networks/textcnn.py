"""`textcnn`: members that read phrases by convolution, and one that counts words.

Each is a small network of its own, and their answers are averaged: one alone depends on its seed
(Lakshminarayanan et al. 2017, "Deep Ensembles"). Those that read and the one that counts err on
different texts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras

from components.core.architecture_settings import TextCnn
from components.core.networks import parts

if TYPE_CHECKING:
    import numpy as np

_SEED_STEP = 100  # between members, so that no two draw the same numbers


def features(ids: Any, settings: TextCnn, embedding: np.ndarray[Any, Any], seed: int) -> list[Any]:
    """Features of each member, (B, its part of F): those that read phrases, then the bag."""
    seeds = [seed + _SEED_STEP * (i + 1) for i in range(settings.members)]
    present = parts.inside(ids)
    phrases = [
        _phrases(parts.embed(ids, embedding, settings.word_dropout, one), present, settings)
        for one in seeds
    ]
    words = keras.layers.Dropout(settings.word_dropout, noise_shape=(None, None, 1), seed=seed)(
        present
    )
    return [*phrases, parts.bag(ids, len(embedding), settings.bag, words, seed, "bag")]


def _phrases(vectors: Any, words: Any, settings: TextCnn) -> Any:
    """Kim 2014, "Convolutional Neural Networks for Sentence Classification".

    Padding is nought, and each text ends with a phrase of nothing else: so it does not matter how
    far a text is padded.
    """
    known = vectors * keras.ops.cast(words, vectors.dtype)
    ended = keras.layers.ZeroPadding1D((0, max(settings.widths)))(known)
    pooled = []
    for width in settings.widths:
        seen = keras.layers.Conv1D(settings.filters, width, activation="relu")(
            ended
        )  # (B, L + longest width - width + 1, filters)
        pooled.append(keras.layers.GlobalMaxPooling1D()(seen))  # (B, filters)
    return keras.ops.concatenate(pooled, axis=-1)
