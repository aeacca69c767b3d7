"""Drift: compares the newest predictions with the bundle's reference.

One permutation test covers all signals (permutation.py); Evidently draws them (evidently.py). A
p-value is the chance, without drift, that any signal differs at least as much as this one.

Small drift needs more rows than one window has. So the test also has lookbacks: four times as many
predictions, sixteen times, ..., up to all. Each lookback is compared with the reference, and with
the reference and the champion's first traffic together. The p-value covers all comparisons.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from components.core.bundle.reference import LANGUAGE, PROBABILITIES, SKETCH
from components.core.ledger.verdicts import WindowFinding
from components.core.params import Monitor
from monitoring import signal_names
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
# Relative shares of the level. Signals that are sensitive to many kinds of drift, or first to one
# kind, get more. The other signals (weight 1) show what moved.
_WEIGHTS = {TOGETHER: 8.0, PROBABILITIES: 8.0, "unknown_share": 8.0, SKETCH: 4.0}
_WIDER = 4  # factor between the sizes of two lookbacks
_MOST = 4  # times the reference's rows in all lookbacks; the reference is then 4/5 of the variance
_NEW = 1.5  # least factor between the last lookback and the one before
_FEW = 2  # least texts of a sample for the domain classifier
_UNLIKE = 20  # example texts; some may be equal
_SEED = 31  # of the permutations: equal windows give equal p-values


@dataclass(frozen=True)
class Signal:
    """Result of the test for one signal.

    Attributes:
        name: column of the reference.
        method: name of the statistic; None for a signal that could not be tested.
        p_value: in [0, 1], over all signals; None likewise.
        threshold: largest p-value that counts as drift.
        drifted: None for "cannot say".
        reason: obstacle to the test; empty without one.
    """

    name: str
    method: str | None
    p_value: float | None
    threshold: float
    drifted: bool | None
    reason: str = ""


@dataclass(frozen=True)
class Drift:
    """Result of the drift test for a window.

    Attributes:
        verdict: drift if any signal has drifted; else "cannot say" if any could not be tested.
        signals: one for each column of reference and window, and TOGETHER if there are several
            features; empty if the window is too small.
        level: false alarm rate of this test, in [0, 1).
        rows: newest predictions of the lookback with the clearest drift; else the window's.
        separability: area under the ROC curve of the domain classifier; None without sketches.
        unlike: indices of the texts least like the reference among these rows, the clearest first.
        page: Evidently's HTML; None if no signal could be tested.
        evidently: results of Evidently as plain values; None likewise.
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
    """Compares a window and the predictions before it with the reference, signal by signal.

    Args:
        reference: of the bundle; strings are labels, lists of integers are sketches of words, other
            lists are probabilities of classes, all other columns are numbers.
        window: the same columns; an absent or empty column is shown as untestable.
        settings: `min_rows` of the window; `false_alarm_rate` in (0, 1) of a window without drift,
            over all signals and lookbacks together.
        older: predictions before the window and after the last drift, the oldest first, with the
            window's columns; None tests the window alone.
        level: false alarm rate, by default `false_alarm_rate`; less when the day's budget is low.
        early: much older predictions with the window's columns. Lookbacks are also compared with
            the reference and these together.
        rows: size of a window that is too small to have signals.
        draw: True computes Evidently's page, which takes a second, and `separability` and `unlike`.
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
    sizes = lookbacks(window.height, min(older.height, before) if older is not None else 0)
    known, newest = known.select(testable), newest.select(testable)
    long_ago = newest.clear()
    if older is not None and len(sizes) > 1:
        back = older.tail(sizes[-1] - window.height)
        newest = pl.concat([_clean(back.select(testable)), newest])
        if early is not None:
            long_ago = _clean(early.select(testable))
    p_values, drifted_rows = _tested(known, long_ago, newest, sizes, level)
    p_values |= dict.fromkeys(still, 1.0)
    names += [TOGETHER] * (TOGETHER in p_values)
    signals = tuple(
        _signal(name, known, newest, p_values[name], level)
        if name in p_values
        else Signal(name, None, None, level, None, obstacles[name] or "")
        for name in names
    )
    verdict = _verdict(signals, reference.height, window.height, drifted_rows)
    rows = drifted_rows if verdict.finding == WindowFinding.DRIFT else window.height
    shown = newest.tail(rows)
    separability, unlike = _told_apart(known, shown) if draw else (None, ())
    page, results = (
        evidently_page.draw(
            known,
            shown,
            {
                signal.name: (signal.method or "", signal.p_value, level)
                for signal in signals
                if signal.name in p_values and signal.name not in still
            },
        )
        if draw and testable
        else (None, None)
    )
    return Drift(verdict, signals, level, rows, separability, unlike, page, results)


def look_back(reference: int, window: int) -> int:
    """Computes the most predictions before a window that a lookback uses.

    More predictions add little power, because the reference's variance stays.
    """
    return max(_MOST * reference - window, 0)


def lookbacks(window: int, older: int) -> list[int]:
    """Computes the number of newest predictions of each lookback, rising.

    >>> lookbacks(100, 0), lookbacks(100, 200), lookbacks(100, 400), lookbacks(100, 2400)
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
    return WindowVerdict(WindowFinding.CANNOT_SAY, (few,))


