"""Drift: does a window look as the bundle's reference does? Evidently tests and draws.

Each signal is tested by itself. Numbers: the two-sample Kolmogorov-Smirnov test, exact, and with
ties on the safe side. The predicted label: the chi-square test of homogeneity with simulated
p-values. Evidently's own chi-square takes the reference for the truth, and raises hundreds of times
more false alarms than it is asked for (benchmarks/drift_alarms.py).

Sources: Hodges, "The significance probability of the Smirnov two-sample test", Arkiv för Matematik
3 (1958); Hope, "A simplified Monte Carlo significance test procedure", JRSS B 30 (1968); Dunn,
"Multiple comparisons among means", JASA 56 (1961), for dividing the level by the number of tests.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import polars as pl

from components.core import offline
from components.core.params import Monitor
from monitoring.governor import Verdict

NUMBERS, LABELS = "ks", "newsloop_homogeneity"  # names of tests in Evidently's registry
METHODS = {NUMBERS: "Kolmogorov-Smirnov", LABELS: "chi-square of homogeneity"}
_RESAMPLES = 9999  # simulated tables; the p-value's standard error at 0.001 is then 0.0003
_RESAMPLES_BELOW = 20  # of them at least, on average, fall below the threshold
_TOGETHER = 10_000  # tables simulated at a time, for memory
_SEED = 31  # of the simulated tables: equal windows give equal p-values


@dataclass(frozen=True)
class Signal:
    """What was found about one signal.

    Attributes:
        name: column of `Predictions.signals`.
        method: of the test; None where it could not be tested.
        p_value: in [0, 1]; None where it could not be tested.
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
        page: Evidently's HTML; None if no signal could be tested.
        evidently: its results as plain values; None likewise.
    """

    verdict: Verdict
    signals: tuple[Signal, ...] = ()
    page: str | None = field(default=None, repr=False)
    evidently: dict[str, Any] | None = field(default=None, repr=False)


def judge(
    reference: pl.DataFrame, window: pl.DataFrame, settings: Monitor, rows: int | None = None
) -> Drift:
    """Compares a window with the reference, signal by signal.

    Args:
        reference: of the bundle; strings are tested as labels, everything else as numbers.
        window: the same columns; one that is absent or empty cannot be tested, and is shown.
        settings: `min_rows` of the window; `false_alarm_rate` in (0, 1) of a window without drift
            over all signals together, which is divided by their number.
        rows: of the window, where its signals were not computed because they are too few.
    """
    rows = window.height if rows is None else rows
    if rows < settings.min_rows:
        few = f"{rows} predictions wait, and {settings.min_rows} are needed to judge."
        return Drift(Verdict("cannot say", (few,)))
    names = list(dict.fromkeys([*reference.columns, *window.columns]))
    threshold = settings.false_alarm_rate / len(names)
    obstacles = {
        name: _obstacle(name, reference, window, settings.min_rows, threshold) for name in names
    }
    testable = [name for name in names if obstacles[name] is None]
    p_values, page, results = _evidently(
        _clean(reference.select(testable)), _clean(window.select(testable)), threshold
    )
    signals = tuple(
        _signal(name, reference, window, p_values[name], threshold)
        if obstacle is None
        else Signal(name, None, None, threshold, None, obstacle)
        for name, obstacle in obstacles.items()
    )
    return Drift(_verdict(signals, reference, window), signals, page, results)


def _obstacle(
    name: str, reference: pl.DataFrame, window: pl.DataFrame, min_rows: int, threshold: float
) -> str | None:
    """Why a signal cannot be tested; None if it can."""
    for table, where in ((reference, "the reference"), (window, "the window")):
        if name not in table.columns:
            return f"{where} does not have it"
    if _is_label(reference[name]) != _is_label(window[name]):
        return f"it is {reference[name].dtype} in the reference, {window[name].dtype} in the window"
    old, new = (_clean(table.select(name))[name].drop_nulls() for table in (reference, window))
    if len(new) < min_rows:
        missing = window.height - len(new)
        return f"{missing} of {window.height} values in the window are missing"
    # The least p-value of any two-sample rank test: all of one sample below all of the other.
    least = 2 / math.comb(len(old) + len(new), len(old))
    if least > threshold:
        return f"the reference has {len(old)} values, too few for a p-value below {threshold:.2g}"
    if old.n_unique() == 1 and old.unique().equals(new.unique()):
        return f"it is {old[0]} in every row of reference and window"
    return None


def _signal(
    name: str, reference: pl.DataFrame, window: pl.DataFrame, p_value: float, threshold: float
) -> Signal:
    method = METHODS[LABELS if _is_label(reference[name]) else NUMBERS]
    if not math.isfinite(p_value):
        return Signal(name, method, None, threshold, None, "the test gave no number")
    drifted = p_value <= threshold
    missing = sum(
        int(_clean(table.select(name))[name].null_count()) for table in (reference, window)
    )
    if missing and not drifted:
        # Missing values do not hide drift in the others, nor do they count as a pass.
        reason = f"{missing} values are missing; the others show no drift"
        return Signal(name, method, p_value, threshold, None, reason)
    return Signal(name, method, p_value, threshold, drifted)


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


def _is_label(column: pl.Series) -> bool:
    return column.dtype in (pl.String, pl.Categorical, pl.Enum)


def _clean(table: pl.DataFrame) -> pl.DataFrame:
    """`table` with labels as strings and numbers as float64, null where not finite.

    float32 becomes float64 on both sides in the same way, so that ties stay ties.
    """
    return table.select(
        column.cast(pl.String)
        if _is_label(column)
        else column.cast(pl.Float64, strict=False).to_frame().select(
            pl.when(pl.first().is_finite()).then(pl.first())
        ).to_series()
        for column in table
    )  # fmt: skip


def _evidently(
    reference: pl.DataFrame, window: pl.DataFrame, threshold: float
) -> tuple[dict[str, float], str | None, dict[str, Any] | None]:
    """p-values by column, HTML and results of Evidently's report; nothing without columns."""
    if not reference.columns:
        return {}, None, None
    report, dataset, definition, value_drift = _tools()
    labels = [column.name for column in reference if _is_label(column)]
    columns = definition(
        numerical_columns=[name for name in reference.columns if name not in labels],
        categorical_columns=labels,
    )
    tests = [
        value_drift(column=name, method=LABELS if name in labels else NUMBERS, threshold=threshold)
        for name in reference.columns
    ]
    old, new = (
        dataset.from_pandas(table.to_pandas(), data_definition=columns)
        for table in (reference, window)
    )
    snapshot = report(tests).run(new, old)
    results: dict[str, Any] = json.loads(snapshot.json())
    p_values = {metric["config"]["column"]: float(metric["value"]) for metric in results["metrics"]}
    return p_values, snapshot.get_html_str(as_iframe=False), results


