"""Row 31: 200 windows without drift raise at most 5 % alarms; params.yaml asks for 1 %.

The tests of Evidently's registry that the report uses are called without the report, which takes
0.2 s; one case shows that both give the same p-values. As a program this file prints the rates of
more windows, and how often true drift is found:

    PYTHONPATH=. python tests/hazards/test_false_alarms.py
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import polars as pl
import pytest

from components.core import params
from components.core.paths import Paths
from monitoring import drift

SETTINGS = params.load(Paths.find().params).monitor
WINDOWS, MOST = 200, 0.05
REFERENCE_ROWS = 300


def draw(
    rows: int, rng: np.random.Generator, labels: tuple[float, ...] = (0.3, 0.3, 0.3, 0.09, 0.01),
    shift: float = 0.0,
) -> pl.DataFrame:  # fmt: skip
    """Signals like a real bundle's: a rare label, ties, and features that depend on the label.

    Args:
        labels: probabilities of the five labels.
        shift: of feature_0, in its standard deviations.
    """
    label = rng.choice(5, rows, p=labels)
    sure = rng.beta(8, 1, rows)
    columns: dict[str, Any] = {
        "label": [f"label {i}" for i in label],
        "confidence": np.round(sure, 2).astype(np.float32),
        "words": rng.poisson(40, rows).astype(np.int32),
        "unknown_share": (rng.binomial(40, 0.02, rows) / 40).astype(np.float32),
    }
    for i in range(4):
        values = rng.normal(size=rows) + (label == i) * sure
        columns[f"feature_{i}"] = (values + shift * (i == 0)).astype(np.float32)
    return pl.DataFrame(columns)


def p_values(reference: pl.DataFrame, window: pl.DataFrame) -> dict[str, float]:
    """Of each signal, by the tests that `drift` names, from Evidently's registry."""
    drift._tools()
    from evidently.legacy.calculations.stattests.registry import get_registered_stattest
    from evidently.legacy.core import ColumnType

    threshold = SETTINGS.false_alarm_rate / window.width
    found = {}
    for name in window.columns:
        kind, method = (
            (ColumnType.Categorical, drift.LABELS)
            if name == "label"
            else (ColumnType.Numerical, drift.NUMBERS)
        )
        test = get_registered_stattest(method, kind)
        old, new = (table[name].to_pandas() for table in (reference, window))
        found[name] = test(old, new, kind, threshold).drift_score
    return found


def alarm(reference: pl.DataFrame, window: pl.DataFrame) -> bool:
    return min(p_values(reference, window).values()) <= SETTINGS.false_alarm_rate / window.width


def test_the_report_uses_these_tests() -> None:
    rng = np.random.default_rng(5)
    reference, window = draw(REFERENCE_ROWS, rng), draw(150, rng, shift=1.0)
    result = drift.judge(reference, window, SETTINGS)
    expected = p_values(reference, window)
    assert {s.name: s.p_value for s in result.signals} == pytest.approx(expected, rel=1e-12)
    assert [s.name for s in result.signals if s.drifted] == ["feature_0"]
    assert result.verdict.finding == "drift"
    assert alarm(reference, window)


@pytest.mark.parametrize("rows", [100, 500])
@pytest.mark.parametrize("fixed", [True, False], ids=["one reference", "new references"])
def test_windows_without_drift(rows: int, fixed: bool) -> None:
    """Windows resampled from the reference itself, and pairs drawn anew from the same world."""
    rng = np.random.default_rng(rows)
    reference = draw(REFERENCE_ROWS, rng)
    alarms = 0
    for _ in range(WINDOWS):
        if fixed:
            window = reference[rng.integers(0, REFERENCE_ROWS, rows)]
        else:
            reference, window = draw(REFERENCE_ROWS, rng), draw(rows, rng)
        alarms += alarm(reference, window)
    assert alarms <= MOST * WINDOWS


@pytest.mark.parametrize("reference_rows", [60, 300])
@pytest.mark.parametrize("rows", [500, 5000])
def test_rare_labels_keep_the_level(reference_rows: int, rows: int) -> None:
    """Where Evidently's chi-square alarms in most windows, and the asymptotic one too often."""
    from evidently.legacy.core import ColumnType

    rng = np.random.default_rng(rows)
    shares = [0.9, 0.05, 0.03, 0.015, 0.005]
    alarms = 0
    for _ in range(WINDOWS):
        old, new = (rng.choice(5, n, p=shares) for n in (reference_rows, rows))
        alarms += drift._homogeneity(old, new, ColumnType.Categorical, 0.01)[1]
    assert alarms <= MOST * WINDOWS


def main() -> None:
    """Prints rates over many windows."""
    windows = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    print(f"{windows} windows each, {REFERENCE_ROWS} reference rows, 8 signals, rate 0.01")
    cases: list[tuple[str, dict[str, Any]]] = [
        ("no drift", {}),
        ("feature_0 shifted by 0.25 sd", {"shift": 0.25}),
        ("feature_0 shifted by 0.5 sd", {"shift": 0.5}),
        (
            "labels .3 .3 .3 .09 .01 -> .45 .25 .2 .09 .01",
            {"labels": (0.45, 0.25, 0.2, 0.09, 0.01)},
        ),
        ("rare label 1 % -> 10 %", {"labels": (0.27, 0.27, 0.27, 0.09, 0.1)}),
    ]
    for rows in (100, 500, 5000):
        for name, changes in cases:
            rng = np.random.default_rng(rows)
            found = sum(
                alarm(draw(REFERENCE_ROWS, rng), draw(rows, rng, **changes)) for _ in range(windows)
            )
            print(f"{rows:5} rows  {name:46} alarms {found / windows:.3f}", flush=True)
        rng = np.random.default_rng(rows)
        reference = draw(REFERENCE_ROWS, rng)
        found = sum(
            alarm(reference, reference[rng.integers(0, REFERENCE_ROWS, rows)])
            for _ in range(windows)
        )
        print(f"{rows:5} rows  {'resampled from one reference':46} alarms {found / windows:.3f}")


if __name__ == "__main__":
    main()
