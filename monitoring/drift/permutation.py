"""Permutation test: does a window of predictions come from the reference's distribution?

Each signal of a text is a row of numbers. A statistic compares the means of two samples of rows:

    numbers   is the number at most t? for some fifty thresholds t, dense at both ends
    labels    is the label c? for each label c
              Statistic of both: the largest binomial likelihood ratio over all questions. For
              numbers it is a Kolmogorov-Smirnov test that also sees the tails (Zhang's Z_K).
    means     the squared distance of the two mean vectors. Of word weights it is the mean margin
              of the nearest-mean classifier (domain classifier). Of random Fourier features it is
              the maximum mean discrepancy (MMD) of the Gaussian kernel.
    columns   the largest squared distance of the means in any column, scaled to variance 1. Of
              probabilities it is the class whose expected share moved most.

The test then permutes the rows between the samples, with equal sample sizes, and computes all
statistics again. A p-value is the share of permutations that differ at least as much in any signal.
So the test is calibrated at the window's own size, and exact for ties and rare labels. All signals
together keep the level, however they correlate, without Bonferroni. The same permutations serve
several lookbacks: the newest rows, more of them, and all of them are each compared with the
reference. The p-value covers all lookbacks.

Rows are permuted in blocks. Each sample is cut at random into at least _BLOCKS blocks. The test
stays exact, because permutations of blocks form a group; permuting half as many items costs half.

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

# Permutations after which the test stops if the window can no longer drift.
_STAGES = (39, 99, 199, 499)
_BELOW = 5  # permutations that differ as much as the level allows, on average
_BLOCKS = 50  # of the smaller sample: with fewer, drift looks like noise
_AT_ONCE = 2_000_000  # cells of the table of permutations, for memory
_QUESTIONS = 24  # about a number, from either end
_FREQUENCIES, _SEED = 128, 1  # of the random Fourier features
_WIDTH_ROWS = 250  # whose distances give the kernel's width
_TINY, _FLAT = 1e-100, 1e-10  # for a statistic that is equal in all permutations
_MARK = 8  # lowest bits of a sort key, which hold the block's sample


@dataclass(frozen=True)
class SignalRows:
    """Rows of one signal for N texts.

    Attributes:
        rows: (N, 1 + D) float32, for shares uint8. Column 0 is 1; a row without a value is all 0.
        by: shares: the D other columns are 0 or 1; means and columns: they hold any numbers.
        weight: above 0; a signal of weight 2 gets twice the level of one of weight 1.
    """

    rows: Array
    by: Literal["shares", "means", "columns"]
    weight: float = 1.0


@dataclass(frozen=True)
class PermutationResult:
    """Result of a permutation test.

    Attributes:
        p_value: under the hypothesis of no drift, over all signals and lookbacks, in
            [1 / (permutations + 1), 1].
        by_signal: the p-value of each signal, corrected for the number of signals and lookbacks.
        lookback: number of newest rows of the lookback that differs most.
        permutations: number that was computed.
    """

    p_value: float
    by_signal: dict[str, float]
    lookback: int
    permutations: int


def test(
    signals: Mapping[str, SignalRows],
    lookbacks: Sequence[int],
    permutations: int,
    seed: int,
    early: int = 0,
) -> PermutationResult:
    """Compares the reference rows, which come first, with the newest of the rows after them.

    Args:
        signals: name -> rows of the signal; all have the same N texts.
        lookbacks: numbers of newest rows to compare, each at least 1, rising; the last covers all
            rows but those of the reference and the early ones.
        permutations: most to compute; the standard error of a p-value p is
            sqrt(p / permutations). A window that clearly shows nothing gets fewer; the level
            stays the same.
        seed: of the permutations: equal windows give equal p-values.
        early: number of rows between the reference and the lookbacks, much older than these. With
            early rows, each lookback is compared with the reference and with reference + early.

    Raises:
        ValueError: no signal.
    """
    import numpy as np

    if not signals:
        raise ValueError("Expected at least one signal to test, got none.")
    generator = np.random.default_rng(seed)
    table = _blocks(signals, lookbacks, early, generator)
    statistics = _statistics(signals, table, table.sample[None], lookbacks)
    weights = np.array([signal.weight for signal in signals.values()])
    result = PermutationResult(1.0, {}, lookbacks[0], 0)
    batch = max(1, _AT_ONCE // (len(table.rows) * len(lookbacks)))
    for total in sorted({min(stage, permutations) for stage in (*_STAGES, permutations)}):
        while (missing := total + 1 - len(statistics)) > 0:
            samples = _permuted_samples(table.sample, min(missing, batch), generator)
            permuted = _statistics(signals, table, samples, lookbacks)
            statistics = np.concatenate([statistics, permuted])
        result = _p_values(statistics, list(signals), weights / weights.sum(), lookbacks)
        if result.p_value * len(statistics) > _BELOW:
            break
    return result


@dataclass(frozen=True)
class _Blocks:
    """Blocks of rows that the test permutes.

    Attributes:
        rows: (M, D) float32, the sums of each block's rows, all signals side by side.
        sample: (M,) uint8, 0 for blocks of the first lookback, 1 for those that the second adds,
            ...; then the early rows, if there are any; the highest number for the reference.
        fixed: (samples, D) sums of the rows of each sample that fill no block. They keep their
            sample.
        total: (D,) sums of all rows.
        logs: x log x of the counts 0, 1, ..., rows.
    """

    rows: Array
    sample: Array
    fixed: Array
    total: Array
    logs: Array


def _blocks(
    signals: Mapping[str, SignalRows], lookbacks: Sequence[int], early: int, generator: Any
) -> _Blocks:
    """Cuts each sample into blocks of equally many rows, drawn at random."""
    import numpy as np
    from scipy.special import xlogy

    rows = len(next(iter(signals.values())).rows)
    old = rows - lookbacks[-1] - early
    size = max(1, min(old, lookbacks[0]) // _BLOCKS)
    edges = [rows, *(rows - lookback for lookback in lookbacks), *([old] if early else []), 0]
    full, fixed, sample = [], [], []
    for i, (end, start) in enumerate(pairwise(edges)):
        # The reference may be sorted: blocks of neighbours would then differ from each other.
        order = start + generator.permutation(end - start)
        cut = (end - start) // size * size
        full.append(order[:cut].reshape(-1, size))
        fixed.append(order[cut:])
        sample.append(np.full(cut // size, i, np.uint8))
    blocks = np.concatenate(full)
    tables = [signal.rows for signal in signals.values()]
    counts = np.arange(rows + 1)
    fixed_sums = [np.stack([table[left].sum(axis=0) for left in fixed]) for table in tables]
    return _Blocks(
        np.hstack([sum(table[block].astype(np.float32) for block in blocks.T) for table in tables]),
        np.concatenate(sample),
        np.hstack(fixed_sums).astype(np.float32),
        np.hstack([table.sum(axis=0, dtype=np.float64) for table in tables]).astype(np.float32),
        xlogy(counts, counts),
    )


def _permuted_samples(sample: Array, count: int, generator: Any) -> Array:
    """Returns (count, M): `sample` in random orders. Sorting random bits is the fastest way."""
    import numpy as np

    keys = generator.integers(0, 2**64, (count, len(sample)), np.uint64)
    keys = keys >> np.uint64(_MARK) << np.uint64(_MARK) | sample
    keys.sort(axis=1)
    return keys.astype(np.uint8)  # type: ignore[no-any-return]


def _statistics(
    signals: Mapping[str, SignalRows], table: _Blocks, samples: Array, lookbacks: Sequence[int]
) -> Array:
    """Computes (B, signals, lookbacks) statistics; with early rows (B, signals, 2 lookbacks).

    Args:
        signals: the columns of `table`, in this order.
        table: blocks of rows.
        samples: (B, M) the sample of each block, in each of B permutations.
        lookbacks: as in `test`.
    """
    import numpy as np

    count = len(table.fixed) - 1  # the reference's sums are the total less all others
    members = (samples[:, None] == np.arange(count, dtype=np.uint8)[:, None]).astype(np.float32)
    sums = (members.reshape(-1, samples.shape[1]) @ table.rows).reshape(len(samples), count, -1)
    sums += table.fixed[:-1]
    new, early = sums[:, : len(lookbacks)], sums[:, len(lookbacks) :]
    for i in range(1, len(lookbacks)):
        new[:, i] += new[:, i - 1]
    others = table.total - new[:, -1:]
    statistics, start = [], 0
    for signal in signals.values():
        end = start + signal.rows.shape[1]
        cells = (..., slice(start, end))
        by_old = [
            _likelihood_ratio(new[cells], old[cells], table.logs)
            if signal.by == "shares"
            else _distance(new[cells], old[cells], signal.by)
            for old in ([others - early, others] if count > len(lookbacks) else [others])
        ]
        statistics.append(np.concatenate(by_old, axis=-1))
        start = end
    return np.stack(statistics, axis=1)


def _likelihood_ratio(new: Array, old: Array, logs: Array) -> Array:
    """Computes the largest binomial log likelihood ratio; (..., 1 + D) sums -> (...)."""
    import numpy as np

    def entropy(sums: Array) -> Array:
        """Computes n log n - k log k - (n - k) log(n - k) for k of n rows."""
        counts = sums.astype(np.intp)
        every, yes = counts[..., :1], counts[..., 1:]
        value = logs.take(every) - logs.take(yes)
        value -= logs.take(every - yes)
        return value

    return (entropy(new + old) - entropy(new) - entropy(old)).max(axis=-1)  # type: ignore[no-any-return]


def _distance(new: Array, old: Array, by: str) -> Array:
    """Computes the squared distance of the means, by "columns" the largest one of a column.

    Both arguments are (..., 1 + D) sums of rows; the result is (...).
    """
    import numpy as np

    gap = new[..., 1:] / np.maximum(new[..., :1], 1) - old[..., 1:] / np.maximum(old[..., :1], 1)
    if by == "columns":
        return np.abs(gap).max(axis=-1).astype(np.float64) ** 2  # type: ignore[no-any-return]
    return np.einsum("...d,...d->...", gap, gap).astype(np.float64)  # type: ignore[no-any-return]


def _p_values(
    statistics: Array, names: list[str], weights: Array, lookbacks: Sequence[int]
) -> PermutationResult:
    """Computes p-values of the first of (permutations + 1, signals, lookbacks) statistics."""
    import numpy as np
    from scipy.special import log_ndtr

    # One scale for all signals: the tail of a gamma distribution by Wilson and Hilferty's cube
    # root, with the statistic's mean and variance over all other permutations. The distribution
    # need not fit, because the permutations calibrate the result.
    others = len(statistics) - 1
    mean = np.maximum((statistics.sum(axis=0) - statistics) / others, _TINY)
    around = (statistics - statistics.mean(axis=0)) ** 2
    spread = (around.sum(axis=0) - around * (others + 1) / others) / others
    flat = np.maximum(spread / (9 * mean**2), _FLAT)
    tails = log_ndtr((1 - flat - np.cbrt(statistics / mean)) / np.sqrt(flat))
    tails -= np.log(weights)[:, None]
    smallest = tails.min(axis=(1, 2))
    # Rounding may separate equal statistics; the tolerance counts these as equal.
    by_signal = {
        name: float((smallest <= tail + 1e-9 * abs(tail)).mean())
        for name, tail in zip(names, tails[0].min(axis=1), strict=True)
    }
    lookback = lookbacks[int(tails[0].min(axis=0).argmin()) % len(lookbacks)]
    return PermutationResult(min(by_signal.values()), by_signal, lookback, others)


def numbers(values: Array, weight: float = 1.0) -> SignalRows:
    """Encodes (N,) float64 numbers, nan where missing, as the questions "at most t?".

    The thresholds t are values of the rows: every value near both ends and ever fewer towards the
    middle, without the largest value. So equal numbers always get equal answers.
    """
    import numpy as np

    present = np.sort(values[~np.isnan(values)])
    ranks = np.geomspace(1, max(len(present) / 2, 1), _QUESTIONS).astype(int)
    thresholds = np.unique(present[np.concatenate([ranks - 1, len(present) - 1 - ranks]).clip(0)])
    answers = values[:, None] <= thresholds[thresholds < present[-1]]
    return _signal(answers, ~np.isnan(values), "shares", weight)


def labels(values: Sequence[str | None], weight: float = 1.0) -> SignalRows:
    """Encodes N labels, None where missing, as the questions "is it c?" for each label c."""
    import numpy as np

    names = sorted({label for label in values if label is not None})
    column = np.array(values, object)
    answers = column[:, None] == np.array(names, object)
    present = np.array([label is not None for label in values])
    return _signal(answers, present, "shares", weight)


def means(vectors: Array, weight: float = 1.0) -> SignalRows:
    """Encodes (N, D) vectors for the distance of the means; a row with a nan has no value."""
    import numpy as np

    present = ~np.isnan(vectors.sum(axis=1))  # faster than isnan of each cell
    return _signal(vectors, present, "means", weight)


def columns(vectors: Array, weight: float = 1.0) -> SignalRows:
    """Encodes (N, D) vectors for the largest distance of a column; rows with a nan are empty."""
    import numpy as np

    present = ~np.isnan(vectors.sum(axis=1))
    spread = vectors[present].std(axis=0) if present.any() else np.ones(vectors.shape[1])
    return _signal(vectors / np.where(spread > 0, spread, 1), present, "columns", weight)


def _signal(
    rows: Array, present: Array, by: Literal["shares", "means", "columns"], weight: float
) -> SignalRows:
    import numpy as np

    kind = np.uint8 if by == "shares" else np.float32
    cells = np.empty((len(rows), 1 + rows.shape[1]), kind)
    cells[:, 0], cells[:, 1:] = present, rows
    cells[~present] = 0
    return SignalRows(cells, by, weight)


def random_features(vectors: Array) -> Array:
    """Computes (N, 2 * _FREQUENCIES) random Fourier features (Rahimi and Recht).

    The inner product of two rows approximates the Gaussian kernel. The kernel's width is the median
    distance of the vectors (Gretton and others).

    Args:
        vectors: (N, D); nan where there is no value.
    """
    import numpy as np
    from scipy.spatial.distance import pdist

    generator = np.random.default_rng(_SEED)
    complete = vectors[~np.isnan(vectors).any(axis=1)]
    drawn = complete[generator.permutation(len(complete))[:_WIDTH_ROWS]]
    width = np.median(pdist(drawn, "sqeuclidean")) if len(drawn) > 1 else 1.0
    frequencies = generator.normal(size=(vectors.shape[1], _FREQUENCIES)) * math.sqrt(
        2 / (width or 1.0)
    )
    phase = vectors.astype(np.float32) @ frequencies.astype(np.float32)
    return np.hstack([np.cos(phase), np.sin(phase)]) / math.sqrt(_FREQUENCIES)


def permutations_for(level: float) -> int:
    """Computes the number of permutations that can tell a p-value of `level` from a larger one.

    On average _BELOW permutations fall below the level by chance. Any number keeps the level, but
    fewer permutations find less drift.
    """
    return math.ceil(_BELOW / level) - 1