def _tested(
    reference: pl.DataFrame, early: pl.DataFrame, newest: pl.DataFrame, sizes: Sequence[int],
    level: float,
) -> tuple[dict[str, float], int]:  # fmt: skip
    """Computes p-values and the rows of the lookback that differs most, from cleaned tables."""
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
    """Computes `word_features.weighed` of N sketches; a text without a sketch has no words."""
    buckets = sketches.explode().drop_nulls().to_numpy().astype(int)
    return word_features.weighed(buckets, sketches.list.len().fill_null(0).to_numpy())


def _vectors(lists: pl.Series) -> Any:
    """Converts lists of C numbers to (N, C) float64; nan for a missing list."""
    import numpy as np

    rows = lists.to_list()
    missing = [math.nan] * max(len(row) for row in rows if row is not None)
    return np.array([missing if row is None else row for row in rows], np.float64)


def _told_apart(
    reference: pl.DataFrame, shown: pl.DataFrame
) -> tuple[float | None, tuple[int, ...]]:
    """Computes `separability` and `unlike` of `Drift`; None and () without sketches."""
    if SKETCH not in reference.columns or shown.height < _FEW or reference.height < _FEW:
        return None, ()
    both = pl.concat([reference[SKETCH], shown[SKETCH]])
    vectors = _weighed(both)
    separability, lean = word_features.separability(vectors, reference.height)
    return separability, tuple(lean.argsort()[::-1][:_UNLIKE].tolist())


def _incomparable(name: str, reference: pl.DataFrame, window: pl.DataFrame) -> str | None:
    """Returns the reason why a signal cannot be compared; None if it can."""
    for table, where in ((reference, "the reference"), (window, "the window")):
        if name not in table.columns:
            return f"{where} does not have it"
    if _kind(reference[name]) != _kind(window[name]):
        return f"it is {reference[name].dtype} in the reference, {window[name].dtype} in the window"
    return None


def _obstacle(old: pl.Series, new: pl.Series, min_rows: int, level: float) -> str | None:
    """Returns the obstacle to a test of cleaned columns, or SAME; None without an obstacle."""
    missing, known = new.null_count(), len(old) - old.null_count()
    if len(new) - missing < min_rows:
        return f"{missing} of {len(new)} values in the window are missing"
    # The number of distinct permutations bounds the smallest p-value.
    if math.comb(known + len(new) - missing, known) < 1 / level:
        return f"the reference has {known} values, too few for a p-value below {level:.2g}"
    listed = isinstance(old.dtype, pl.List)
    if not listed and (only := old.min()) == old.max() == new.min() == new.max():
        # One language in all texts is normal; one prediction for all texts is not.
        same = f"it is {only!s} in every row of reference and window"
        return SAME if old.name == LANGUAGE else same
    return None


def _signal(
    name: str, reference: pl.DataFrame, newest: pl.DataFrame, p_value: float, level: float
) -> Signal:
    """Builds the result of a tested signal, from cleaned tables."""
    drifted = p_value <= level
    if name == TOGETHER:
        return Signal(name, VECTORS, p_value, level, drifted)
    method = _kind(reference[name]) if name in reference.columns else LABELS
    missing = sum(
        table[name].null_count() for table in (reference, newest) if name in table.columns
    )
    if missing and not drifted:
        # Missing values neither hide drift in the other values nor count as a pass.
        reason = f"{missing} values are missing; the others show no drift"
        return Signal(name, method, p_value, level, None, reason)
    return Signal(name, method, p_value, level, drifted)


def _verdict(signals: tuple[Signal, ...], known: int, window: int, rows: int) -> WindowVerdict:
    drifted = [signal for signal in signals if signal.drifted]
    untested = [signal for signal in signals if signal.drifted is None]
    shown = []
    if drifted:
        least: dict[str, float] = {}  # of the signals that share a name for people
        for signal in drifted:
            title, p_value = signal_names.title(signal.name), signal.p_value or 0.0
            least[title] = min(p_value, least.get(title, 1.0))
        names = ", ".join(f"{title} (p = {p_value:.2g})" for title, p_value in least.items())
        if rows > window:
            shown.append(f"Of the last {rows} predictions together:")
        shown.append(
            f"{len(drifted)} of {len(signals)} signals drifted in {rows} predictions: "
            f"{names}; a p-value at or below {drifted[0].threshold:.2g} counts."
        )
    shown += [
        f"{signal_names.column(signal.name)} cannot be tested: {signal.reason}."
        for signal in untested
    ]
    if drifted:
        return WindowVerdict(WindowFinding.DRIFT, tuple(shown))
    if untested:
        return WindowVerdict(WindowFinding.CANNOT_SAY, tuple(shown))
    closest = min(signals, key=lambda signal: signal.p_value or 0.0)
    return WindowVerdict(
        WindowFinding.NONE,
        (
            f"None of {len(signals)} signals has drifted between {known} reference rows "
            f"and {window} predictions; the least p-value is {closest.p_value:.2g} "
            f"({signal_names.title(closest.name)}), above {closest.threshold:.2g}.",
        ),
    )


def _kind(column: pl.Series) -> str:
    """Returns the statistic for a column: WORDS, EXPECTED, LABELS or NUMBERS."""
    if isinstance(column.dtype, pl.List):
        return EXPECTED if column.dtype.inner in (pl.Float32, pl.Float64) else WORDS
    return LABELS if column.dtype in (pl.String, pl.Categorical, pl.Enum) else NUMBERS


def _clean(table: pl.DataFrame) -> pl.DataFrame:
    """Converts labels to strings and numbers to float64, null if not finite; lists stay.

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
