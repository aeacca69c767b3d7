"""Word features: TF-IDF-like vectors of texts, and a domain classifier on them."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]


def words(sketches: Sequence[Sequence[int]]) -> Array:
    """Computes `weighed` of N lists of buckets."""
    import numpy as np

    counts = [len(sketch) for sketch in sketches]
    flat = np.fromiter(itertools.chain.from_iterable(sketches), np.intp, sum(counts))
    return weighed(flat, np.array(counts, np.intp))


def weighed(buckets: Array, counts: Array) -> Array:
    """Computes (N, D) float32 rows of length 1, one column for each of the D buckets in use.

    The weight of a word is its inverse document frequency, log(N / texts that hold the word).

    Args:
        buckets: of all texts, one text after the other.
        counts: (N,) number of buckets of each text.
    """
    import numpy as np

    row = np.repeat(np.arange(len(counts)), counts)
    texts = np.bincount(buckets)
    column = np.cumsum(texts > 0) - 1  # of each bucket
    with np.errstate(divide="ignore"):
        weights = -np.log(texts / len(counts)) if len(counts) else texts
    weight = weights[buckets]
    length = np.sqrt(np.bincount(row, weight**2, len(counts)))
    vectors = np.zeros((len(counts), column[-1] + 1 if len(column) else 0), np.float32)
    vectors[row, column[buckets]] = weight / np.maximum(length, np.finfo(np.float32).tiny)[row]
    return vectors


def separability(vectors: Array, old: int) -> tuple[float, Array]:
    """Evaluates the nearest-mean classifier between window and reference, leave-one-out.

    Args:
        vectors: (N, D) of `words`, the reference's texts first.
        old: number of the reference's texts, at least 2; the window also has at least 2.

    Returns:
        Area under the ROC curve in [0, 1], 0.5 for a random classifier; and (N - old,) margins of
        the window's texts, larger for texts nearer to the window than to the reference.
    """
    import numpy as np
    from scipy.stats import rankdata

    own = np.einsum("nd,nd->n", vectors, vectors)
    new = np.arange(len(vectors)) >= old
    to_new, to_old = (
        (vectors @ vectors[side].sum(axis=0) - own * side) / (side.sum() - side)
        for side in (new, ~new)
    )
    lean = to_new - to_old
    ranks = rankdata(lean)
    return float((ranks[new].mean() - (new.sum() + 1) / 2) / old), lean[new]
