"""Layers and pooling functions that several architectures share.

B is the batch, L the words of a document, E the size of a word's vector, F the features.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
from keras import ops

if TYPE_CHECKING:
    import numpy as np

_SPREAD = 0.05  # standard deviation of the initial vectors of a bag
SCALE = 3.0  # factor with which a bag learns as fast as convolutions


def embed(
    ids: Any,
    table: np.ndarray[Any, Any],
    hidden: float,
    seed: int,
    *,
    masked: bool = False,
    name: str | None = None,
) -> Any:
    """Looks up word vectors (B, L, E); training drops the share `hidden` of the words.

    Word dropout (Iyyer et al. 2015) drops whole words, not single components of their vectors.

    Args:
        ids: (B, L) int32, 0 is padding.
        table: (vocabulary + 2, E) float32, initial word vectors.
        hidden: rate of word dropout in [0, 1].
        seed: of the dropout.
        masked: makes the layers that follow skip padding.
        name: of the embedding layer.
    """
    values = keras.initializers.Constant(table)
    vectors = keras.layers.Embedding(
        *table.shape, embeddings_initializer=values, mask_zero=masked, name=name
    )(ids)
    return keras.layers.Dropout(hidden, noise_shape=(None, None, 1), seed=seed)(vectors)


def inside(ids: Any) -> Any:
    """Returns the mask of words, (B, L, 1) float32: 1 for a word, 0 for padding."""
    return ops.cast(ops.expand_dims(ops.not_equal(ids, 0), -1), "float32")


def mean(sequence: Any, words: Any) -> Any:
    """Returns the mean (B, F) of `sequence` (B, L, F) over positions with `words` (B, L, 1) 1."""
    return ops.sum(sequence * words, axis=1) / ops.maximum(ops.sum(words, axis=1), 1.0)


def largest(sequence: Any, words: Any) -> Any:
    """Returns the maximum (B, F) of `sequence` over the words; 0 for a text without words."""
    lowest = ops.min(sequence, axis=1, keepdims=True)
    return ops.max(ops.where(words > 0, sequence, lowest), axis=1) * ops.max(words, axis=1)


def bag(ids: Any, rows: int, size: int, words: Any, seed: int, name: str) -> Any:
    """Returns a bag of word vectors (B, size), scaled as in `mean_of_bag`.

    Joulin et al. 2016, "Bag of Tricks for Efficient Text Classification".

    Args:
        ids: (B, L) int32 in [0, rows).
        rows, size: shape of the table of vectors.
        words: (B, L, 1) float32 weights of the ids, 0 for an id that does not count.
        seed: of the initial vectors.
        name: of the embedding layer.
    """
    weights = keras.initializers.RandomNormal(stddev=_SPREAD, seed=seed)
    vectors = keras.layers.Embedding(rows, size, embeddings_initializer=weights, name=name)(ids)
    return mean_of_bag(vectors, words)


def mean_of_bag(vectors: Any, words: Any) -> Any:
    """Returns SCALE times the sum of `vectors` over the square root of the number of words.

    Args:
        vectors: (B, L, E).
        words: (B, L, 1) weights of the vectors; 0 leaves a vector out.

    Returns:
        (B, E).
    """
    count = ops.maximum(ops.sum(words, axis=1), 1.0)  # (B, 1)
    return SCALE * ops.sum(vectors * words, axis=1) / ops.sqrt(count)
