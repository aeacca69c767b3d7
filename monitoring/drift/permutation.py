"""Do two samples come from one distribution? Permutations answer, for all signals together.

What is known of a text is written as a row of numbers, and samples are compared by their means:

    numbers   is it at most t? for some fifty t, dense at both ends
    labels    is it c? for each label c
              Both: the largest binomial likelihood ratio of any question. For numbers it is the
              Kolmogorov-Smirnov test that also sees the tails (Z_K of Zhang).
    vectors   the squared distance of the two means. Of the words' weights it is the mean margin of
              a classifier that gives a text to the nearer mean: the domain classifier. Of waves of
              random frequencies it is the maximum mean discrepancy of the Gaussian kernel.
    columns   the largest squared distance of the means in any column, each of variance 1. Of
              probabilities it is the class whose expected share moved most.

Then the rows are dealt anew to two samples of the same sizes, again and again, and all statistics
computed again. A p-value is the share of deals that look at least as different in any signal. So
it is calibrated at the window's own size, is right for ties and rare labels, and all signals
together keep the level, however they hang together: no Bonferroni. The same deals also look back:
the newest rows, more of them, and all of them are each compared with the reference, and the
p-value is over all looks, too.

Rows are dealt in blocks, of which each sample is cut at random into _BLOCKS at least. That is as
exact, for the permutations of blocks are a group, too, and deals of half as many things cost half.

Sources: Fisher, "The Design of Experiments" (1935); Westfall and Young, "Resampling-Based Multiple
Testing" (1993), single-step minP; Hemerik and Goeman, "Exact testing with random permutations"
(2018), of groups of permutations; Genovese, Roeder and Wasserman, "False discovery control with
p-value weighting" (2006); Besag and Clifford, "Sequential Monte Carlo p-values" (1991); Wilson and
Hilferty, "The distribution of chi-square" (1931); Zhang, "Powerful two-sample tests based on the
likelihood ratio" (2006); Gretton and others, "A kernel two-sample test" (2012); Rahimi and Recht,
"Random features for large-scale kernel machines" (2007).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

# Deals after which windows are let go that can no longer drift, whatever the other deals say.
_STAGES = (39, 99, 199, 499)
_BELOW = 5  # deals that are as different as the level allows, on average
_BLOCKS = 50  # of the smaller sample: fewer make what has moved look like noise
_AT_ONCE = 2_000_000  # cells of the table of deals, for memory
_QUESTIONS = 24  # about a number, from either end
_WAVES, _SEED = 128, 1  # of the Gaussian kernel
_WIDTH_ROWS = 250  # whose distances give the kernel's width
_TINY, _FLAT = 1e-100, 1e-10  # where a statistic is the same in all deals
_MARK = 8  # lowest bits of a dealt number, which say which sample a block comes from


@dataclass(frozen=True)
class Signal:
    """One signal of N rows.

    Attributes:
        rows: (N, 1 + D) float32, for shares uint8. The first is 1; a row without a value is all 0.
        by: shares: the D others are 0 or 1, answers to questions; means and columns: any numbers.
        weight: above 0; a signal of weight 2 gets twice the level of one of weight 1.
    """

    rows: Array
    by: Literal["shares", "means", "columns"]
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


def test(
    signals: Mapping[str, Signal], looks: Sequence[int], deals: int, seed: int, early: int = 0
) -> Found:
    """Compares reference rows, which come first, with the newest of the rows after them.

    Args:
        signals: of the same N rows.
        looks: how many of the newest rows each look takes, at least 1, rising; the last takes all
            but the reference's and the early ones.
        deals: permutations; the p-value's standard error at p is sqrt(p / deals). Windows that
            clearly show nothing get fewer, which changes nothing about the level.
        seed: of the permutations: equal windows give equal p-values.
        early: rows between the reference's and the looks', which came long before them. Where
            there are any, each look is compared with the reference, and with both together.

    Raises:
        ValueError: no signal.
    """
    import numpy as np

    if not signals:
        raise ValueError("Expected at least one signal to test, got none.")
    generator = np.random.default_rng(seed)
    table = _blocks(signals, looks, early, generator)
    seen = _compared(signals, table, table.sample[None], looks)
    weights = np.array([one.weight for one in signals.values()])
    found = Found(1.0, {}, looks[0], 0)
    together = max(1, _AT_ONCE // (len(table.rows) * len(looks)))
    for total in sorted({min(stage, deals) for stage in (*_STAGES, deals)}):
        while (missing := total + 1 - len(seen)) > 0:
            dealt = _deals(table.sample, min(missing, together), generator)
            seen = np.concatenate([seen, _compared(signals, table, dealt, looks)])
        found = _judged(seen, list(signals), weights / weights.sum(), looks)
        if found.p_value * len(seen) > _BELOW:
            break
    return found


@dataclass(frozen=True)
class _Blocks:
    """What is dealt.

    Attributes:
        rows: (M, D) float32, the sums of each block's rows, all signals side by side.
        sample: (M,) uint8, 0 for blocks of the first look, 1 for what the second adds, ...; then
            the early rows, if there are any; the highest number for the reference.
        fixed: (samples, D) sums of the few rows of each sample that make no whole block. They
            stay where they are.
        whole: (D,) sums of all rows.
        logs: x log x of the counts 0, 1, ..., rows.
    """

    rows: Array
    sample: Array
    fixed: Array
    whole: Array
    logs: Array


def _blocks(
    signals: Mapping[str, Signal], looks: Sequence[int], early: int, generator: Any
) -> _Blocks:
    """Cuts each sample into blocks of equally many rows, drawn at random."""
    import numpy as np
    from scipy.special import xlogy

    rows = len(next(iter(signals.values())).rows)
    old = rows - looks[-1] - early
    size = max(1, min(old, looks[0]) // _BLOCKS)
    edges = [rows, *(rows - look for look in looks), *([old] if early else []), 0]
    whole, fixed, sample = [], [], []
    for i, (end, start) in enumerate(pairwise(edges)):
        # The reference may be sorted, the window is not: as they come their blocks were not alike.
        order = start + generator.permutation(end - start)
        cut = (end - start) // size * size
        whole.append(order[:cut].reshape(-1, size))
        fixed.append(order[cut:])
        sample.append(np.full(cut // size, i, np.uint8))
    blocks = np.concatenate(whole)
    held = [one.rows for one in signals.values()]
    counts = np.arange(rows + 1)
    return _Blocks(
        np.hstack([sum(one[block].astype(np.float32) for block in blocks.T) for one in held]),
        np.concatenate(sample),
        np.hstack([np.stack([one[left].sum(axis=0) for left in fixed]) for one in held]).astype(
            np.float32
        ),
        np.hstack([one.sum(axis=0, dtype=np.float64) for one in held]).astype(np.float32),
        xlogy(counts, counts),
    )


def _deals(sample: Array, count: int, generator: Any) -> Array:
    """(count, M) `sample` in random orders: sorted by random bits, which is the quickest way."""
    import numpy as np

    keys = generator.integers(0, 2**64, (count, len(sample)), np.uint64)
    keys = keys >> np.uint64(_MARK) << np.uint64(_MARK) | sample
    keys.sort(axis=1)
    return keys.astype(np.uint8)  # type: ignore[no-any-return]


def _compared(
    signals: Mapping[str, Signal], table: _Blocks, dealt: Array, looks: Sequence[int]
) -> Array:
    """(B, signals, looks) statistics of B deals; with early rows (B, signals, 2 looks).

    Args:
        signals: what the columns of `table` are.
        table: what is dealt.
        dealt: (B, M) the sample that each block is dealt to.
        looks: as `test` has it.
    """
    import numpy as np

    samples = len(table.fixed) - 1  # the reference's sums are what is left
    sides = (dealt[:, None] == np.arange(samples, dtype=np.uint8)[:, None]).astype(np.float32)
    parts = sides.reshape(-1, dealt.shape[1]) @ table.rows
    sums = parts.reshape(len(dealt), samples, -1)
    sums += table.fixed[:-1]
    new, early = sums[:, : len(looks)], sums[:, len(looks) :]
    for i in range(1, len(looks)):
        new[:, i] += new[:, i - 1]
    others = table.whole - new[:, -1:]
    found, start = [], 0
    for one in signals.values():
        end = start + one.rows.shape[1]
        place = (..., slice(start, end))
        by_old = [
            _likelihood_ratio(new[place], old[place], table.logs)
            if one.by == "shares"
            else _distance(new[place], old[place], one.by)
            for old in ([others - early, others] if samples > len(looks) else [others])
        ]
        found.append(np.concatenate(by_old, axis=-1))
        start = end
    return np.stack(found, axis=1)


def _likelihood_ratio(new: Array, old: Array, logs: Array) -> Array:
    """The largest binomial log likelihood ratio of any question; (..., 1 + D) sums -> (...)."""
    import numpy as np

    def surprise(sums: Array) -> Array:
        counts = sums.astype(np.intp)
        every, yes = counts[..., :1], counts[..., 1:]
        found = logs.take(every) - logs.take(yes)
        found -= logs.take(every - yes)
        return found

    return (surprise(new + old) - surprise(new) - surprise(old)).max(axis=-1)  # type: ignore[no-any-return]


def _distance(new: Array, old: Array, by: str) -> Array:
    """The squared distance of the means; by "columns" the largest; (..., 1 + D) sums -> (...)."""
    import numpy as np

    gap = new[..., 1:] / np.maximum(new[..., :1], 1) - old[..., 1:] / np.maximum(old[..., :1], 1)
    if by == "columns":
        return np.abs(gap).max(axis=-1).astype(np.float64) ** 2  # type: ignore[no-any-return]
    return np.einsum("...d,...d->...", gap, gap).astype(np.float64)  # type: ignore[no-any-return]


def _judged(seen: Array, names: list[str], weights: Array, looks: Sequence[int]) -> Found:
    """p-values of the first of (deals + 1, signals, looks) statistics."""
    import numpy as np
    from scipy.special import log_ndtr

    # One scale for all: the tail of a gamma distribution with the mean and variance that the
    # statistic has in all other deals, by its cube root. It need not fit: the deals calibrate
    # whatever it says.
    others = len(seen) - 1
    mean = np.maximum((seen.sum(axis=0) - seen) / others, _TINY)
    around = (seen - seen.mean(axis=0)) ** 2
    spread = (around.sum(axis=0) - around * (others + 1) / others) / others
    flat = np.maximum(spread / (9 * mean**2), _FLAT)
    tails = log_ndtr((1 - flat - np.cbrt(seen / mean)) / np.sqrt(flat))
    tails -= np.log(weights)[:, None]
    least = tails.min(axis=(1, 2))
    # Rounding may tell equal statistics apart; what is equal counts against a finding.
    by_signal = {
        name: float((least <= tail + 1e-9 * abs(tail)).mean())
        for name, tail in zip(names, tails[0].min(axis=1), strict=True)
    }
    look = looks[int(tails[0].min(axis=0).argmin()) % len(looks)]
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

    present = ~np.isnan(vectors.sum(axis=1))  # cheaper than to ask each of them
    return _signal(vectors, present, "means", weight)


def columns(vectors: Array, weight: float = 1.0) -> Signal:
    """The column of (N, D) vectors whose mean moved most; a row with a nan has no value."""
    import numpy as np

    present = ~np.isnan(vectors.sum(axis=1))
    spread = vectors[present].std(axis=0) if present.any() else np.ones(vectors.shape[1])
    return _signal(vectors / np.where(spread > 0, spread, 1), present, "columns", weight)


def _signal(
    rows: Array, present: Array, by: Literal["shares", "means", "columns"], weight: float
) -> Signal:
    import numpy as np

    kind = np.uint8 if by == "shares" else np.float32
    whole = np.empty((len(rows), 1 + rows.shape[1]), kind)
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
    some = whole[generator.permutation(len(whole))[:_WIDTH_ROWS]]
    width = np.median(pdist(some, "sqeuclidean")) if len(some) > 1 else 1.0
    frequencies = generator.normal(size=(vectors.shape[1], _WAVES)) * math.sqrt(2 / (width or 1.0))
    phase = vectors.astype(np.float32) @ frequencies.astype(np.float32)
    return np.hstack([np.cos(phase), np.sin(phase)]) / math.sqrt(_WAVES)


def deals_for(level: float) -> int:
    """Permutations that can tell a p-value of `level` from a larger one.

    On average _BELOW of them fall below it by chance; the level is kept with any number, but with
    fewer deals less drift is found.
    """
    return math.ceil(_BELOW / level) - 1
