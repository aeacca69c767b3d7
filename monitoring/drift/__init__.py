"""Drift: do the newest predictions look as the bundle's reference does?

All signals are tested together by permutations (permutation.py); Evidently draws them
(evidently.py). A p-value is of a window without drift, over all signals: the chance
that any of them looks at least as different as this one does.

Small drift shows in many windows only. So the test also looks back at what came before the window:
at four times as many predictions, at sixteen times, ..., at all that there are. These are compared
with the reference, and with it and the champion's first traffic together. The p-value is over all.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from components.core.bundle.reference import LANGUAGE, PROBABILITIES, SKETCH
from components.core.params import Monitor
from monitoring.drift import (
    evidently as evidently_page,
)
from monitoring.drift import (
    permutation,
    word_features,
)
from monitoring.governor import WindowVerdict

NUMBERS, LABELS = "likelihood-ratio Kolmogorov-Smirnov", "likelihood ratio of a label"
WORDS, VECTORS = "domain classifier", "maximum mean discrepancy"
EXPECTED = "expected share of a class"
SAME = "the same in every row"  # not a test
TOGETHER = "features"  # the signal of all FEATURE columns as one vector
_FEATURE = "feature_"
# Shares of the level. What sees many kinds of drift, or its own kind first, gets more; the others
# (1 each) say what moved.
_WEIGHTS = {TOGETHER: 8.0, PROBABILITIES: 8.0, "unknown_share": 8.0, SKETCH: 4.0}
_WIDER = 4  # times as many predictions in each further look back
_MOST = 4  # times the reference's rows that are looked at; 4/5 of the variance is then its own
_NEW = 1.5  # times the rows of the look before that the last look needs to say anything new
_FEW = 2  # texts, of which nothing can be told apart
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
        signals: one each column of reference and window, and TOGETHER where there are several
            features; empty if the window is too small.
        level: false alarms that this judgement was allowed, in [0, 1).
        rows: newest predictions of the look in which the drift is clearest; the window's without.
        separability: area under the ROC curve of the domain classifier; None without sketches.
        unlike: numbers of those rows' texts that are least like the reference, the first first.
        page: Evidently's HTML; None if no signal could be tested.
        evidently: its results as plain values; None likewise.
    """

    verdict: WindowVerdict
    signals: tuple[Signal, ...] = ()
    level: float = 0.0
    rows: int = 0
    separability: float | None = None
    unlike: tuple[int, ...] = ()
    page: str | None = field(default=None, repr=False)
    evidently: dict[str, Any] | None = field(default=None, repr=False)


def judge(
    reference: pl.DataFrame,
    window: pl.DataFrame,
    settings: Monitor,
    older: pl.DataFrame | None = None,
    level: float | None = None,
    *,
    early: pl.DataFrame | None = None,
    rows: int | None = None,
    draw: bool = True,
) -> Drift:
    """Compares a window, and what came before it, with the reference, signal by signal.

    Args:
        reference: of the bundle; strings are tested as labels, lists of whole numbers as sketches
            of words, other lists as probabilities of classes, everything else as numbers.
        window: the same columns; one that is absent or empty cannot be tested, and is shown.
        settings: `min_rows` of the window; `false_alarm_rate` in (0, 1) of a window without drift
            over all signals and looks together.
        older: the predictions before the window that have shown nothing, the oldest first, with
            the window's columns; None: the window is judged by itself.
        level: instead of `false_alarm_rate`, where less is left of the day's budget.
        early: predictions long before these, with the window's columns: where one looks back, what
            is new is compared with the reference, and with both together.
        rows: of the window, where its signals were not computed because they are too few.
        draw: whether Evidently draws a page, which takes a second, and texts are found that are
            `unlike`.
    """
    rows = window.height if rows is None else rows
    level = settings.false_alarm_rate if level is None else level
    if rows < settings.min_rows:
        return Drift(too_few(rows, settings))
    names = list(dict.fromkeys([*reference.columns, *window.columns]))
    obstacles = {name: _incomparable(name, reference, window) for name in names}
    common = [name for name in names if obstacles[name] is None]
    known, newest = _clean(reference.select(common)), _clean(window.select(common))
    obstacles |= {
        name: _obstacle(known[name], newest[name], settings.min_rows, level) for name in common
    }
    still = [name for name in names if obstacles[name] == SAME]
    testable = [name for name in names if obstacles[name] is None]
    before = look_back(reference.height, window.height)
    sizes = looks(window.height, min(older.height, before) if older is not None else 0)
    known, newest = known.select(testable), newest.select(testable)
    long_ago = newest.clear()
    if older is not None and len(sizes) > 1:
        back = older.tail(sizes[-1] - window.height)
        newest = pl.concat([_clean(back.select(testable)), newest])
        if early is not None:
            long_ago = _clean(early.select(testable))
    p_values, seen = _tested(known, long_ago, newest, sizes, level)
    p_values |= dict.fromkeys(still, 1.0)
    names += [TOGETHER] * (TOGETHER in p_values)
    signals = tuple(
        _signal(name, known, newest, p_values[name], level)
        if name in p_values
        else Signal(name, None, None, level, None, obstacles[name] or "")
        for name in names
    )
    verdict = _verdict(signals, reference.height, window.height, seen)
    seen = seen if verdict.finding == "drift" else window.height
    shown = newest.tail(seen)
    separability, unlike = _told_apart(known, shown) if draw else (None, ())
    page, results = (
        evidently_page.draw(
            known,
            shown,
            {
                one.name: (one.method or "", one.p_value, level)
                for one in signals
                if one.name in p_values and one.name not in still
            },
        )
        if draw and testable
        else (None, None)
    )
    return Drift(verdict, signals, level, seen, separability, unlike, page, results)


