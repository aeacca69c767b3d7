"""Do two samples come from one distribution? Permutations answer, for all signals together.

What is known of a text is written as a row of numbers, and samples are compared by their means:

    numbers   is it at most t? for some fifty t, dense at both ends
    labels    is it c? for each label c
              Both: the largest binomial likelihood ratio of any question. For numbers it is the
              Kolmogorov-Smirnov test that also sees the tails (Z_K of Zhang).
    vectors   the squared distance of the two means. Of the words' weights it is the mean margin of
              a classifier that gives a text to the nearer mean: the domain classifier. Of waves of
              random frequencies it is the maximum mean discrepancy of the Gaussian kernel.

Then the rows are dealt anew to two samples of the same sizes, again and again, and all statistics
computed again. A p-value is the share of deals that look at least as different in any signal. So
it is calibrated at the window's own size, is right for ties and rare labels, and all signals
together keep the level, however they hang together: no Bonferroni. The same deals also look back:
the newest rows, more of them, and all of them are each compared with the reference, and the
p-value is over all looks, too.

Sources: Fisher, "The Design of Experiments" (1935); Westfall and Young, "Resampling-Based Multiple
Testing" (1993), single-step minP; Genovese, Roeder and Wasserman, "False discovery control with
p-value weighting" (2006); Besag and Clifford, "Sequential Monte Carlo p-values" (1991); Zhang,
"Powerful two-sample tests based on the likelihood ratio" (2006); Gretton and others, "A kernel
two-sample test" (2012); Rahimi and Recht, "Random features for large-scale kernel machines" (2007).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

_STAGES = (99, 499)  # deals after which windows that show nothing are let go
_ENOUGH = 10  # deals that look as different: no more are made
_BELOW = 5  # deals that are as different as the level allows, on average
_AT_ONCE = 2_000_000  # cells of the table of deals, for memory
_QUESTIONS = 24  # about a number, from either end
_WAVES, _SEED = 128, 1  # of the Gaussian kernel


@dataclass(frozen=True)
class Signal:
    """One signal of N rows.

    Attributes:
        rows: (N, 1 + D) float32. The first is 1; a row without a value is all 0.
        by: shares: the D others are 0 or 1, answers to questions; means: any numbers.
        weight: above 0; a signal of weight 2 gets twice the level of one of weight 1.
    """

    rows: Array
    by: Literal["shares", "means"]
    weight: float = 1.0


@dataclass(frozen=True)
class Found:
    """What the permutations say.

    Attributes:
        p_value: that nothing has moved, over all signals and looks; at least 1 / (deals + 1).
        by_signal: the same for each signal, corrected for the number of signals and looks.
        look: newest rows of the look that differs most.
        deals: how many were made.
    """

    p_value: float
    by_signal: dict[str, float]
    look: int
    deals: int


def test(signals: Mapping[str, Signal], looks: Sequence[int], deals: int, seed: int) -> Found:
    """Compares reference rows, which come first, with the newest of the rows after them.

    Args:
        signals: of the same N rows.
        looks: how many of the newest rows each look takes, at least 1, rising; the last takes all
            but the reference's.
        deals: permutations; the p-value's standard error at p is sqrt(p / deals). Windows that
            clearly show nothing get fewer, which changes nothing about the level.
        seed: of the permutations: equal windows give equal p-values.

    Raises:
        ValueError: no signal.
    """
    import numpy as np

    if not signals:
        raise ValueError("Expected at least one signal to test, got none.")
    generator = np.random.default_rng(seed)
    table = np.hstack([one.rows for one in signals.values()])
    newest_first = np.arange(len(table))[::-1]
    seen = _compared(signals, table, newest_first[None, : looks[-1]], looks)
    weights = np.array([one.weight for one in signals.values()])
    found = Found(1.0, {}, looks[0], 0)
    together = max(1, _AT_ONCE // (len(table) * len(looks)))
    for total in sorted({min(stage, deals) for stage in (*_STAGES, deals)}):
        while (missing := total + 1 - len(seen)) > 0:
            order = generator.random((min(missing, together), len(table)), dtype=np.float32)
            dealt = np.argpartition(order, np.array(looks) - 1, axis=1)[:, : looks[-1]]
            seen = np.concatenate([seen, _compared(signals, table, dealt, looks)])
        found = _judged(seen, list(signals), weights / weights.sum(), looks)
        if found.p_value * len(seen) > _ENOUGH:
            break
    return found


def _compared(
    signals: Mapping[str, Signal], table: Array, dealt: Array, looks: Sequence[int]
) -> Array:
    """(B, signals, looks) statistics of B deals.

    Args:
        signals: what the columns of `table` are.
        table: (N, D) of all signals side by side.
        dealt: (B, looks[-1]) rows that are dealt to the window, those of the first look first.
        looks: as `test` has it.
    """
    import numpy as np

    sides = np.zeros((len(dealt), len(looks), len(table)), np.float32)
    for i, (start, end) in enumerate(zip([0, *looks], looks, strict=False)):
        np.put_along_axis(sides[:, i], dealt[:, start:end], 1, axis=1)
    parts = sides.reshape(-1, len(table)) @ table
    new = parts.reshape(len(dealt), len(looks), -1).cumsum(axis=1)  # (B, looks, D)
    old = table.sum(axis=0, dtype=np.float64).astype(np.float32) - new[:, -1:]
    found, start = [], 0
    for one in signals.values():
        end = start + one.rows.shape[1]
        difference = _likelihood_ratio if one.by == "shares" else _distance
        found.append(difference(new[..., start:end], old[..., start:end]))
        start = end
    return np.stack(found, axis=1)


def _likelihood_ratio(new: Array, old: Array) -> Array:
    """The largest binomial log likelihood ratio of any question; (..., 1 + D) sums -> (...)."""
    import numpy as np
    from scipy.special import entr

    def surprise(sums: Array) -> Array:
        count = np.maximum(sums[..., :1], 1)
        share = sums[..., 1:] / count
        return count * (entr(share) + entr(1 - share))  # type: ignore[no-any-return]

    new, old = new.astype(np.float64), old.astype(np.float64)
    return (surprise(new + old) - surprise(new) - surprise(old)).max(axis=-1)  # type: ignore[no-any-return]


def _distance(new: Array, old: Array) -> Array:
    """The squared distance of the means; (..., 1 + D) sums -> (...)."""
    import numpy as np

    gap = new[..., 1:] / np.maximum(new[..., :1], 1) - old[..., 1:] / np.maximum(old[..., :1], 1)
    return np.einsum("...d,...d->...", gap, gap).astype(np.float64)  # type: ignore[no-any-return]


def _judged(seen: Array, names: list[str], weights: Array, looks: Sequence[int]) -> Found:
    """p-values of the first of (deals + 1, signals, looks) statistics."""
    import numpy as np
    from scipy.stats import gamma

    # One scale for all: the tail of a gamma distribution with the mean and variance of a
    # statistic. It need not fit: the deals calibrate whatever it says.
    spread = np.maximum(seen.std(axis=0), np.finfo(float).tiny)
    mean = np.maximum(seen.mean(axis=0), np.finfo(float).tiny)
    tails = gamma.logsf(seen, (mean / spread) ** 2, scale=spread**2 / mean)
    tails -= np.log(weights)[:, None]
    least = tails.min(axis=(1, 2))
    # Rounding may tell equal statistics apart; what is equal counts against a finding.
    by_signal = {
        name: float((least <= tail + 1e-9).mean())
        for name, tail in zip(names, tails[0].min(axis=1), strict=True)
    }
    look = looks[int(tails[0].min(axis=0).argmin())]
    return Found(min(by_signal.values()), by_signal, look, len(seen) - 1)


def numbers(values: Array, weight: float = 1.0) -> Signal:
    """Is it at most t? of (N,) float64 numbers, nan where there is none.

    The t are values of the rows themselves, every one near the two ends and ever fewer towards the
    middle, and only those between two different values: ties are right.
    """
    import numpy as np

    held = np.sort(values[~np.isnan(values)])
    ranks = np.geomspace(1, max(len(held) / 2, 1), _QUESTIONS).astype(int)
    asked = np.unique(held[np.concatenate([ranks - 1, len(held) - 1 - ranks]).clip(0)])
    answers = values[:, None] <= asked[asked < held[-1]]
    return _signal(answers, ~np.isnan(values), "shares", weight)


def labels(values: Sequence[str | None], weight: float = 1.0) -> Signal:
    """Is it c? of N labels, None where there is none."""
    import numpy as np

    names = sorted({one for one in values if one is not None})
    column = np.array(values, object)
    answers = column[:, None] == np.array(names, object)
    present = np.array([one is not None for one in values])
    return _signal(answers, present, "shares", weight)


def means(vectors: Array, weight: float = 1.0) -> Signal:
    """The distance of the means of (N, D) vectors; a row with a nan has no value."""
    import numpy as np

    present = np.asarray(~np.isnan(vectors).any(axis=1))
    return _signal(vectors, present, "means", weight)


def _signal(rows: Array, present: Array, by: Literal["shares", "means"], weight: float) -> Signal:
    import numpy as np

    whole = np.empty((len(rows), 1 + rows.shape[1]), np.float32)
    whole[:, 0], whole[:, 1:] = present, rows
    whole[~present] = 0
    return Signal(whole, by, weight)


def waves(vectors: Array) -> Array:
    """(N, 2 * _WAVES) cosines and sines whose products approximate the Gaussian kernel.

    Its width is the median distance, as Gretton and others have it.

    Args:
        vectors: (N, D); nan where there is no value.
    """
    import numpy as np
    from scipy.spatial.distance import pdist

    generator = np.random.default_rng(_SEED)
    whole = vectors[~np.isnan(vectors).any(axis=1)]
    some = whole[generator.permutation(len(whole))[:500]]
    width = np.median(pdist(some, "sqeuclidean")) if len(some) > 1 else 1.0
    frequencies = generator.normal(size=(vectors.shape[1], _WAVES)) * math.sqrt(2 / (width or 1.0))
    phase = vectors @ frequencies
    return np.hstack([np.cos(phase), np.sin(phase)]) / math.sqrt(_WAVES)


def words(sketches: Sequence[Sequence[int]]) -> Array:
    """(N, D) float32 of length 1, D the buckets that are used; rare words weigh more.

    A word weighs its inverse frequency, the logarithm of N / texts that hold it.
    """
    import numpy as np

    counts = [len(one) for one in sketches]
    row = np.repeat(np.arange(len(sketches)), counts)
    column = np.fromiter(itertools.chain.from_iterable(sketches), np.intp, sum(counts))
    used, column = np.unique(column, return_inverse=True)
    share = np.bincount(column, minlength=len(used)) / max(len(sketches), 1)
    weight = -np.log(share)[column]  # a word of all texts weighs nothing
    length = np.sqrt(np.bincount(row, weight**2, len(sketches)))
    held = np.zeros((len(sketches), len(used)), np.float32)
    held[row, column] = weight / np.maximum(length, np.finfo(np.float32).tiny)[row]
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


def deals_for(level: float) -> int:
    """Permutations that can tell a p-value of `level` from a larger one.

    On average _BELOW of them fall below it by chance; the level is kept with any number, but with
    fewer deals less drift is found.
    """
    return math.ceil(_BELOW / level) - 1
