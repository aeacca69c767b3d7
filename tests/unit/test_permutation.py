"""Statistics and p-values of small samples that can be reckoned by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from monitoring import permutation


def side(old: int, new: int) -> np.ndarray:
    return np.array([[False] * old + [True] * new])


def test_the_statistics_are_those_of_the_books() -> None:
    rng = np.random.default_rng(1)
    old, new = rng.normal(size=30), rng.normal(0.5, 1, size=20)
    old[:5] = new[:5] = 0.0  # ties
    both = np.concatenate([old, new])
    distance = stats.ks_2samp(old, new).statistic
    found = permutation.numbers(both)(side(30, 20))
    assert found == pytest.approx([distance**2 * 30 * 20 / 50], rel=1e-4)
    names = np.array(["a"] * 12 + ["b"] * 18 + ["a"] * 15 + ["c"] * 5)
    table = [[12, 18, 0], [15, 0, 5]]
    expected = stats.chi2_contingency(table, correction=False).statistic
    assert permutation.labels(names)(side(30, 20)) == pytest.approx([expected], rel=1e-4)


def test_the_margin_is_the_unbiased_distance_of_means() -> None:
    rng = np.random.default_rng(2)
    vectors = rng.normal(size=(7, 3)) + np.arange(7)[:, None]
    alike = (vectors @ vectors.T).astype(np.float32)

    def mean(a: slice, b: slice) -> float:
        block = alike[a, b].astype(float)
        if a != b:
            return float(block.mean())
        n = len(block)
        return float((block.sum() - block.trace()) / (n * (n - 1)))

    old, new = slice(0, 4), slice(4, 7)
    expected = mean(old, old) + mean(new, new) - 2 * mean(old, new)
    assert permutation.margin(alike)(side(4, 3)) == pytest.approx([expected], rel=1e-4)


def test_words_of_all_texts_weigh_nothing_and_rare_ones_most() -> None:
    alike = permutation.likeness([[1, 2], [1, 2], [1, 3], [1]], 4)
    assert alike[0, 1] == pytest.approx(1)
    assert alike[0, 2] == pytest.approx(0)
    assert alike[3].tolist() == [0, 0, 0, 0]


def test_samples_that_words_tell_apart() -> None:
    texts = [[0, 1], [0, 2], [1, 2], [3, 4], [3, 5], [4, 5]]
    area, lean = permutation.separability(permutation.likeness(texts, 6), 3)
    assert (area, len(lean)) == (1.0, 3)
    area, _ = permutation.separability(permutation.likeness([[0], [1], [0], [1]], 2), 2)
    assert area <= 0.5


def test_one_signal_gives_the_p_value_of_a_permutation_test() -> None:
    """All of 4 above all of 4: 2 of 70 deals look so (this one and its mirror)."""
    values = np.arange(8.0)
    found = permutation.test({"x": permutation.numbers(values)}, 4, 4, 20_000, 3)
    assert found.p_value == pytest.approx(2 / 70, rel=0.15)
    assert found.deals == 20_000


def test_more_signals_cost_power_but_equal_ones_do_not() -> None:
    rng = np.random.default_rng(4)
    moved = np.concatenate([rng.normal(size=40), rng.normal(0.9, 1, 40)])
    one = {"x": permutation.numbers(moved)}
    same = one | {f"copy {i}": permutation.numbers(moved) for i in range(9)}
    others = one | {f"other {i}": permutation.numbers(rng.normal(size=80)) for i in range(9)}
    alone, copied, among = (
        permutation.test(signals, 40, 40, 4999, 5).by_signal["x"] for signals in (one, same, others)
    )
    assert copied == pytest.approx(alone, abs=1e-9)
    assert among > alone


def test_missing_values_are_left_out_on_both_sides() -> None:
    present = np.array([True, False, True, True, True, False])
    values = np.array([1.0, 2.0, 3.0, 4.0])
    found = permutation.where(present, permutation.numbers(values))(side(3, 3))
    assert found == pytest.approx([4 * 0.25 * 1.0])  # distance 1, sizes 2 and 2


def test_equal_seeds_give_equal_p_values_and_no_signal_is_refused() -> None:
    values = {"x": permutation.numbers(np.random.default_rng(6).normal(size=60))}
    assert permutation.test(values, 30, 30, 99, 7) == permutation.test(values, 30, 30, 99, 7)
    with pytest.raises(ValueError, match="at least one signal"):
        permutation.test({}, 3, 3, 99, 7)
