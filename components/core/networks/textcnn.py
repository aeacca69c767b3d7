"""`textcnn`: an ensemble of convolutional networks and one bag of words.

The network averages the probabilities of its members, since a single member depends on its seed
(Lakshminarayanan et al. 2017, "Deep Ensembles"). Convolutions and the bag err on different texts.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

from components.core.networks import parts
from components.core.params.architectures.textcnn import TextCnn

_SEED_STEP = 100  # between the seeds of two members, so that their random numbers differ
_BAG = "bag"


def features(
    ids: Any, settings: TextCnn, embedding: np.ndarray[Any, Any], seed: int, classes: int
) -> list[Any]:
    """Returns the features (B, part of F) of each member: the convolutions, then the bag."""
    del classes  # `assembly` adds the output layers
    seeds = [seed + _SEED_STEP * (i + 1) for i in range(settings.members)]
    present = parts.inside(ids)
    phrases = [
        _phrases(
            parts.embed(ids, embedding, settings.word_dropout, member_seed, name=_vectors(i)),
            present,
            settings,
            i,
        )
        for i, member_seed in enumerate(seeds)
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
    """Convolves and max-pools word vectors (B, L, E) to (B, widths * filters).

    Kim 2014, "Convolutional Neural Networks for Sentence Classification". Padding is zero, and
    each text ends with at least one window of padding only, so the result does not depend on the
    length of the padding.
    """
    embedded = vectors * keras.ops.cast(words, vectors.dtype)
    padded = keras.layers.ZeroPadding1D((0, max(settings.widths)))(embedded)
    pooled = []
    for width in settings.widths:
        activations = keras.layers.Conv1D(
            settings.filters, width, activation="relu", name=_filters(member, width)
        )(padded)  # (B, L + longest width - width + 1, filters)
        pooled.append(keras.layers.GlobalMaxPooling1D()(activations))  # (B, filters)
    return keras.ops.concatenate(pooled, axis=-1)


def weights(net: keras.Model) -> dict[str, Any]:
    """Returns the arrays of a trained network for the runtime fast_textcnn, without output layers.

    The arrays are `members` (M,), the members' numbers; `widths` (W,), in words; for each member
    `vectors_<i>` (V, E), and for each width `kernel_<i>_<width>` (width, E, filters) and
    `bias_<i>_<width>` (filters,); `bag` (V, size), the bag's vectors; `scale`, the factor of the
    bag's sum.
    """
    count = sum(layer.name.startswith(_vectors("")) for layer in net.layers)
    bag = ops.convert_to_numpy(net.get_layer(_BAG).embeddings)
    arrays: dict[str, Any] = {"members": np.arange(count), "bag": bag, "scale": parts.SCALE}
    widths = []
    for member in range(count):
        vectors = net.get_layer(_vectors(member)).embeddings
        arrays[_vectors(member)] = ops.convert_to_numpy(vectors)
        layers = [layer for layer in net.layers if layer.name.startswith(_filters(member, ""))]
        widths = [layer.kernel.shape[0] for layer in layers]
        for layer, width in zip(layers, widths, strict=True):
            arrays[f"kernel_{member}_{width}"] = ops.convert_to_numpy(layer.kernel)
            arrays[f"bias_{member}_{width}"] = ops.convert_to_numpy(layer.bias)
    return arrays | {"widths": np.array(widths)}
