"""Do two samples come from one distribution? Permutations answer, for all signals together.

Each signal gets a statistic that is large where the samples differ:

    numbers   the largest distance of the two distribution functions (Kolmogorov, Smirnov)
    labels    chi-square of homogeneity
    words     how well a nearest-mean classifier tells the samples' texts apart, on texts that it
              did not learn from: the domain classifier

Then the rows are dealt anew to two samples of the same sizes, again and again, and all statistics
computed again. A p-value is the share of deals that look at least as different in any signal. So
it is calibrated at the window's own size, is right for ties and rare labels, and all signals
together keep the level, however they hang together: no Bonferroni.

Sources: Fisher, "The Design of Experiments" (1935); Westfall and Young, "Resampling-Based Multiple
Testing" (1993), single-step minP; Phipson and Smyth, "Permutation P-values should never be zero"
(2010); Gretton and others, "A kernel two-sample test" (2012), for the distance of means.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

# (B, N) bool, true where a row is dealt to the window -> (B,) statistics, large where they differ
Statistic = Callable[["Array"], "Array"]
_FIRST = 199  # deals after which most windows without drift can be let go
_BELOW = 10  # deals that are as different as the level allows, on average
_HOPELESS = 0.1  # p-value from which on the other deals are not made
_AT_ONCE = 2_000_000  # cells of the table of deals, for memory


@dataclass(frozen=True)
class Found:
    """What the permutations say.

    Attributes:
        p_value: that nothing has moved, over all signals; at least 1 / (deals + 1).
        by_signal: the same for each signal, corrected for the number of signals.
        deals: how many were made.
    """

    p_value: float
    by_signal: dict[str, float]
    deals: int


def test(statistics: Mapping[str, Statistic], old: int, new: int, deals: int, seed: int) -> Found:
    """Compares `old` reference rows, which come first, with `new` rows of the window.

    Args:
        statistics: of each signal, over the same old + new rows.
        old, new: rows of either sample, at least 1.
        deals: permutations; the p-value's standard error at p is sqrt(p / deals). Windows that
            clearly show nothing get fewer.
        seed: of the permutations: equal windows give equal p-values.

    Raises:
        ValueError: no signal.
    """
    import numpy as np

    if not statistics:
        raise ValueError("Expected at least one signal to test, got none.")
    generator = np.random.default_rng(seed)
    truth = np.zeros((1, old + new), bool)
    truth[0, old:] = True
    seen = np.stack([statistic(truth) for statistic in statistics.values()], axis=1)
    found = Found(1.0, {}, 0)
    for total in sorted({min(_FIRST, deals), deals}):
        seen = np.vstack([seen, *_dealt(statistics, old, new, total + 1 - len(seen), generator)])
        found = _judged(seen, list(statistics))
        if found.p_value > _HOPELESS:
            break
    return found


def _dealt(
    statistics: Mapping[str, Statistic], old: int, new: int, deals: int, generator: Any
) -> list[Array]:
    """The statistics of `deals` permutations, in parts of (b, signals)."""
    import numpy as np

    parts = []
    together = max(1, _AT_ONCE // (old + new))
    for start in range(0, deals, together):
        count = min(together, deals - start)
        order = generator.random((count, old + new), dtype=np.float32)
        chosen = np.argpartition(order, new - 1, axis=1)[:, :new]
        sides = np.zeros((count, old + new), bool)
        np.put_along_axis(sides, chosen, True, axis=1)
        parts.append(np.stack([one(sides) for one in statistics.values()], axis=1))
    return parts


def _judged(seen: Array, names: list[str]) -> Found:
    """p-values of the first row of (deals + 1, signals) statistics."""
    import numpy as np
    from scipy.stats import gamma

    # One scale for all signals: the tail of a gamma distribution with the mean and variance of a
    # signal's statistics. It need not fit: the deals calibrate whatever it says.
    spread = np.maximum(seen.std(axis=0), np.finfo(float).tiny)
    mean = np.maximum(seen.mean(axis=0), np.finfo(float).tiny)
    tails = gamma.logsf(seen, (mean / spread) ** 2, scale=spread**2 / mean)
    least = tails.min(axis=1)
    # Rounding may tell equal statistics apart; what is equal counts against a finding.
    by_signal = {name: float((least <= tails[0, i] + 1e-9).mean()) for i, name in enumerate(names)}
    return Found(min(by_signal.values()), by_signal, len(seen) - 1)


def numbers(values: Array) -> Statistic:
    """The squared Kolmogorov-Smirnov distance of (N,) numbers, times the samples' sizes."""
    import numpy as np

    order = np.argsort(values, kind="stable")
    ranked = values[order]
    last = np.append(ranked[1:] != ranked[:-1], True)  # only between values, so ties are right
    rank = np.arange(1, len(values) + 1, dtype=np.float32)[last]

    def statistic(sides: Array) -> Array:
        new, old = _sizes(sides)
        below = np.cumsum(sides[:, order], axis=1, dtype=np.float32)[:, last]
        distance = np.abs(below * (1 / new + 1 / old) - rank / old).max(axis=1)
        return distance.astype(np.float64) ** 2 * (new * old)[:, 0] / len(values)  # type: ignore[no-any-return]

    return statistic


