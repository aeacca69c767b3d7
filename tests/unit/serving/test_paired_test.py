"""The paired test never sends more than its level back, however often it is asked."""

from __future__ import annotations

import numpy as np
import pytest

from serving.rollout.paired_test import log_evidence

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
