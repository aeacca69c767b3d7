"""The candidate and the simplest models: exact cases, and who is released by them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl
import pytest

from components.core import metrics
from components.core.metrics import Interval
from components.core.params.gate import Gate
from components.core.target import SingleLabel
from components.gate import baselines, comparison
from components.gate.baselines import Baseline, Metric
from components.gate.checks import against_baselines, verdict

TARGET = SingleLabel(["a", "b", "c"])
SETTINGS = Gate(resamples=400)


def rows(
    *kinds: tuple[int, str, str, str], majority: str = "a", missing: bool = False
) -> pl.DataFrame:
    """Documents by (how many, actual, candidate, linear baseline)."""
    documents = [kind[1:] for kind in kinds for _ in range(kind[0])]
    columns = ["actual", "candidate", "baseline"]
    table = pl.DataFrame(documents, schema=columns, orient="row")
    if missing:
        table = table.with_columns(baseline=pl.lit(None, pl.String))
    return table.with_columns(majority=pl.lit(majority))


def compared(table: pl.DataFrame, metric: Metric = Metric.ACCURACY) -> list[Baseline]:
    return baselines.compare([table], TARGET, SETTINGS, metric)[0]


def decided(found: Sequence[Baseline]) -> str:
    return verdict(against_baselines(found, SETTINGS))


def even(both: int, gained: int, lost: int, neither: int = 0) -> pl.DataFrame:
    """Half a, half b; the candidate gains and loses these against the linear baseline."""
    parts = [(both, True, True), (gained, True, False), (lost, False, True),
             (neither, False, False)]  # fmt: skip
    other = {"a": "b", "b": "a"}
    kinds = [
        (count // 2 + (count % 2 if actual == "a" else 0), actual,
         actual if ours else other[actual], actual if theirs else other[actual])
        for count, ours, theirs in parts
        for actual in "ab"
    ]  # fmt: skip
    return rows(*kinds)


@pytest.mark.parametrize(
    ("both", "gained", "lost", "neither", "expected"),
    [
        (20, 0, 0, 2, "release"),  # 22 texts: 10 of 11 gained over the majority class
        (19, 0, 3, 0, "release"),  # not proven worse than the linear baseline: 1/8
        (17, 0, 5, 0, "refuse"),  # proven worse by more than 2 points: 0.048
        (65, 0, 5, 0, "release"),  # of 70: worse by 7 points, and not proven to be by 2: 0.11
        (11, 1, 1, 9, "keep"),  # 12 of 22 right: not proven better than the majority class
        (380, 2, 2, 16, "release"),
        (380, 0, 8, 12, "keep"),  # of 400: not proven to be at most 2 points worse
        (360, 2, 14, 24, "release"),  # of 400: 3 points worse, not proven to be by 2
        (360, 2, 24, 14, "refuse"),  # of 400: proven worse by more than 2 points
        (1900, 10, 12, 78, "release"),  # of 2,000: proven not worse by the margin
        (1900, 5, 65, 30, "keep"),  # 3 points worse where equality could be proven
    ],
)
def test_a_first_release_beats_the_majority_and_is_not_worse_than_the_linear_baseline(
    both: int, gained: int, lost: int, neither: int, expected: str
) -> None:
    assert decided(compared(even(both, gained, lost, neither))) == expected


def test_a_linear_baseline_without_answers_is_not_compared() -> None:
    table = rows((20, "a", "a", "a"), (20, "b", "b", "b"), missing=True)
    assert [baseline.model for baseline in compared(table)] == ["majority"]


RARE = ((90, "a", "a", "a"), (4, "a", "b", "a"), (4, "b", "b", "a"), (2, "b", "a", "a"))


def test_a_model_that_finds_the_rare_class_is_better_in_macro_f1_though_not_in_accuracy() -> None:
    """94 of 100 are right, as with the majority class; 4 of the 6 rare documents are found."""
    accuracy, macro_f1 = (compared(rows(*RARE), metric)[0] for metric in Metric)
    assert (accuracy.candidate, accuracy.simple) == (0.94, 0.94)
    assert accuracy.better > 0.5
    assert macro_f1.better < 0.02
    scores = metrics.by_class(SingleLabel(["a", "b"]).confusion(
        rows(*RARE)["actual"].to_list(), rows(*RARE)["candidate"].to_list()))  # fmt: skip
    assert macro_f1.candidate == pytest.approx(scores[:, 2].mean())


def test_a_guess_by_the_shares_of_the_classes_is_no_better_than_the_majority_class() -> None:
    """Its macro F1 is higher than that of the majority class; it knows nothing all the same."""
    generator = np.random.default_rng(3)
    better = []
    for _ in range(60):
        actual, guess = generator.choice(["a", "b"], (2, 100), p=[0.9, 0.1])
        table = pl.DataFrame({"actual": actual, "candidate": guess, "champion": "a"})
        better.append(baselines.informative(table, Gate(resamples=99)))
    assert np.mean(np.array(better) <= 0.05) <= 0.1
    assert np.mean(better) > 0.35


def test_swapped_answers_test_macro_f1() -> None:
    def both(*kinds: tuple[int, str, str, str]) -> tuple[float, float]:
        pair = rows(*kinds).select("actual", "candidate", champion="baseline")
        return baselines.swapped(pair, TARGET, SETTINGS)

    better, worse = both((50, "a", "a", "a"), (6, "b", "b", "a"))
    assert (better < 0.05, worse > 0.9) == (True, True)
    better, worse = both((50, "a", "a", "a"), (6, "b", "a", "b"))
    assert (worse < 0.05, better > 0.9) == (True, True)
    assert both((50, "a", "a", "a"), (6, "b", "b", "b")) == (1.0, 1.0)


def test_a_check_is_asked_of_all_parts_or_of_none() -> None:
    """Without one caller's texts the rest is too small for a proof; so it is not asked of any."""
    whole, rest = even(1900, 10, 12, 78), even(18, 1, 2, 1)
    (_, first), (_, second) = baselines.compare([whole, rest], TARGET, SETTINGS, Metric.ACCURACY)
    assert (first.provable, second.provable) == (False, False)
    assert compared(whole)[1].provable


def test_the_documents_needed_prove_the_lead() -> None:
    """Of the sample size that is computed, four of five simulated test sides prove the lead."""
    settings = Gate(margin=0.05)
    sample = baselines.sample(Interval(0.9, 0.8, 0.95), 50, 0, 0.15, settings)
    generator = np.random.default_rng(5)
    gained, lost = 0.10, 0.05
    counts = generator.multinomial(sample.needed, [gained, lost, 1 - gained - lost], 400)
    proven = [comparison.mcnemar(int(g), int(n)) <= 0.05 for g, n, _ in counts]
    assert 0.73 < np.mean(proven) < 0.87
