"""`linear`: TF-IDF of words and n-grams, and a linear classifier.

A strong baseline of text classification (Wang and Manning 2012, "Baselines and Bigrams"), with
which larger networks are compared.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from components.core.networks import tfidf
from components.core.params.architectures.linear import Linear

if TYPE_CHECKING:
    import numpy as np


_WEIGHTS = 2**24  # of the n-grams of each length: 64 MiB


def buckets(most: int, classes: int) -> int:
    """Limits the rows of n-grams, each of which has a weight for each class.

    >>> buckets(131_072, 5), buckets(131_072, 1000)
    (131072, 16777)
    """
    return min(most, _WEIGHTS // classes)


def features(
    ids: Any, settings: Linear, embedding: np.ndarray[Any, Any], seed: int, classes: int
) -> list[Any]:
    """Returns the sum of the terms' coefficients for each class, (B, classes).

    Each word has its own row. Longer n-grams share `buckets` rows for each n, by a hash of their
    words.
    """
    del seed  # nothing is random
    return [
        tfidf.bag(ids, len(embedding), settings.grams, buckets(settings.buckets, classes), classes)
    ]