@cache
def _tools() -> tuple[Any, Any, Any, Any]:
    """Evidently's Report, Dataset, DataDefinition and ValueDrift, our test registered."""
    offline.stay_home()  # before Evidently looks for its switches
    from evidently import DataDefinition, Dataset, Report
    from evidently.legacy.calculations.stattests import StatTest, register_stattest
    from evidently.legacy.core import ColumnType
    from evidently.metrics import ValueDrift

    test = StatTest(LABELS, f"{METHODS[LABELS]} p_value", [ColumnType.Categorical])
    register_stattest(test, _homogeneity)
    return Report, Dataset, DataDefinition, ValueDrift


def _homogeneity(
    reference: Any, current: Any, feature_type: object, threshold: float
) -> tuple[float, bool]:
    """Chi-square test that two samples of labels come from one distribution.

    The p-value comes from simulated tables with the same margins (Hope 1968): it keeps its level
    with rare labels too, for which the asymptotic one is up to seven times too small.

    Args:
        reference, current: pandas.Series of labels; neither is taken for the truth.
        threshold: the level; the number of simulated tables follows it.

    Returns:
        The p-value, at least 1 / (simulated tables + 1), and whether it is at or below threshold.
    """
    import numpy as np
    from scipy import stats

    del feature_type
    seen = sorted(set(reference) | set(current))
    table = np.array(
        [[(sample == label).sum() for label in seen] for sample in (reference, current)]
    )
    simulation = stats.MonteCarloMethod(
        n_resamples=max(_RESAMPLES, math.ceil(_RESAMPLES_BELOW / threshold)),
        batch=_TOGETHER,
        rng=np.random.default_rng(_SEED),
    )
    found = stats.chi2_contingency(table, correction=False, method=simulation)
    return float(found.pvalue), bool(found.pvalue <= threshold)
