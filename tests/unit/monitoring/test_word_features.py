"""Vectors of words, small enough to be reckoned by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from monitoring.drift import word_features


def test_rare_words_weigh_most_and_words_of_all_texts_nothing() -> None:
    vectors = word_features.words([[1, 2], [1, 2], [1, 3], [1]])
    alike = vectors @ vectors.T
    assert alike[0, 1] == pytest.approx(1)
    assert alike[0, 2] == pytest.approx(0)
    assert alike[3].tolist() == [0, 0, 0, 0]
    vectors = word_features.words([[0, 1], [0, 2], [2, 3], [3]])
    assert vectors[0, 1] / vectors[0, 0] == pytest.approx(math.log(4) / math.log(2))


def test_texts_without_words_are_of_length_0() -> None:
    assert word_features.words([[], []]).shape == (2, 0)
    assert word_features.words([]).shape == (0, 0)
    vectors = word_features.words([[7], [], [4, 7]])
    assert np.linalg.norm(vectors, axis=1).tolist() == pytest.approx([1, 0, 1])


def test_samples_that_words_tell_apart() -> None:
    texts = [[0, 1], [0, 2], [1, 2], [3, 4], [3, 5], [4, 5]]
    area, lean = word_features.separability(word_features.words(texts), 3)
    assert (area, len(lean)) == (1.0, 3)
    area, _ = word_features.separability(word_features.words([[0], [1], [0], [1]]), 2)
    assert area <= 0.5
