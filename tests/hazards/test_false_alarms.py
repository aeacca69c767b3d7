"""Row 31: 200 windows without drift raise at most 5 % alarms; params.yaml asks for 1 %.

Looking every hour keeps what a day may have. `benchmarks/monitoring/drift_alarms.py` prints the
rates of more and larger windows, on real texts.
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import polars as pl
import pytest

from components.core import params
from components.core.paths import Paths
from monitoring import drift, window_evaluation

SETTINGS = params.load(Paths.find().params).monitor
WINDOWS, MOST = 200, 0.05
# More of them in the drill: NEWSLOOP_SEEDS="100 101 102 103 104".
SEEDS = [int(seed) for seed in os.environ.get("NEWSLOOP_SEEDS", "100").split()]
REFERENCE_ROWS = 300
WORDS = 200


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
    # Each label has words of its own; the common ones are in most texts.
    held = rng.random((rows, WORDS)) < 1 / (1 + np.arange(WORDS)) + 0.05 * (
        np.arange(WORDS) % 5 == label[:, None]
    )
    columns: dict[str, Any] = {
        "label": [f"label {i}" for i in label],
        "confidence": np.round(sure, 2).astype(np.float32),
        "words": rng.poisson(40, rows).astype(np.int32),
        "unknown_share": (rng.binomial(40, 0.02, rows) / 40).astype(np.float32),
        "language": ["en"] * rows,
        "sketch": pl.Series(
            [np.flatnonzero(row).tolist() for row in held], dtype=pl.List(pl.UInt16)
        ),
    }
    for i in range(4):
        values = rng.normal(size=rows) + (label == i) * sure
        columns[f"feature_{i}"] = (values + shift * (i == 0)).astype(np.float32)
    return pl.DataFrame(columns)


def alarm(reference: pl.DataFrame, window: pl.DataFrame) -> bool:
    found = drift.judge(reference, window, SETTINGS, draw=False).verdict.finding
    assert found in ("none", "drift")
    return found == "drift"


@pytest.mark.parametrize("seed", SEEDS)
def test_windows_without_drift(seed: int) -> None:
    """Windows resampled from the reference itself, and pairs drawn anew from the same world."""
    rng = np.random.default_rng(seed)
    fixed = draw(REFERENCE_ROWS, rng)
    alarms = 0
    for i in range(WINDOWS):
        if i % 2:
            alarms += alarm(fixed, fixed[rng.integers(0, REFERENCE_ROWS, 100)])
        else:
            alarms += alarm(draw(REFERENCE_ROWS, rng), draw(100, rng))
    print(f"seed {seed}: {alarms} of {WINDOWS} windows without drift raise an alarm")
    assert alarms <= MOST * WINDOWS


def test_drift_is_found_by_the_same_test() -> None:
    rng = np.random.default_rng(5)
    reference = draw(REFERENCE_ROWS, rng)
    assert alarm(reference, draw(150, rng, shift=1.0))
    assert alarm(reference, draw(150, rng, labels=(0.05, 0.3, 0.3, 0.3, 0.05)))


@pytest.mark.parametrize(("looks", "hours"), [(24, 1.0), (200, 0.1)])
def test_looking_often_does_not_raise_more_false_alarms(looks: int, hours: float) -> None:
    """However often one looks, the chances of 24 hours never add up to more than they may."""
    times: list[tuple[float, float]] = []
    for look in range(3 * looks):
        now = look * hours
        spent = sum(level for time, level in times if time > now - 24)
        times.append((now, window_evaluation.level(spent, SETTINGS)))
        assert spent + times[-1][1] <= SETTINGS.false_alarms_a_day + 1e-12
    if looks == 24:  # hourly, every window can still be judged
        assert min(level for _, level in times) >= window_evaluation.LEAST_LEVEL
