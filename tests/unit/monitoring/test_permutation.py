"""Statistics and p-values of small samples that can be reckoned by hand."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats

from monitoring.drift import permutation
from monitoring.drift.permutation import SignalRows


def statistic(signal: SignalRows, new: int) -> float:
    """Of the reference against the last `new` rows."""
    table = permutation._blocks({"x": signal}, [new], 0, np.random.default_rng(1))
    return float(permutation._statistics({"x": signal}, table, table.sample[None], [new])[0, 0, 0])


def ratio(old: list[int], new: list[int]) -> float:
    """The log likelihood ratio of a table of counts, as scipy has it."""
    found = stats.chi2_contingency([old, new], correction=False, lambda_="log-likelihood")
    return float(found.statistic) / 2


def test_numbers_are_compared_by_their_most_telling_threshold() -> None:
    rng = np.random.default_rng(1)
    old, new = rng.normal(size=30), rng.normal(0.5, 1, size=20)
    old[:5] = new[:5] = 0.0  # ties
    cuts = np.unique(np.concatenate([old, new]))[:-1]
    expected = max(
        ratio([sum(old <= t), sum(old > t)], [sum(new <= t), sum(new > t)]) for t in cuts
    )
    # Not each threshold is asked in the middle, where they say much the same.
    found = statistic(permutation.numbers(np.concatenate([old, new])), 20)
    assert 0.9 * expected <= found <= expected + 1e-9


def test_what_is_new_at_the_far_end_is_seen_at_once() -> None:
    """Five of 100 lie above all others: a chance of (1 in 4) ** 5 for the largest five."""
    values = np.concatenate([np.arange(400), np.arange(95) * 4, 1000 + np.arange(5)]).astype(float)
    found = statistic(permutation.numbers(values), 100)
    assert found == pytest.approx(ratio([400, 0], [95, 5]))


def test_labels_are_compared_by_their_most_telling_one() -> None:
    names = ["a"] * 12 + ["b"] * 18 + ["a"] * 15 + ["c"] * 5
    expected = max(ratio([12, 18], [15, 5]), ratio([18, 12], [0, 20]), ratio([0, 30], [5, 15]))
    assert statistic(permutation.labels(names), 20) == pytest.approx(expected)


def test_vectors_are_compared_by_their_means() -> None:
    vectors = np.array([[0.0, 1.0], [2.0, 1.0], [4.0, 5.0]])
    assert statistic(permutation.means(vectors), 1) == pytest.approx(3**2 + 4**2)


def test_columns_are_compared_by_the_one_that_moved_most_for_its_spread() -> None:
    vectors = np.array([[0.0, 10.0, 7.0], [2.0, 30.0, 7.0], [4.0, 20.0, 7.0]])
    spread = vectors[:, :2].std(axis=0)
    expected = max((np.array([3.0, 0.0]) / spread) ** 2)
    assert statistic(permutation.columns(vectors), 1) == pytest.approx(expected, rel=1e-6)


def test_a_class_that_is_hardly_known_is_seen_by_its_probability_first() -> None:
    """Three texts in 100 are of a class that is believed at 0.4 and therefore never said."""
    rng = np.random.default_rng(5)

    def said(rows: int, share: float) -> np.ndarray:
        rare = np.where(rng.random(rows) < share, 0.4, 0.02) + rng.uniform(0, 0.02, rows)
        return np.stack([rare, 1 - rare], axis=1)

    both = np.concatenate([said(1000, 0.03), said(400, 0.09)])
    names = [["rare", "common"][i] for i in both.argmax(axis=1)]
    by_label = permutation.test({"x": permutation.labels(names)}, [400], 499, 1)
    by_share = permutation.test({"x": permutation.columns(both)}, [400], 499, 1)
    assert (by_label.p_value, by_share.p_value) == (1.0, 1 / 500)


def test_random_features_give_the_gaussian_kernel_of_median_width() -> None:
    rng = np.random.default_rng(3)
    vectors = rng.normal(size=(300, 4))
    found = permutation.random_features(vectors)
    gaps = ((vectors[:, None] - vectors[None]) ** 2).sum(axis=2)
    kernel = np.exp(-gaps / np.median(gaps[np.triu_indices(300, 1)]))
    assert np.abs(found @ found.T - kernel).mean() < 0.1


@pytest.mark.parametrize("make", [permutation.means, permutation.columns])
def test_vectors_that_are_all_the_same_are_no_drift(make: Callable[..., SignalRows]) -> None:
    """No variance, and nothing is divided by it."""
    assert permutation.test({"x": make(np.full((80, 3), 0.2))}, [40], 99, 1).p_value == 1.0


def test_one_signal_gives_the_p_value_of_a_permutation_test() -> None:
    """All of 6 above all of 6: 2 of 924 permutations look so (this one and its mirror)."""
    signals, permutations = {"x": permutation.numbers(np.arange(12.0))}, 2_000
    found = [permutation.test(signals, [6], permutations, seed) for seed in range(20)]
    assert {one.permutations for one in found} == {permutations}
    p_value = np.mean([one.p_value for one in found])
    assert p_value == pytest.approx(2 / 924 + 1 / (permutations + 1), rel=0.25)


def test_a_window_that_shows_nothing_is_let_go_at_once() -> None:
    values = {"x": permutation.numbers(np.random.default_rng(2).normal(size=200))}
    found = permutation.test(values, [100], 5_000, 3)
    assert found.permutations == 39
    assert found.p_value > 0.125


def test_blocks_are_dealt_whole_and_no_row_is_lost() -> None:
    signals = {"x": permutation.labels(["a", "b", "c"] * 107)}  # 321 rows
    table = permutation._blocks(signals, [103, 205], 0, np.random.default_rng(1))
    assert np.bincount(table.sample).tolist() == [103 // 2, 102 // 2, 116 // 2]
    assert table.rows[:, 0].tolist() == [2] * len(table.rows)
    assert table.fixed[:, 0].tolist() == [1, 0, 0]
    assert table.total.tolist() == [321, 107, 107, 107]
    assert (table.rows.sum(axis=0) + table.fixed.sum(axis=0)).tolist() == [321, 107, 107, 107]
    dealt = permutation._permuted_samples(table.sample, 500, np.random.default_rng(1))
    assert all(np.bincount(one).tolist() == [51, 51, 58] for one in dealt)
    # Each block comes to each sample as often as the sample is large.
    assert (dealt == 0).mean(axis=0) == pytest.approx(51 / 160, abs=0.09)


def test_a_sorted_reference_is_as_good_as_a_mixed_one() -> None:
    rng = np.random.default_rng(8)
    old, new = np.sort(rng.normal(size=400)), rng.normal(size=100)
    alarms = [
        permutation.test(
            {"x": permutation.numbers(np.append(old, rng.permutation(new)))}, [100], 99, seed
        ).p_value
        for seed in range(30)
    ]
    assert np.std(alarms) < 0.15  # it is one question, asked with other blocks and permutations


def test_blocks_are_no_neighbours() -> None:
    """Blocks of neighbours of a sorted reference would differ far more than drawn ones."""
    values = permutation.means(np.arange(6000.0)[:, None])
    table = permutation._blocks({"x": values}, [1000], 0, np.random.default_rng(1))
    counts, sums = table.rows[table.sample == 1].T
    assert counts[0] == 20
    assert sums.std() < 2 * np.sqrt(20) * values.rows[:5000, 1].std()


def test_a_window_that_differs_gets_all_permuted_samples() -> None:
    values = np.concatenate([np.zeros(50), np.ones(50)])
    found = permutation.test({"x": permutation.numbers(values)}, [50], 5_000, 3)
    assert (found.permutations, found.p_value) == (5_000, 1 / 5_001)


def test_more_signals_cost_power_but_equal_ones_do_not() -> None:
    rng = np.random.default_rng(4)
    moved = np.concatenate([rng.normal(size=40), rng.normal(0.9, 1, 40)])
    one = {"x": permutation.numbers(moved)}
    same = one | {f"copy {i}": permutation.numbers(moved) for i in range(9)}
    others = one | {f"other {i}": permutation.numbers(rng.normal(size=80)) for i in range(9)}
    heavy = others | {"x": permutation.numbers(moved, weight=100)}
    alone, copied, among, heavier = (
        permutation.test(signals, [40], 4999, 5).by_signal["x"]
        for signals in (one, same, others, heavy)
    )
    assert copied == pytest.approx(alone, abs=1e-9)
    assert among > heavier >= alone


def test_what_moved_long_ago_and_little_is_seen_by_looking_back() -> None:
    rng = np.random.default_rng(6)
    values = np.concatenate([rng.normal(size=400), rng.normal(0.4, 1, size=400)])
    signals = {"x": permutation.numbers(values)}
    found = permutation.test(signals, [100, 400], 1999, 5)
    assert (found.lookback, found.p_value) == (400, pytest.approx(1 / 2000, abs=0.002))
    lately = {"x": permutation.numbers(np.append(values[:700], values[700:] + 1))}
    assert permutation.test(lately, [100, 400], 1999, 5).lookback == 100


def test_missing_values_are_left_out_on_both_sides() -> None:
    whole = permutation.numbers(np.array([1.0, 2.0, 3.0, 4.0]))
    holes = permutation.numbers(np.array([1.0, np.nan, 2.0, 3.0, 4.0, np.nan]))
    assert statistic(holes, 3) == pytest.approx(statistic(whole, 2))
    names = permutation.labels(["a", None, "b", "b", None])
    assert statistic(names, 3) == pytest.approx(statistic(permutation.labels(["a", "b", "b"]), 2))
    vectors = np.array([[1.0, 2.0], [np.nan, 1.0], [2.0, 2.0]])
    assert statistic(permutation.means(vectors), 1) == pytest.approx(1.0)


def test_equal_seeds_give_equal_p_values_and_no_signal_is_refused() -> None:
    values = {"x": permutation.numbers(np.random.default_rng(6).normal(size=60))}
    assert permutation.test(values, [30], 99, 7) == permutation.test(values, [30], 99, 7)
    with pytest.raises(ValueError, match="at least one signal"):
        permutation.test({}, [3], 99, 7)


def test_early_rows_make_good_what_a_small_reference_cannot_say() -> None:
    """A quarter of a deviation: ten times as many texts to compare with find it nearly always."""
    rng, found = np.random.default_rng(9), {0: 0, 900: 0}
    for seed in range(12):
        old, early, new = rng.normal(size=100), rng.normal(size=900), rng.normal(0.25, 1, 1000)
        values = permutation.numbers(np.concatenate([old, early, new]))
        alone = permutation.numbers(np.concatenate([old, new]))
        found[0] += permutation.test({"x": alone}, [1000], 999, seed).p_value <= 0.01
        found[900] += permutation.test({"x": values}, [1000], 999, seed, 900).p_value <= 0.01
    assert found[0] <= 3
    assert found[900] >= 10


def test_what_differs_from_the_reference_is_found_though_the_early_rows_are_like_it() -> None:
    rng = np.random.default_rng(10)
    values = np.concatenate([rng.random(300), rng.random(600) + 0.2, rng.random(400) + 0.2])
    found = permutation.test({"x": permutation.numbers(values)}, [100, 400], 999, 1, 600)
    assert found.p_value <= 0.002


def test_with_early_rows_the_level_is_kept() -> None:
    rng = np.random.default_rng(11)
    p_values = []
    for seed in range(400):
        signals = {
            "x": permutation.numbers(rng.random(260)),
            "y": permutation.means(rng.random((260, 3))),
        }
        p_values.append(permutation.test(signals, [40, 100], 199, seed, 80).p_value)
    assert 0.02 <= np.mean(np.array(p_values) <= 0.05) <= 0.08
    assert 0.15 <= np.mean(np.array(p_values) <= 0.2) <= 0.25


def test_early_rows_are_compared_with_nothing_but_what_is_new() -> None:
    """Reckoned by hand: the reference alone, then with the early rows."""
    signal = permutation.means(np.array([[0.0], [1.0], [5.0], [5.0], [2.0], [4.0]]))
    table = permutation._blocks({"x": signal}, [1, 2], 2, np.random.default_rng(1))
    found = permutation._statistics({"x": signal}, table, table.sample[None], [1, 2])
    assert found[0, 0].tolist() == [3.5**2, 2.5**2, 1.25**2, 0.25**2]
