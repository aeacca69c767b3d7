"""`textcnn`: members that read phrases by convolution, and one that counts words.

Each is a small network of its own, and their answers are averaged: one alone depends on its seed
(Lakshminarayanan et al. 2017, "Deep Ensembles"). Those that read and the one that counts err on
different texts.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

from components.core.networks import parts
from components.core.params.architectures.textcnn import TextCnn

_SEED_STEP = 100  # between members, so that no two draw the same numbers
_BAG = "bag"


def features(
    ids: Any, settings: TextCnn, embedding: np.ndarray[Any, Any], seed: int, classes: int
) -> list[Any]:
    """Features of each member, (B, its part of F): those that read phrases, then the bag."""
    del classes  # the layers that answer are added by `assembly`
    seeds = [seed + _SEED_STEP * (i + 1) for i in range(settings.members)]
    present = parts.inside(ids)
    phrases = [
        _phrases(
            parts.embed(ids, embedding, settings.word_dropout, one, name=_vectors(i)),
            present,
            settings,
            i,
        )
        for i, one in enumerate(seeds)
    ]
    words = keras.layers.Dropout(settings.word_dropout, noise_shape=(None, None, 1), seed=seed)(
        present
    )
    return [*phrases, parts.bag(ids, len(embedding), settings.bag, words, seed, _BAG)]


def _vectors(member: int | str) -> str:
    return f"vectors_{member}"


def _filters(member: int, width: int | str) -> str:
    return f"filters_{member}_{width}"


def _phrases(vectors: Any, words: Any, settings: TextCnn, member: int) -> Any:
    """Kim 2014, "Convolutional Neural Networks for Sentence Classification".

    Padding is nought, and each text ends with a phrase of nothing else: so it does not matter how
    far a text is padded.
    """
    known = vectors * keras.ops.cast(words, vectors.dtype)
    ended = keras.layers.ZeroPadding1D((0, max(settings.widths)))(known)
    pooled = []
    for width in settings.widths:
        seen = keras.layers.Conv1D(
            settings.filters, width, activation="relu", name=_filters(member, width)
        )(ended)  # (B, L + longest width - width + 1, filters)
        pooled.append(keras.layers.GlobalMaxPooling1D()(seen))  # (B, filters)
    return keras.ops.concatenate(pooled, axis=-1)


def weights(net: keras.Model) -> dict[str, Any]:
    """Arrays that the runtime fast_textcnn needs of a trained network, without its answers.

    `members` (M,) and `widths` (W,), their numbers; for each member `vectors_<i>` (V, E), for each
    of its widths `kernel_<i>_<width>` (width, E, filters) and `bias_<i>_<width>` (filters,); the
    bag's vectors `bag` (V, size), and the `scale` of their sum.
    """
    count = sum(layer.name.startswith(_vectors("")) for layer in net.layers)
    bag = ops.convert_to_numpy(net.get_layer(_BAG).embeddings)
    found: dict[str, Any] = {"members": np.arange(count), "bag": bag, "scale": parts.SCALE}
    widths = []
    for member in range(count):
        vectors = net.get_layer(_vectors(member)).embeddings
        found[_vectors(member)] = ops.convert_to_numpy(vectors)
        layers = [one for one in net.layers if one.name.startswith(_filters(member, ""))]
        widths = [layer.kernel.shape[0] for layer in layers]
        for layer, width in zip(layers, widths, strict=True):
            found[f"kernel_{member}_{width}"] = ops.convert_to_numpy(layer.kernel)
            found[f"bias_{member}_{width}"] = ops.convert_to_numpy(layer.bias)
    return found | {"widths": np.array(widths)}
