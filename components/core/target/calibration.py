"""Makes confidence mean what it says, and finds where a model should rather say "unsure"."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

NEVER = 2.0  # a confidence that no answer has
_COLDEST, _HOTTEST = 0.05, 20.0  # temperatures that are looked at
_CHANCE = 0.95  # of perfectly calibrated models have a smaller error than `calibration_noise`
_DRAWS = 400  # simulated test sides
_FEW = 200  # documents, see `temperature`
_TINY = 1e-12  # a probability of 0 has no logarithm


@dataclass(frozen=True)
class Calibration:
    """Calibration of a model's probabilities before anybody sees them.

    Attributes:
        temperature: above 0; over 1 makes the model less sure, under 1 surer.
        abstain_below: confidence in [0, 1] below which the answer is "unsure"; or NEVER.
    """

    temperature: float = 1.0
    abstain_below: float = 0.0


def tempered(probabilities: Array, temperature: float) -> Array:
    """(N, C) probabilities to the power 1 / temperature, rows summing to 1 again."""
    import numpy as np

    powers = np.maximum(probabilities, _TINY) ** (1 / temperature)
    return powers / powers.sum(axis=1, keepdims=True)  # type: ignore[no-any-return]


def temperature(probabilities: Array, actual: Array) -> float:
    """The temperature with the least log loss (Guo et al. 2017, "On Calibration", section 4.2).

    Where N is below _FEW the labels are smoothed by 1 / (N + 2), as Platt's targets are (1999,
    "Probabilistic Outputs for Support Vector Machines"): a few dozen right answers prove no
    certainty.

    Args:
        probabilities: (N, C) of documents that the model did not learn from.
        actual: (N,) index of each document's class.
    """
    import numpy as np
    from scipy.optimize import minimize_scalar

    rows, classes = np.arange(len(actual)), probabilities.shape[1]
    smoothing = 1 / (len(actual) + 2) if len(actual) < _FEW else 0.0

    def loss(logarithm: float) -> float:
        answers = tempered(probabilities, float(np.exp(logarithm)))
        right = np.maximum(answers[rows, actual], _TINY)
        result = -(1 - smoothing) * np.log(right).mean()
        if smoothing and classes > 1:
            others = np.log(np.maximum(answers, _TINY)).sum(axis=1) - np.log(right)
            result -= smoothing * others.mean() / (classes - 1)
        return float(result)

    bounds = (np.log(_COLDEST), np.log(_HOTTEST))
    found = minimize_scalar(loss, bounds=bounds, method="bounded")
    return round(float(np.exp(found.x)), 6)


def abstain_below(confidence: Array, right: Array, accuracy: float) -> float:
    """The least confidence from which answers are right often enough.

    Args:
        confidence: (N,) in [0, 1].
        right: (N,) whether each answer was right.
        accuracy: that the answers which are given shall have, in [0, 1].

    Returns:
        A threshold in [0, 1]: 0 if all answers together are right often enough; NEVER if no
        threshold will do.
    """
    import numpy as np

    order = np.argsort(-confidence, kind="stable")
    sure, hits = confidence[order], np.cumsum(right[order])
    share = hits / np.arange(1, len(sure) + 1)
    # Equal confidences are answered together or not at all.
    last = np.append(sure[1:] < sure[:-1], True)
    good = np.flatnonzero((share >= accuracy) & last)
    if not len(good):
        return NEVER
    return 0.0 if good[-1] == len(sure) - 1 else float(sure[good[-1]])


def expected_calibration_error(confidence: Array, right: Array, bins: int) -> float:
    """Mean distance of confidence from the share that is right, in [0, 1].

    Naeini, Cooper and Hauskrecht 2015, with bins that hold equally many documents: those of equal
    width are almost all empty where a model is good, and the full one decides alone.

    Args:
        confidence: (N,) in [0, 1].
        right: (N,) whether each answer was right.
        bins: at most N are used.
    """
    import numpy as np

    if not len(confidence):
        return 0.0
    order = np.argsort(confidence, kind="stable")
    parts = np.array_split(order, min(bins, len(order)))
    gaps = [len(p) * abs(confidence[p].mean() - right[p].mean()) for p in parts]
    return float(sum(gaps) / len(order))


def calibration_noise(confidence: Array, bins: int, seed: int) -> float:
    """Calibration error that so few documents give a perfectly calibrated model in 1 of 20 cases.

    The error of a small test side is large by chance alone: each bin holds few documents.
    Consistency resampling (Broecker and Smith 2007): each answer is right with the probability of
    its confidence.

    Args:
        confidence: (N,) in [0, 1].
        bins: as in `expected_calibration_error`.
        seed: of the simulation.

    Returns:
        The 95 % quantile of the expected calibration error, in [0, 1].
    """
    import numpy as np

    if not len(confidence):
        return 0.0
    rising = np.sort(confidence)
    parts = np.array_split(np.arange(len(rising)), min(bins, len(rising)))
    starts = [part[0] for part in parts]
    expected = np.add.reduceat(rising, starts)
    generator = np.random.default_rng(seed)
    errors = [
        np.abs(expected - np.add.reduceat(draw < rising, starts, dtype=np.float64)).sum()
        for draw in (generator.random(len(rising)) for _ in range(_DRAWS))
    ]
    return float(np.quantile(errors, _CHANCE)) / len(rising)