def labels(values: Array) -> Statistic:
    """Chi-square of homogeneity of (N,) labels."""
    import numpy as np

    _, codes = np.unique(values, return_inverse=True)
    table = np.eye(codes.max() + 1, dtype=np.float32)[codes]  # (N, labels)
    share = table.mean(axis=0, dtype=np.float64)

    def statistic(sides: Array) -> Array:
        new, old = _sizes(sides)
        counts = sides.astype(np.float32) @ table
        over = ((counts - share * new) ** 2 / (share * new)).sum(axis=1)
        return over * len(values) / old[:, 0]  # type: ignore[no-any-return]

    return statistic


def where(present: Array, statistic: Statistic) -> Statistic:
    """`statistic` of those rows only where (N,) `present` is true; the others have no value."""
    return statistic if present.all() else lambda sides: statistic(sides[:, present])


def _sizes(sides: Array) -> tuple[Array, Array]:
    """(B, 1) float32 rows of the window and of the reference, at least 1 each."""
    import numpy as np

    new = sides.sum(axis=1, keepdims=True, dtype=np.float32)
    return np.maximum(new, 1), np.maximum(sides.shape[1] - new, 1)


def likeness(sketches: Sequence[Sequence[int]], buckets: int) -> Array:
    """(N, N) float32 cosines of the texts' words, rare words weighing more (inverse frequency)."""
    import numpy as np

    held = np.zeros((len(sketches), buckets), np.float32)
    for row, one in zip(held, sketches, strict=True):
        row[one] = 1
    held = held[:, held.any(axis=0)]
    share = held.mean(axis=0)
    held *= -np.log(share)  # a word of all texts weighs nothing
    length = np.linalg.norm(held, axis=1, keepdims=True)
    held /= np.maximum(length, np.finfo(np.float32).tiny)
    return held @ held.T


def margin(alike: Array) -> Statistic:
    """The mean margin of the nearest-mean classifier that tells window from reference.

    A text is judged by the means of the other texts only (leave one out). The mean margin is then
    the unbiased squared distance of the two means, so that deals need no new training.

    Args:
        alike: (N, N) of `likeness`.
    """
    import numpy as np

    own = np.diagonal(alike).astype(np.float64)
    every = alike.sum(dtype=np.float64)

    def statistic(sides: Array) -> Array:
        new = sides[0].sum()
        old = len(alike) - new
        dealt = sides.astype(np.float32)
        row = dealt @ alike  # (B, N)
        inside = (row * dealt).sum(axis=1, dtype=np.float64)
        across = row.sum(axis=1, dtype=np.float64) - inside
        outside = every - inside - 2 * across
        own_new = dealt @ own
        pairs = (max(n * (n - 1), 1) for n in (new, old))
        margin = (inside - own_new) / next(pairs) + (outside - own.sum() + own_new) / next(pairs)
        # Negative where it does worse than guessing, which is no evidence.
        return np.maximum(margin - 2 * across / (new * old), 0.0)  # type: ignore[no-any-return]

    return statistic


def separability(alike: Array, old: int) -> tuple[float, Array]:
    """How well the nearest-mean classifier tells window from reference, leave one out.

    Args:
        alike: of `likeness`, the reference's texts first.
        old: how many those are; at least 2, as of the others.

    Returns:
        Area under its ROC curve, one half where it guesses; and how much nearer each text of the
        window is to the window than to the reference, (N - old,).
    """
    import numpy as np
    from scipy.stats import rankdata

    own = np.diagonal(alike)
    new = np.arange(len(alike)) >= old
    to_new, to_old = (
        (alike[:, side].sum(axis=1) - own * side) / (side.sum() - side) for side in (new, ~new)
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
