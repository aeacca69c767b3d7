"""Metrics against values from elsewhere: scikit-learn, and tables worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import precision_recall_fscore_support

from components.core import metrics
from components.core.target import SingleLabel

LABELS = ["a", "b", "c"]


def test_by_class_agrees_with_scikit_learn() -> None:
    generator = np.random.default_rng(1)
    actual = generator.choice(LABELS, 200).tolist()
    predicted = generator.choice(LABELS, 200).tolist()
    ours = metrics.by_class(SingleLabel(LABELS).confusion(actual, predicted))
    theirs = precision_recall_fscore_support(actual, predicted, labels=LABELS)
    np.testing.assert_allclose(ours.T, theirs[:3])


def test_a_class_that_never_comes_scores_nothing() -> None:
    table = SingleLabel(LABELS).confusion(["a", "a"], ["a", "b"])
    assert metrics.by_class(table).tolist() == [
        [1, 0.5, pytest.approx(2 / 3)],
        [0, 0, 0],
        [0, 0, 0],
    ]


@pytest.mark.parametrize(
    ("hits", "total", "low", "high"),
    [(0, 10, 0.0, 0.277533), (10, 10, 0.722467, 1.0), (5, 10, 0.236593, 0.763407)],
)
def test_wilson_interval(hits: int, total: int, low: float, high: float) -> None:
    found = metrics.wilson(hits, total, 0.95)
    assert found.value == hits / total
    assert (found.low, found.high) == (pytest.approx(low, abs=1e-6), pytest.approx(high, abs=1e-6))


def test_macro_f1_interval_holds_its_value_and_repeats() -> None:
    table = np.array([[40, 3, 1], [2, 50, 0], [0, 4, 30]])
    one = metrics.macro_f1(table, 0.95, 500, seed=3)
    assert one.low < one.value < one.high
    assert one == metrics.macro_f1(table, 0.95, 500, seed=3)
    assert one != metrics.macro_f1(table, 0.95, 500, seed=4)


@pytest.mark.parametrize(
    ("ours", "theirs", "value"),
    [([1, 1, 1, 1], [1, 1, 1, 1], 0.0), ([1, 1, 0, 0], [0, 0, 0, 0], 0.5), ([0], [1], -1.0)],
)
def test_paired_difference(ours: list[int], theirs: list[int], value: float) -> None:
    found = metrics.paired_difference(np.array(ours), np.array(theirs), 0.95, 1000, seed=1)
    assert found.value == value
    assert found.low <= value <= found.high


def test_paired_bound_holds_as_often_as_it_says() -> None:
    generator = np.random.default_rng(5)
    true, held = 0.02, 0
    for trial in range(300):
        theirs = generator.random(400) < 0.9
        ours = np.where(theirs, generator.random(400) < 0.98, generator.random(400) < 0.38)
        held += metrics.paired_difference(ours, theirs, 0.95, 400, seed=trial).low <= true
    assert 0.91 <= held / 300 <= 0.99


def test_a_share_lies_in_its_own_interval() -> None:
    """A chart draws the distances, and refuses negative ones."""
    for total in range(1, 300):
        for hits in (0, 1, total):
            found = metrics.wilson(hits, total, 0.95)
            assert 0 <= found.low <= found.value <= found.high <= 1, (hits, total)
