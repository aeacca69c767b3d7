"""`linear`: words and short phrases are counted, their order beyond that is not seen.

TF-IDF and a linear answer, the strong baseline of text classification (Wang and Manning 2012,
"Baselines and Bigrams"). What a larger network is worth shows beside it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from components.core.networks import tfidf
from components.core.params.architectures.linear import Linear

if TYPE_CHECKING:
    import numpy as np


def features(
    ids: Any, settings: Linear, embedding: np.ndarray[Any, Any], seed: int, classes: int
) -> list[Any]:
    """What the terms of a text say for each class, (B, classes).

    A word has a row of its own. Longer n-grams share `buckets` rows, by a hash of their words.
    """
    del seed  # nothing is drawn
    return [tfidf.bag(ids, len(embedding), settings.grams, settings.buckets, classes)]
