"""`bilstm`: two bidirectional LSTMs, the first returning its sequence. Where newsloop began."""

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
    """What the LSTMs make of a text (Graves and Schmidhuber 2005).

    `last`: the second one's last states, (B, 2 units). They have to remember all of a long text.
    `mean` and `max` pool over all words what both LSTMs say of each, and its vector: a word that
    gives a class away need not pass through the LSTMs (Lai et al. 2015, "Recurrent Convolutional
    Neural Networks for Text Classification"). (B, 4 units + E).
    """
    del classes  # the layers that answer are added by `assembly`
    vectors = parts.embed(ids, embedding, settings.word_dropout, seed, masked=True)
    first = layers.Bidirectional(layers.LSTM(settings.units, return_sequences=True))(
        vectors
    )  # (B, L, 2 units)
    if settings.pooling == "last":
        return [layers.Bidirectional(layers.LSTM(settings.units))(first)]
    second = layers.Bidirectional(layers.LSTM(settings.units, return_sequences=True))(first)
    pool = parts.mean if settings.pooling == "mean" else parts.largest
    seen = ops.concatenate([second, first, vectors], axis=-1)  # (B, L, 4 units + E)
    return [pool(seen, parts.inside(ids))]
