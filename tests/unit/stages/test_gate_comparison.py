"""Two models on the same documents: exact cases that were counted by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from components.core import metrics, params
from components.core.target import SingleLabel
from components.gate import comparison

TARGET = SingleLabel(["a", "b", "c"])
SETTINGS = params.load(Path(__file__).parents[3] / "params.yaml").gate


def rows(
    both: int, gained: int, lost: int, neither: int = 0, recent: int = 0, labels: str = "ab"
) -> pl.DataFrame:
    """Documents of alternating classes; the first `recent` count as newest labels."""
    total = both + gained + lost + neither
    actual = [labels[i % len(labels)] for i in range(total)]
    wrong = [labels[(i + 1) % len(labels)] for i in range(total)]
    ours = [True] * (both + gained) + [False] * (lost + neither)
    theirs = [True] * both + [False] * gained + [True] * lost + [False] * neither
    pick = [[a if right else w for a, w, right in zip(actual, wrong, r, strict=True)]
            for r in (ours, theirs)]  # fmt: skip
    return pl.DataFrame(
        {"actual": actual, "candidate": pick[0], "champion": pick[1],
         "recent": [i < recent for i in range(total)], "source": ["x"] * total,
         "length": list(range(total))}
    )  # fmt: skip


@pytest.mark.parametrize(
    ("gained", "lost", "p"),
    [
        (0, 0, 1.0),
        (5, 0, 1 / 32),
        (0, 5, 1.0),
        (3, 1, 5 / 16),  # (4 + 1) / 2**4
        (10, 2, 79 / 4096),  # (66 + 12 + 1) / 2**12
    ],
)
def test_mcnemar_is_the_binomial_test(gained: int, lost: int, p: float) -> None:
    assert comparison.mcnemar(gained, lost) == pytest.approx(p)


@pytest.mark.parametrize(
    ("values", "corrected"),
    [
        ([], []),
        ([0.04], [0.04]),
        ([0.01, 0.01], [0.02, 0.02]),
        ([0.5, 0.02, 0.03], [0.5, 0.06, 0.06]),
        ([0.6, 0.7], [1.0, 1.0]),
    ],
)
def test_holm(values: list[float], corrected: list[float]) -> None:
    assert comparison.holm(values) == pytest.approx(corrected)


def test_a_part_counts_who_wins_what() -> None:
    found = comparison.part("all", rows(both=85, gained=9, lost=2, neither=4), TARGET, SETTINGS)
    assert (found.documents, found.gained, found.lost) == (100, 9, 2)
    assert (found.candidate, found.champion) == (0.94, 0.87)
    assert found.difference == pytest.approx(0.07)
    assert found.low < found.difference < found.high
    assert found.better == pytest.approx((55 + 11 + 1) / 2**11)
    assert found.worse == pytest.approx(1 - (11 + 1) / 2**11)


def test_macro_f1_is_that_of_the_metrics() -> None:
    table = rows(both=40, gained=7, lost=3, neither=5, labels="abc")
    scores = [
        metrics.by_class(TARGET.confusion(table["actual"].to_list(), said.to_list()))
        for said in (table["candidate"], table["champion"])
    ]
    found = comparison.macro_f1_difference(table, TARGET, SETTINGS)
    assert found.value == pytest.approx(scores[0][:, 2].mean() - scores[1][:, 2].mean())
    assert found.low < found.value < found.high


def test_equal_answers_have_equal_macro_f1_in_every_resample() -> None:
    found = comparison.macro_f1_difference(
        rows(both=30, gained=0, lost=0, neither=9), TARGET, SETTINGS
    )
    assert (found.value, found.low, found.high) == (0, 0, 0)


def test_the_bounds_are_those_of_drawing_documents() -> None:
    """Against the plain bootstrap: rows drawn with replacement, everything computed anew."""
    table = rows(both=80, gained=12, lost=5, neither=8)
    generator = np.random.default_rng(1)
    drawn = []
    for _ in range(400):
        sample = table[generator.integers(len(table), size=len(table)).tolist()]
        drawn.append(comparison.part("", sample, TARGET, SETTINGS).difference)
    found = comparison.part("all", table, TARGET, SETTINGS)
    assert found.low == pytest.approx(np.quantile(drawn, 0.05), abs=0.012)
    assert found.high == pytest.approx(np.quantile(drawn, 0.95), abs=0.012)


def test_slices_are_classes_sources_and_thirds_by_length() -> None:
    table = rows(both=90, gained=0, lost=0).with_columns(
        source=pl.Series(["feed"] * 60 + ["rare"] * 10 + ["archive"] * 20)
    )
    found = comparison.slices(table, least=20)
    assert {name: len(part) for name, part in found.items()} == {
        "class a": 45, "class b": 45, "source archive": 20, "source feed": 60,
        "length 0 to 29 characters": 30, "length 30 to 59 characters": 30,
        "length 60 characters and more": 30,
    }  # fmt: skip
    assert found["length 0 to 29 characters"]["length"].max() == 29


def test_one_source_is_no_slice() -> None:
    assert not [n for n in comparison.slices(rows(60, 0, 0), least=1) if "source" in n]


def test_slices_are_corrected_for_their_number() -> None:
    found = comparison.compare(rows(both=95, gained=0, lost=5), TARGET, SETTINGS)
    assert len(found.slices) == 5
    worst = min(found.slices, key=lambda part: part.worse)
    assert (worst.name, worst.lost) == ("length 67 characters and more", 5)
    assert worst.worse == pytest.approx(5 / 32)


@pytest.mark.parametrize(
    ("recent", "sides", "p"), [(0, 1, 1 / 32), (50, 2, 2 / 32), (100, 1, 1 / 32)]
)
def test_two_looks_cost_twice(recent: int, sides: int, p: float) -> None:
    found = comparison.compare(rows(both=95, gained=5, lost=0, recent=recent), TARGET, SETTINGS)
    assert [side.name for side in found.sides] == ["test side", "newest labels"][:sides]
    assert found.better == pytest.approx(p)