def look_back(reference: int, window: int) -> int:
    """Most predictions before a window that are worth looking back at.

    More of them tell little: what is not known of the reference is not known better by them.
    """
    return max(_MOST * reference - window, 0)


def looks(window: int, older: int) -> list[int]:
    """How many of the newest predictions each look takes, rising.

    >>> looks(100, 0), looks(100, 200), looks(100, 400), looks(100, 2400)
    ([100], [100, 300], [100, 500], [100, 400, 1600, 2500])
    """
    every, sizes = window + older, [window]
    while sizes[-1] * _WIDER <= every:
        sizes.append(sizes[-1] * _WIDER)
    if every >= _NEW * sizes[-1]:
        return [*sizes, every]
    return [*sizes[:-1], every] if len(sizes) > 1 else sizes


def too_few(rows: int, settings: Monitor) -> WindowVerdict:
    few = f"{rows} predictions wait, and {settings.min_rows} are needed to judge."
    return WindowVerdict("cannot say", (few,))


def _tested(
    reference: pl.DataFrame, early: pl.DataFrame, newest: pl.DataFrame, sizes: Sequence[int],
    level: float,
) -> tuple[dict[str, float], int]:  # fmt: skip
    """p-values of the signals, and the rows of the look that differs most; cleaned tables."""
    both = pl.concat([reference, early, newest])
    signals: dict[str, permutation.SignalRows] = {}
    for column in both:
        name, weight = column.name, _WEIGHTS.get(column.name, 1.0)
        kind = _kind(column)
        if kind == WORDS:
            signals[name] = permutation.means(_weighed(column), weight)
        elif kind == EXPECTED:
            signals[name] = permutation.columns(_vectors(column), weight)
        elif kind == LABELS:
            signals[name] = permutation.labels(column.to_list(), weight)
        else:
            signals[name] = permutation.numbers(column.to_numpy(), weight)
    features = [name for name in both.columns if name.startswith(_FEATURE)]
    if len(features) > 1:
        random_features = permutation.random_features(both.select(features).to_numpy())
        signals[TOGETHER] = permutation.means(random_features, _WEIGHTS[TOGETHER])
    if not signals:
        return {}, sizes[0]
    permutations = permutation.permutations_for(level)
    result = permutation.test(signals, sizes, permutations, _SEED, early.height)
    return result.by_signal, result.lookback


def _weighed(sketches: pl.Series) -> Any:
    """(N, D) as word_vectors.weighed has it; a text without a sketch has no words."""
    buckets = sketches.explode().drop_nulls().to_numpy().astype(int)
    return word_features.weighed(buckets, sketches.list.len().fill_null(0).to_numpy())


def _vectors(lists: pl.Series) -> Any:
    """(N, C) float64 of lists of C numbers; nan where there is no list."""
    import numpy as np

    rows = lists.to_list()
    nothing = [math.nan] * max(len(row) for row in rows if row is not None)
    return np.array([nothing if row is None else row for row in rows], np.float64)


def _told_apart(
    reference: pl.DataFrame, shown: pl.DataFrame
) -> tuple[float | None, tuple[int, ...]]:
    """How well the words tell the samples apart, and `unlike`; nothing without sketches."""
    if SKETCH not in reference.columns or shown.height < _FEW or reference.height < _FEW:
        return None, ()
    both = pl.concat([reference[SKETCH], shown[SKETCH]])
    vectors = _weighed(both)
    separability, lean = word_features.separability(vectors, reference.height)
    return separability, tuple(lean.argsort()[::-1][:_UNLIKE].tolist())


