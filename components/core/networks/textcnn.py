"""`textcnn`: members that read phrases by convolution, and one that counts words.

Each is a small network of its own, and their answers are averaged: one alone depends on its seed
(Lakshminarayanan et al. 2017, "Deep Ensembles"). Those that read and the one that counts err on
different texts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
from keras import ops

from components.core.architecture_settings import TextCnn
from components.core.networks import parts

if TYPE_CHECKING:
    import numpy as np

_SEED_STEP = 100  # between members, so that no two draw the same numbers
_BAG = "bag"


def features(ids: Any, settings: TextCnn, embedding: np.ndarray[Any, Any], seed: int) -> list[Any]:
    """Features of each member, (B, its part of F): those that read phrases, then the bag."""
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


def table(net: keras.Model) -> Any:
    """What each word adds to each filter, at each place that the filter sees: (V, T).

    A convolution over word vectors is a sum of products of a vector and a part of the kernel. Both
    are fixed once the network is trained, so the products of all words are computed once. T counts
    the filters of each part of each kernel of each member, in the order of core/shortcut.py.
    """
    found = []
    for member in range(_members(net)):
        rows = net.get_layer(_vectors(member)).embeddings  # (V, E)
        known = ops.concatenate([ops.zeros_like(rows[:1]), rows[1:]])  # padding says nothing
        for layer in _convolutions(net, member):
            found += [ops.matmul(known, layer.kernel[i]) for i in range(layer.kernel.shape[0])]
    return ops.concatenate(found, axis=-1)


def layout(net: keras.Model) -> tuple[int, int, tuple[int, ...]]:
    """Filters of each width, members that read phrases, and widths of a trained network."""
    kernels = [layer.kernel.shape for layer in _convolutions(net, 0)]
    return kernels[0][2], _members(net), tuple(width for width, _, _ in kernels)


def looked_up(net: keras.Model, ids: Any, sums: Any) -> list[Any]:
    """As `features` of the trained network, of ids (B, L).

    Args:
        sums: (B, filters of all widths of all members), the largest of each filter over the places
            of a text, without its bias: what core/shortcut.py adds up from `table`.
    """
    seen, column = [], 0
    for member in range(_members(net)):
        bias = ops.concatenate([layer.bias for layer in _convolutions(net, member)])
        seen.append(ops.relu(sums[:, column : column + bias.shape[0]] + bias))
        column += bias.shape[0]
    return [*seen, parts.mean_of_bag(net.get_layer(_BAG)(ids), parts.inside(ids))]


def _members(net: keras.Model) -> int:
    return sum(layer.name.startswith(_vectors("")) for layer in net.layers)


def _convolutions(net: keras.Model, member: int) -> list[Any]:
    """The member's, in the order of `TextCnn.widths`."""
    return [layer for layer in net.layers if layer.name.startswith(_filters(member, ""))]
