"""Drift: does a window look as the bundle's reference does?

All signals are tested together by permutations (monitoring/permutation.py); Evidently draws them
(monitoring/evidently_page.py). A p-value is of a window without drift, over all signals: the chance
that any of them looks at least as different as this one does.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from components.core.params import Monitor
from components.core.reference import BUCKETS, LANGUAGE
from monitoring import evidently_page, permutation
from monitoring.governor import Verdict

NUMBERS, LABELS, WORDS = "Kolmogorov-Smirnov", "chi-square of homogeneity", "domain classifier"
SAME = "the same in every row"  # not a test
_UNLIKE = 20  # texts that are kept as examples; some may be equal
_SEED = 31  # of the permutations: equal windows give equal p-values


@dataclass(frozen=True)
class Signal:
    """What was found about one signal.

    Attributes:
        name: column of the reference.
        method: its statistic; None where it could not be tested.
        p_value: in [0, 1], over all signals; None where it could not be tested.
        threshold: p-value at and below which it has drifted.
        drifted: None for "cannot say".
        reason: why it cannot be said; empty otherwise.
    """

    name: str
    method: str | None
    p_value: float | None
    threshold: float
    drifted: bool | None
    reason: str = ""


@dataclass(frozen=True)
class Drift:
    """What was found about a window.

    Attributes:
        verdict: drift if any signal has drifted; else "cannot say" if any could not be tested.
        signals: one each column of reference and window; empty if the window is too small.
        level: false alarms that this judgement was allowed, in [0, 1).
        separability: area under the ROC curve of the domain classifier; None without sketches.
        unlike: numbers of the window's texts that are least like the reference, the first first.
        page: Evidently's HTML; None if no signal could be tested.
        evidently: its results as plain values; None likewise.
    """

    verdict: Verdict
    signals: tuple[Signal, ...] = ()
    level: float = 0.0
    separability: float | None = None
    unlike: tuple[int, ...] = ()
    page: str | None = field(default=None, repr=False)
    evidently: dict[str, Any] | None = field(default=None, repr=False)


def judge(
    reference: pl.DataFrame,
    window: pl.DataFrame,
    settings: Monitor,
    rows: int | None = None,
    level: float | None = None,
    *,
    draw: bool = True,
) -> Drift:
    """Compares a window with the reference, signal by signal.

    Args:
        reference: of the bundle; strings are tested as labels, lists as sketches of words,
            everything else as numbers.
        window: the same columns; one that is absent or empty cannot be tested, and is shown.
        settings: `min_rows` of the window; `false_alarm_rate` in (0, 1) of a window without drift
            over all signals together.
        rows: of the window, where its signals were not computed because they are too few.
        level: instead of `false_alarm_rate`, where less is left of the day's budget.
        draw: whether Evidently draws a page, which takes a second.
    """
    rows = window.height if rows is None else rows
    level = settings.false_alarm_rate if level is None else level
    if rows < settings.min_rows:
        return Drift(too_few(rows, settings))
    names = list(dict.fromkeys([*reference.columns, *window.columns]))
    obstacles = {
        name: _obstacle(name, reference, window, settings.min_rows, level) for name in names
    }
    still = [name for name in names if obstacles[name] == SAME]
    testable = [name for name in names if obstacles[name] is None]
    p_values, separability, unlike = _tested(reference, window, testable, level)
    p_values |= dict.fromkeys(still, 1.0)
    signals = tuple(
        _signal(name, reference, window, p_values[name], level)
        if name in p_values
        else Signal(name, None, None, level, None, obstacles[name] or "")
        for name in names
    )
    page, results = (
        evidently_page.draw(
            _clean(reference.select(testable)),
            _clean(window.select(testable)),
            {signal.name: (signal.method or "", signal.p_value, level) for signal in signals},
        )
        if draw and testable
        else (None, None)
    )
    return Drift(
        _verdict(signals, reference, window), signals, level, separability, unlike, page, results
    )


def too_few(rows: int, settings: Monitor) -> Verdict:
    few = f"{rows} predictions wait, and {settings.min_rows} are needed to judge."
    return Verdict("cannot say", (few,))


def _tested(
    reference: pl.DataFrame, window: pl.DataFrame, names: Sequence[str], level: float
) -> tuple[dict[str, float], float | None, tuple[int, ...]]:
    """p-values of the signals; how well the words tell the samples apart, and `unlike`."""
    statistics: dict[str, permutation.Statistic] = {}
    separability: float | None = None
    unlike: tuple[int, ...] = ()
    for name in names:
        both = [_clean(table.select(name))[name] for table in (reference, window)]
        column = pl.concat(both)
        if isinstance(column.dtype, pl.List):
            alike = permutation.likeness(column.to_list(), BUCKETS)
            statistics[name] = permutation.margin(alike)
            separability, lean = permutation.separability(alike, reference.height)
            unlike = tuple(lean.argsort()[::-1][:_UNLIKE].tolist())
            continue
        test = permutation.labels if column.dtype == pl.String else permutation.numbers
        present = column.is_not_null().to_numpy()
        statistics[name] = permutation.where(present, test(column.drop_nulls().to_numpy()))
    if not statistics:
        return {}, None, ()
    found = permutation.test(
        statistics, reference.height, window.height, permutation.deals_for(level), _SEED
    )
    return found.by_signal, separability, unlike


def _obstacle(
    name: str, reference: pl.DataFrame, window: pl.DataFrame, min_rows: int, level: float
) -> str | None:
    """Why a signal cannot be tested, or need not be (SAME); None if it can."""
    for table, where in ((reference, "the reference"), (window, "the window")):
        if name not in table.columns:
            return f"{where} does not have it"
    if _kind(reference[name]) != _kind(window[name]):
        return f"it is {reference[name].dtype} in the reference, {window[name].dtype} in the window"
    old, new = (_clean(table.select(name))[name].drop_nulls() for table in (reference, window))
    if len(new) < min_rows:
        missing = window.height - len(new)
        return f"{missing} of {window.height} values in the window are missing"
    # Fewer ways to deal the rows than that give no p-value so small.
    if math.comb(len(old) + len(new), len(old)) < 1 / level:
        return f"the reference has {len(old)} values, too few for a p-value below {level:.2g}"
    if (
        _kind(old) != WORDS
        and old.n_unique() == 1
        and old.unique().to_list() == new.unique().to_list()
    ):
        # All texts in one language is how it should be; a model that always says one thing is not.
        same = f"it is {old[0]} in every row of reference and window"
        return SAME if name == LANGUAGE else same
    return None


def _signal(
    name: str, reference: pl.DataFrame, window: pl.DataFrame, p_value: float, level: float
) -> Signal:
    method = _kind(reference[name])
    drifted = p_value <= level
    missing = sum(
        int(_clean(table.select(name))[name].null_count()) for table in (reference, window)
    )
    if missing and not drifted:
        # Missing values do not hide drift in the others, nor do they count as a pass.
        reason = f"{missing} values are missing; the others show no drift"
        return Signal(name, method, p_value, level, None, reason)
    return Signal(name, method, p_value, level, drifted)


def _verdict(signals: tuple[Signal, ...], reference: pl.DataFrame, window: pl.DataFrame) -> Verdict:
    drifted = [signal for signal in signals if signal.drifted]
    untested = [signal for signal in signals if signal.drifted is None]
    shown = []
    if drifted:
        names = ", ".join(f"{signal.name} (p = {signal.p_value:.2g})" for signal in drifted)
        shown = [
            f"{len(drifted)} of {len(signals)} signals drifted in {window.height} predictions: "
            f"{names}; a p-value at or below {drifted[0].threshold:.2g} counts."
        ]
    shown += [f"{signal.name} cannot be tested: {signal.reason}." for signal in untested]
    if drifted:
        return Verdict("drift", tuple(shown))
    if untested:
        return Verdict("cannot say", tuple(shown))
    least = min(signals, key=lambda signal: signal.p_value or 0.0)
    return Verdict(
        "none",
        (
            f"None of {len(signals)} signals has drifted between {reference.height} reference rows "
            f"and {window.height} predictions; the least p-value is {least.p_value:.2g} "
            f"({least.name}), above {least.threshold:.2g}.",
        ),
    )


def _kind(column: pl.Series) -> str:
    """The statistic for a column: WORDS, LABELS or NUMBERS."""
    if isinstance(column.dtype, pl.List):
        return WORDS
    return LABELS if column.dtype in (pl.String, pl.Categorical, pl.Enum) else NUMBERS


def _clean(table: pl.DataFrame) -> pl.DataFrame:
    """`table` with labels as strings and numbers as float64, null where not finite; lists as are.

    float32 becomes float64 on both sides in the same way, so that ties stay ties.
    """
    cleaned: dict[str, Callable[[str], pl.Expr]] = {
        WORDS: pl.col,
        LABELS: lambda name: pl.col(name).cast(pl.String),
        NUMBERS: _finite,
    }
    return table.select(cleaned[_kind(table[name])](name) for name in table.columns)


def _finite(name: str) -> pl.Expr:
    number = pl.col(name).cast(pl.Float64, strict=False)
    return pl.when(number.is_finite()).then(number).alias(name)
