"""Classification metrics with intervals, and paired comparisons on the same documents."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

_IMBALANCE = 3  # times: from there on a model may ignore the rarest class and look accurate


@dataclass(frozen=True)
class Interval:
    """An estimate and the interval that holds it at the confidence that was asked for."""

    value: float
    low: float
    high: float

    def rounded(self) -> dict[str, float]:
        return {
            "value": round(self.value, 6),
            "low": round(self.low, 6),
            "high": round(self.high, 6),
        }


def wilson(hits: float, total: float, confidence: float) -> Interval:
    """Share of hits with Wilson's score interval (Wilson 1927), in [0, 1].

    Args:
        hits: 0 to `total`.
        total: at least 1.
        confidence: in (0, 1).

    >>> wilson(97, 100, 0.95).rounded()
    {'value': 0.97, 'low': 0.915481, 'high': 0.989745}
    """
    from scipy.stats import norm

    z = float(norm.ppf((1 + confidence) / 2))
    share = hits / total
    centre = (share + z * z / (2 * total)) / (1 + z * z / total)
    half = z / (1 + z * z / total) * (share * (1 - share) / total + z * z / (4 * total**2)) ** 0.5
    # Rounding must not put the share outside of its own interval.
    return Interval(share, max(0.0, min(share, centre - half)), min(1.0, max(share, centre + half)))


def imbalanced(documents: Iterable[int]) -> bool:
    """True if the largest class has more than three times the documents of the smallest one.

    Then accuracy says little of the rare classes, and macro F1 is the number to look at.

    Args:
        documents: of each class; classes without documents are left out.

    >>> imbalanced([30, 10, 0]), imbalanced([31, 10]), imbalanced([])
    (False, True, False)
    """
    counts = [count for count in documents if count]
    return bool(counts) and max(counts) > _IMBALANCE * min(counts)


def by_class(table: Array) -> Array:
    """(C, 3) float64: precision, recall, F1 of each class, each in [0, 1].

    Args:
        table: (C, C) counts, rows actual, columns predicted; or (R, C, C), then (R, C, 3) comes
            back.

    A class that is never predicted has precision 0; one that never occurs has recall 0.
    """
    import numpy as np

    hits = np.diagonal(table, axis1=-2, axis2=-1).astype(np.float64)
    precision = hits / np.maximum(table.sum(axis=-2), 1)
    recall = hits / np.maximum(table.sum(axis=-1), 1)
    f1 = 2 * precision * recall / np.maximum(precision + recall, np.finfo(float).tiny)
    return np.stack([precision, recall, f1], axis=-1)


def macro_f1(
    table: Array, confidence: float, resamples: int, seed: int, documents: float | None = None
) -> Interval:
    """Unweighted mean of the classes' F1, with a percentile bootstrap interval (Efron 1979).

    A class that no document has is left out, also of a resample.

    Args:
        table: (C, C) counts, rows actual, columns predicted; documents are resampled from it.
        confidence: in (0, 1).
        resamples: of the bootstrap.
        seed: of the resampling.
        documents: that a resample draws: as many as the counted ones are worth; None: all.
    """
    import numpy as np

    occurs = table.sum(axis=1) > 0
    weights = table.astype(np.float64)
    if documents:
        # Few documents without an error do not prove that there is none: two right and two wrong
        # answers are added, spread over the classes (Agresti and Coull 1998).
        own = np.flatnonzero(occurs)
        weights[own, own] += 2 * table.sum(axis=1)[own] / table.sum()
        weights[own, np.roll(own, -1)] += 2 * table.sum(axis=1)[own] / table.sum()
    cells = np.flatnonzero(weights)  # of 1,000 classes, a few thousand of a million
    counts = weights.ravel()[cells]
    drawn = np.random.default_rng(seed).multinomial(
        round(documents or table.sum()), counts / counts.sum(), resamples
    )
    actual, predicted = np.divmod(cells, len(table))
    f1, present = _f1(drawn, actual, predicted, len(table))
    scores = (f1 * present).sum(axis=1) / present.sum(axis=1)
    value = float(by_class(table)[occurs, 2].mean())
    # Resamples of few documents a class lose classes, and their mean misses the value: the
    # percentiles are moved by the difference (Efron and Tibshirani 1993, "An Introduction to the
    # Bootstrap", 10.6).
    scores += value - scores.mean()
    low, high = np.quantile(scores, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Interval(value, min(value, max(float(low), 0.0)), max(value, min(float(high), 1.0)))


def _f1(counts: Array, actual: Array, predicted: Array, classes: int) -> tuple[Array, Array]:
    """Computes the F1 of each class (R, C) from R draws of K cells of the confusion matrix.

    The second result, (R, C), is True where the draw holds documents of the class.

    Args:
        counts: (R, K) documents in each cell.
        actual, predicted: (K,) classes of each cell.
        classes: C.
    """
    import numpy as np
    from scipy.sparse import csr_array

    cells, ones = np.arange(len(actual)), np.ones(len(actual))
    shape = (len(actual), classes)
    rows, columns = (
        counts @ csr_array((ones, (cells, side)), shape=shape) for side in (actual, predicted)
    )
    right = actual == predicted
    hits = counts[:, right] @ csr_array(
        (ones[right], (np.arange(right.sum()), actual[right])), shape=(int(right.sum()), classes)
    )
    return 2 * hits / np.maximum(rows + columns, 1), rows > 0


def paired_difference(
    ours: Array, theirs: Array, level: float, resamples: int, seed: int
) -> Interval:
    """Mean of `ours - theirs` over the same documents, with its one-sided bootstrap bounds.

    Args:
        ours, theirs: (N,) 1 where right, 0 where wrong, on the same documents in the same order.
        level: in (0, 1): the true difference lies above `low` with this confidence, and below
            `high` with this confidence.
        resamples: of the paired bootstrap (Efron and Tibshirani 1993, chapter 16).
        seed: of the resampling.
    """
    import numpy as np

    difference = np.asarray(ours, np.float64) - np.asarray(theirs, np.float64)
    counts = np.array([(difference == step).sum() for step in (-1.0, 0.0, 1.0)])
    drawn = np.random.default_rng(seed).multinomial(
        len(difference), counts / len(difference), resamples
    )
    means = (drawn[:, 2] - drawn[:, 0]) / len(difference)
    low, high = np.quantile(means, [1 - level, level])
    return Interval(float(difference.mean()), float(low), float(high))
