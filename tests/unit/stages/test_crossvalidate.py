"""Folds keep near duplicates together, and two recipes are compared as they should be."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from components.core import params as parameters
from components.core.errors import DataError
from components.core.params import Params
from components.core.paths import Paths
from components.experiments import crossvalidate

PROJECT = parameters.load(Path(__file__).parents[3] / "params.yaml")


def test_folds_are_even_and_keep_groups_together() -> None:
    group = np.array([0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
    fold = crossvalidate.assign(group, 3, seed=5)
    assert sorted(Counter(fold.tolist()).values()) == [4, 4, 4]
    assert len(set(fold[:3])) == 1
    assert (crossvalidate.assign(group, 3, seed=5) == fold).all()
    assert (crossvalidate.assign(group, 3, seed=6) != fold).any()


def test_texts_that_repeat_each_other_are_a_group() -> None:
    story = " ".join(f"word{i}" for i in range(60))
    other = " ".join(f"thing{i}" for i in range(60))
    found = crossvalidate.groups([story, other, story + " more"], PROJECT.split)
    assert found[0] == found[2] != found[1]


@pytest.mark.parametrize(
    ("differences", "tested", "p"),
    [
        ([0.0, 0.0, 0.0], 0.25, 1.0),
        ([0.1, 0.1, 0.1], 0.25, 0.0),
        # By hand: mean 0.02, variance 0.0001, t = 0.02 / sqrt((1/5 + 1/4) 0.0001) = 2.98, 4 df
        ([0.01, 0.01, 0.02, 0.03, 0.03], 0.25, 0.0406),
    ],
)
def test_corrected_t(differences: list[float], tested: float, p: float) -> None:
    found = crossvalidate.corrected_t(differences, tested)
    assert found.p == pytest.approx(p, abs=2e-4)


def test_every_document_is_asked_about_once_a_repeat_and_never_learned_from() -> None:
    labels = PROJECT.ingest.labels[:2]
    rows = [(f"{labels[i % 2]} text {i} of its own kind {i * i}", labels[i % 2]) for i in range(30)]
    table = pl.DataFrame(rows, schema=["text", "label"], orient="row")
    asked: list[str] = []

    def answer(name: str, params: Params, learned: pl.DataFrame, texts: Sequence[str]) -> list[str]:
        assert not set(texts) & set(learned["text"])
        asked.extend(texts)
        right = [text.split()[0] for text in texts]
        return right if name == "good" else [labels[0]] * len(texts)

    results = list(crossvalidate.run(PROJECT, table, ["good", "bad"], 3, 2, answer))
    assert Counter(asked) == dict.fromkeys(table["text"], 4)  # two candidates, two repeats
    found = crossvalidate.summary(results, 3)["candidates"]
    assert (found["good"]["accuracy"], found["good"]["errors"]) == (1.0, 0)
    assert found["bad"]["errors"] == 30
    assert found["bad"]["first_is_better_by"] == pytest.approx(0.5)


def test_the_baseline_learns() -> None:
    learned = pl.DataFrame({"text": ["bank money", "goal match"] * 4, "label": ["a", "b"] * 4})
    said = crossvalidate.answer("svm", PROJECT, learned, ["the money", "a match"])
    assert said == ["a", "b"]


def test_without_a_split_it_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="newsloop run"):
        crossvalidate.documents(Paths(tmp_path, tmp_path / "home"))
