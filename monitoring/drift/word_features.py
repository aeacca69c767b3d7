"""Words as vectors: what tells one sample of texts from another by the words that they hold."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]


def words(sketches: Sequence[Sequence[int]]) -> Array:
    """As `weighed`, of N lists of buckets."""
    import numpy as np

    counts = [len(one) for one in sketches]
    flat = np.fromiter(itertools.chain.from_iterable(sketches), np.intp, sum(counts))
    return weighed(flat, np.array(counts, np.intp))


def weighed(buckets: Array, counts: Array) -> Array:
    """(N, D) float32 of length 1, D the buckets that are used; rare words weigh more.

    A word weighs its inverse frequency, the logarithm of N / texts that hold it.

    Args:
        buckets: of all texts, one after the other.
        counts: (N,) how many each text has.
    """
    import numpy as np

    row = np.repeat(np.arange(len(counts)), counts)
    texts = np.bincount(buckets)
    place = np.cumsum(texts > 0) - 1  # bucket -> column
    with np.errstate(divide="ignore"):
        weights = -np.log(texts / len(counts)) if len(counts) else texts  # of all texts: nothing
    weight = weights[buckets]
    length = np.sqrt(np.bincount(row, weight**2, len(counts)))
    held = np.zeros((len(counts), place[-1] + 1 if len(place) else 0), np.float32)
    held[row, place[buckets]] = weight / np.maximum(length, np.finfo(np.float32).tiny)[row]
    return held


def separability(vectors: Array, old: int) -> tuple[float, Array]:
    """How well the nearest-mean classifier tells window from reference, leave one out.

    Args:
        vectors: (N, D) of `words`, the reference's texts first.
        old: how many those are; at least 2, as of the others.

    Returns:
        Area under its ROC curve, one half where it guesses; and how much nearer each text of the
        window is to the window than to the reference, (N - old,).
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
