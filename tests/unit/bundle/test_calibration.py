"""Confidence is made honest, and abstention keeps its promise."""

from __future__ import annotations

import numpy as np
import pytest

from components.core.target import calibration


def made(sharpness: float, count: int = 4000) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities of three classes, as often right as they say, then sharpened."""
    draw = np.random.default_rng(3)
    honest = draw.dirichlet([0.6, 0.6, 0.6], count)
    actual = (honest.cumsum(axis=1) > draw.random((count, 1))).argmax(axis=1)
    return calibration.tempered(honest, 1 / sharpness), actual


@pytest.mark.parametrize("sharpness", [0.5, 1.0, 2.0, 3.0])
def test_the_temperature_undoes_what_was_done(sharpness: float) -> None:
    probabilities, actual = made(sharpness)
    found = calibration.temperature(probabilities, actual)
    assert found == pytest.approx(sharpness, rel=0.08)
    mended = calibration.tempered(probabilities, found)
    right = mended.argmax(axis=1) == actual
    assert calibration.expected_calibration_error(mended.max(axis=1), right, 15) < 0.03
    assert (mended.argmax(axis=1) == probabilities.argmax(axis=1)).all()
    np.testing.assert_allclose(mended.sum(axis=1), 1)


@pytest.mark.parametrize(
    ("confidence", "right", "accuracy", "threshold"),
    [
        ([0.9, 0.8, 0.7], [1, 1, 1], 0.99, 0.0),
        ([0.9, 0.8, 0.7, 0.6], [1, 1, 0, 1], 0.75, 0.0),
        ([0.9, 0.8, 0.7, 0.6], [1, 1, 0, 1], 0.99, 0.8),
        ([0.9, 0.8, 0.8, 0.6], [1, 1, 0, 1], 0.99, 0.9),  # equals stay together
        ([0.9, 0.8], [0, 0], 0.5, calibration.NEVER),
        ([0.9, 0.8], [0, 0], 0.0, 0.0),
        ([], [], 0.9, calibration.NEVER),
    ],
)
def test_where_to_abstain(
    confidence: list[float], right: list[int], accuracy: float, threshold: float
) -> None:
    found = calibration.abstain_below(np.array(confidence), np.array(right, bool), accuracy)
    assert found == threshold


@pytest.mark.parametrize(
    ("confidence", "right", "bins", "error"),
    [
        ([0.5, 0.5], [1, 0], 1, 0.0),
        ([1.0, 1.0], [1, 0], 1, 0.5),
        ([0.2, 0.8], [0, 1], 2, 0.2),
        ([], [], 5, 0.0),
    ],
)
def test_calibration_error(
    confidence: list[float], right: list[int], bins: int, error: float
) -> None:
    found = calibration.expected_calibration_error(np.array(confidence), np.array(right), bins)
    assert found == pytest.approx(error)