def _incomparable(name: str, reference: pl.DataFrame, window: pl.DataFrame) -> str | None:
    """Why a signal cannot be compared; None if it can."""
    for table, where in ((reference, "the reference"), (window, "the window")):
        if name not in table.columns:
            return f"{where} does not have it"
    if _kind(reference[name]) != _kind(window[name]):
        return f"it is {reference[name].dtype} in the reference, {window[name].dtype} in the window"
    return None


def _obstacle(old: pl.Series, new: pl.Series, min_rows: int, level: float) -> str | None:
    """Why a signal cannot be tested, or need not be (SAME); None if it can; cleaned columns."""
    missing, known = new.null_count(), len(old) - old.null_count()
    if len(new) - missing < min_rows:
        return f"{missing} of {len(new)} values in the window are missing"
    # Fewer ways to deal the rows than that give no p-value so small.
    if math.comb(known + len(new) - missing, known) < 1 / level:
        return f"the reference has {known} values, too few for a p-value below {level:.2g}"
    listed = isinstance(old.dtype, pl.List)
    if not listed and (only := old.min()) == old.max() == new.min() == new.max():
        # All texts in one language is how it should be; a model that always says one thing is not.
        same = f"it is {only!s} in every row of reference and window"
        return SAME if old.name == LANGUAGE else same
    return None


def _signal(
    name: str, reference: pl.DataFrame, newest: pl.DataFrame, p_value: float, level: float
) -> Signal:
    """A signal that was tested, from cleaned tables."""
    drifted = p_value <= level
    if name == TOGETHER:
        return Signal(name, VECTORS, p_value, level, drifted)
    method = _kind(reference[name]) if name in reference.columns else LABELS
    missing = sum(
        table[name].null_count() for table in (reference, newest) if name in table.columns
    )
    if missing and not drifted:
        # Missing values do not hide drift in the others, nor do they count as a pass.
        reason = f"{missing} values are missing; the others show no drift"
        return Signal(name, method, p_value, level, None, reason)
    return Signal(name, method, p_value, level, drifted)


def _verdict(signals: tuple[Signal, ...], known: int, window: int, seen: int) -> WindowVerdict:
    drifted = [signal for signal in signals if signal.drifted]
    untested = [signal for signal in signals if signal.drifted is None]
    shown = []
    if drifted:
        names = ", ".join(f"{signal.name} (p = {signal.p_value:.2g})" for signal in drifted)
        if seen > window:
            shown.append(f"Of the last {seen} predictions together:")
        shown.append(
            f"{len(drifted)} of {len(signals)} signals drifted in {seen} predictions: "
            f"{names}; a p-value at or below {drifted[0].threshold:.2g} counts."
        )
    shown += [f"{signal.name} cannot be tested: {signal.reason}." for signal in untested]
    if drifted:
        return WindowVerdict("drift", tuple(shown))
    if untested:
        return WindowVerdict("cannot say", tuple(shown))
    least = min(signals, key=lambda signal: signal.p_value or 0.0)
    return WindowVerdict(
        "none",
        (
            f"None of {len(signals)} signals has drifted between {known} reference rows "
            f"and {window} predictions; the least p-value is {least.p_value:.2g} "
            f"({least.name}), above {least.threshold:.2g}.",
        ),
    )


def _kind(column: pl.Series) -> str:
    """The statistic for a column: WORDS, EXPECTED, LABELS or NUMBERS."""
    if isinstance(column.dtype, pl.List):
        return EXPECTED if column.dtype.inner in (pl.Float32, pl.Float64) else WORDS
    return LABELS if column.dtype in (pl.String, pl.Categorical, pl.Enum) else NUMBERS


def _clean(table: pl.DataFrame) -> pl.DataFrame:
    """`table` with labels as strings and numbers as float64, null where not finite; lists as are.

    float32 becomes float64 on both sides in the same way, so that ties stay ties.
    """
    cleaned: dict[str, Callable[[str], pl.Expr]] = {
        WORDS: pl.col,
        EXPECTED: lambda name: pl.col(name).cast(pl.List(pl.Float64)),
        LABELS: lambda name: pl.col(name).cast(pl.String),
        NUMBERS: _finite,
    }
    return table.select(cleaned[_kind(table[name])](name) for name in table.columns)


def _finite(name: str) -> pl.Expr:
    number = pl.col(name).cast(pl.Float64, strict=False)
    return pl.when(number.is_finite()).then(number).alias(name)
