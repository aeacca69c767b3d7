"""`bilstm`: two bidirectional LSTMs, the first returning its sequence. Where newsloop began."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from keras import layers, ops

from components.core.architecture_settings import BiLstm
from components.core.networks import parts

if TYPE_CHECKING:
    import numpy as np


def features(ids: Any, settings: BiLstm, embedding: np.ndarray[Any, Any], seed: int) -> list[Any]:
    """What the second LSTM makes of a text, (B, 2 units): Graves and Schmidhuber 2005.

    `last` keeps its two last states, which have to remember all of a long text. `mean` and `max`
    look at every word's state (Conneau et al. 2017, "Supervised Learning of Universal Sentence
    Representations", found max the best).
    """
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
