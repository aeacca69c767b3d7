"""What several architectures are made of.

B is the batch, L the words of a document, E the size of a word's vector, F the features.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
from keras import ops

if TYPE_CHECKING:
    import numpy as np

_SPREAD = 0.05  # of the first values in a bag
SCALE = 3.0  # with it a bag learns as fast as convolutions


def embed(
    ids: Any,
    table: np.ndarray[Any, Any],
    hidden: float,
    seed: int,
    *,
    masked: bool = False,
    name: str | None = None,
) -> Any:
    """Word vectors (B, L, E), of which training hides the share `hidden`.

    Word dropout (Iyyer et al. 2015): whole words vanish, not single numbers of their vectors.

    Args:
        ids: (B, L) int32, 0 is padding.
        table: (vocabulary + 2, E) float32, first values.
        hidden: in [0, 1].
        seed: of what is hidden.
        masked: whether padding is skipped by the layers that follow.
        name: of the layer.
    """
    values = keras.initializers.Constant(table)
    vectors = keras.layers.Embedding(
        *table.shape, embeddings_initializer=values, mask_zero=masked, name=name
    )(ids)
    return keras.layers.Dropout(hidden, noise_shape=(None, None, 1), seed=seed)(vectors)


def inside(ids: Any) -> Any:
    """(B, L, 1) float32: 1 where a word stands, 0 where padding."""
    return ops.cast(ops.expand_dims(ops.not_equal(ids, 0), -1), "float32")


def mean(sequence: Any, words: Any) -> Any:
    """(B, F): the mean of `sequence` (B, L, F) over the places where `words` (B, L, 1) is 1."""
    return ops.sum(sequence * words, axis=1) / ops.maximum(ops.sum(words, axis=1), 1.0)


def largest(sequence: Any, words: Any) -> Any:
    """(B, F): as `mean`, but the largest value; 0 where there is no word."""
    lowest = ops.min(sequence, axis=1, keepdims=True)
    return ops.max(ops.where(words > 0, sequence, lowest), axis=1) * ops.max(words, axis=1)


def bag(ids: Any, rows: int, size: int, words: Any, seed: int, name: str) -> Any:
    """Joulin et al. 2016, "Bag of Tricks for Efficient Text Classification".

    Each id has a small vector; those where `words` is not 0 are added up and divided by the root
    of their number.

    Args:
        ids: (B, L) int32 in [0, rows).
        rows, size: of the table of vectors.
        words: (B, L, 1) float32, 0 where an id does not count.
        seed: of the first values.
        name: of the layer.

    Returns:
        (B, size).
    """
    weights = keras.initializers.RandomNormal(stddev=_SPREAD, seed=seed)
    vectors = keras.layers.Embedding(rows, size, embeddings_initializer=weights, name=name)(ids)
    return mean_of_bag(vectors, words)


def mean_of_bag(vectors: Any, words: Any) -> Any:
    """(B, E): the sum of `vectors` (B, L, E) where `words` (B, L, 1) is 1, over its root."""
    count = ops.maximum(ops.sum(words, axis=1), 1.0)  # (B, 1)
    return SCALE * ops.sum(vectors * words, axis=1) / ops.sqrt(count)
