"""`bilstm`: two bidirectional LSTM layers, of which the first returns its whole sequence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from keras import layers, ops

from components.core.networks import parts
from components.core.params.architectures.bilstm import BiLstm

if TYPE_CHECKING:
    import numpy as np


def features(
    ids: Any, settings: BiLstm, embedding: np.ndarray[Any, Any], seed: int, classes: int
) -> list[Any]:
    """Returns features of two bidirectional LSTM layers (Graves and Schmidhuber 2005).

    Pooling `last` returns the last states of the second layer, (B, 2 units), which have to encode
    all of a long text. Pooling `mean` or `max` pools the states of both layers and the word vector
    over all words, (B, 4 units + E). An indicative word thus reaches the output without the LSTMs
    (Lai et al. 2015, "Recurrent Convolutional Neural Networks for Text Classification").
    """
    del classes  # `assembly` adds the output layers
    vectors = parts.embed(ids, embedding, settings.word_dropout, seed, masked=True)
    first = layers.Bidirectional(layers.LSTM(settings.units, return_sequences=True))(
        vectors
    )  # (B, L, 2 units)
    if settings.pooling == "last":
        return [layers.Bidirectional(layers.LSTM(settings.units))(first)]
    second = layers.Bidirectional(layers.LSTM(settings.units, return_sequences=True))(first)
    pool = parts.mean if settings.pooling == "mean" else parts.largest
    states = ops.concatenate([second, first, vectors], axis=-1)  # (B, L, 4 units + E)
    return [pool(states, parts.inside(ids))]
