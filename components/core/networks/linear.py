"""`linear`: words and short phrases are counted, their order beyond that is not seen.

Joulin et al. 2016, "Bag of Tricks for Efficient Text Classification" (fastText). The honest
baseline among the networks: what a larger one is worth shows beside it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
from keras import ops

from components.core.architecture_settings import Linear
from components.core.networks import parts

if TYPE_CHECKING:
    import numpy as np

_FACTOR = 1009  # prime; words of a phrase up to the 1009th commonest never share a number


def features(ids: Any, settings: Linear, embedding: np.ndarray[Any, Any], seed: int) -> list[Any]:
    """The sum of the vectors of words and n-grams, over the root of their number: (B, size).

    A word has a row of its own. Longer n-grams share `buckets` rows, by a hash of their words.
    """
    words = keras.layers.Dropout(settings.word_dropout, noise_shape=(None, None, 1), seed=seed)(
        parts.inside(ids)
    )
    seen = [parts.bag(ids, len(embedding), settings.size, words, seed, "bag_1")]
    place, present = ids, words
    for n in range(2, settings.grams + 1):
        # An n-gram counts where all of its words do; a text of fewer words has none.
        place = phrase(place, ids, n, settings.buckets)
        present = ops.minimum(present[:, :-1], words[:, n - 1 :])
        seen.append(
            parts.bag(place, settings.buckets, settings.size, present, seed + n, f"bag_{n}")
        )
    return [ops.sum(ops.stack(seen), axis=0)]


def phrase(shorter: Any, ids: Any, n: int, buckets: int) -> Any:
    """Rows of n-grams, (B, L - n + 1) in [0, buckets), from the rows of those one word shorter.

    >>> phrase(keras.ops.array([[2, 3, 4]]), keras.ops.array([[2, 3, 4]]), 2, 10_000).tolist()
    [[2021, 3031]]
    """
    # Taken down before it is multiplied, so that 32 bits are enough for up to 2 million buckets.
    return ((shorter[:, :-1] % buckets) * _FACTOR + ids[:, n - 1 :]) % buckets
