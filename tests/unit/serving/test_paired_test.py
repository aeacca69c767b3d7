"""The paired test never sends more than its level back, however often it is asked."""

from __future__ import annotations

import numpy as np
import pytest

from serving.rollout.comparison import counted
from serving.rollout.paired_test import log_evidence, log_evidence_of_callers

PAIRS = 400
LIMIT = np.log(100)


def ever_back(lost: float) -> float:
    """The exact probability to reach the limit within PAIRS pairs, each lost with that chance."""
    counts = np.arange(PAIRS + 1)
    going_on, back = np.ones(1), 0.0  # by pairs lost
    for pairs in range(1, PAIRS + 1):
        going_on = np.convolve(going_on, [1 - lost, lost])
        over = log_evidence(counts[: pairs + 1], pairs - counts[: pairs + 1]) >= LIMIT
        back += float(going_on[over].sum())
        going_on[over] = 0
    return back


@pytest.mark.parametrize(("lost", "least", "most"), [(0.5, 0.005, 0.01), (0.4, 0, 0.005)])
def test_models_that_are_not_worse_stay(lost: float, least: float, most: float) -> None:
    assert least <= ever_back(lost) <= most


def test_a_worse_model_goes() -> None:
    assert ever_back(0.75) > 0.999
    assert [bool(log_evidence(lost, 0) >= LIMIT) for lost in (6, 7)] == [False, True]


def test_a_pair_that_was_won_speaks_for_the_model() -> None:
    table = log_evidence(*np.meshgrid(np.arange(60), np.arange(60), indexing="ij"))
    assert (np.diff(table, axis=1) < 0).all()
    assert (np.diff(table, axis=0) > 0).all()
    assert np.isfinite(log_evidence([0, 1000], [1000, 0])).all()


@pytest.mark.parametrize(
    ("alone", "others", "goes"),
    [
        ((7, 0), [], True),  # who may decide alone
        ((0, 0), [(2000, 0)], False),
        ((6, 0), [(2000, 0)], False),
        ((8, 0), [(2000, 0)], True),
        ((0, 0), [(8, 0), (2000, 0)], False),
        ((0, 0), [(9, 0), (2000, 0)], True),
        ((0, 0), [(4, 0), (4, 0), (4, 0)], True),
        ((0, 0), [(1, 0)] * 8, False),
        ((0, 0), [(1, 0)] * 10, True),  # ten callers with one label each
        ((0, 0), [(8, 0), (8, 0), (8, 0), (0, 2000)], True),  # one hides nothing
        ((0, 0), [(8, 0), (8, 0), (0, 2000), (0, 2000)], False),  # two do
        ((2, 6), [(2, 6), (2, 6), (300, 0)], False),
    ],
)
def test_no_caller_decides_alone(
    alone: tuple[int, int], others: list[tuple[int, int]], goes: bool
) -> None:
    assert (log_evidence_of_callers(alone, others) >= LIMIT) == goes


def test_a_lie_about_both_models_does_not_hide_the_comparison() -> None:
    """A caller calls both wrong on each text, as one does who labels only what is wrong."""
    honest = [(caller, i > 5, True) for caller in "abc" for i in range(20)]
    found = counted([*honest, *[("liar", False, False)] * 200])
    assert (found.labels, found.right, found.other_right) == (260, 42, 60)
    assert found.plausible
    assert found.log_evidence >= LIMIT
    assert not counted([(None, False, False)] * 10 + [(None, False, True)] * 10).plausible
