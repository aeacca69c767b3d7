"""POST /explain: a bundle's own way where it has one, leaving words out where it has not."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from components.core.bundle.explanation import Explanation, gather, path
from serving.http.answers import Explained, WordWeight
from serving.models import explain


class Old:
    """A bundle of before: "film" speaks for b, everything else is nothing to it."""

    explains, labels = False, ["a", "b"]

    def predict(self, texts: Sequence[str]) -> Any:
        likely = np.array([0.9 if "film" in text.lower() else 0.5 for text in texts])
        probabilities = np.stack([1 - likely, likely], axis=1)
        return SimpleNamespace(labels=["b"], confidence=likely, probabilities=probabilities)

    def explain(self, texts: Sequence[str]) -> list[Explanation]:
        raise AssertionError("it cannot")


class New(Old):
    explains = True

    def explain(self, texts: Sequence[str]) -> list[Explanation]:
        return [Explanation("b", 0.9, 0.5, {"a": -0.1, "film": 0.7})]


def test_a_bundle_that_explains_is_asked_once() -> None:
    assert explain.explain("v1", New(), "A film of films", seconds=1) == Explained(
        model="v1",
        label="b",
        confidence=0.9,
        method=explain.GRADIENTS,
        baseline=0.5,
        words=[WordWeight("film", 0.7), WordWeight("a", -0.1)],
        tried=2,
        distinct=4,
    )


def test_an_older_one_is_asked_without_each_word() -> None:
    found = explain.explain("v1", Old(), "a Film", seconds=1)
    assert (found.method, found.baseline) == (explain.OCCLUSION, None)
    assert [word.word for word in found.words] == ["film", "a"]
    assert [word.weight for word in found.words] == pytest.approx([0.4, 0.0])
    assert explain.explain("v1", Old(), "", seconds=1).words == []


def test_when_the_time_is_up_the_rest_is_not_tried() -> None:
    ticks = count()  # a second passes between two looks
    text = " ".join(f"w{i}" for i in range(100))
    found = explain.explain("v1", Old(), text, 2.5, lambda: next(ticks))
    assert (found.tried, found.distinct) == (2 * explain.TRIED_TOGETHER, 100)


def test_places_of_a_word_are_added_up_and_padding_is_none() -> None:
    found = gather(["the", "film", "the", ""], [1.0, 2.0, 0.5, 9.0])
    assert found == {"the": 1.5, "film": 2.0}


def test_the_path_is_integrated_whole() -> None:
    places, shares = path(4)
    for power in range(3):
        assert (shares * places**power).sum() == pytest.approx(1 / (power + 1))
