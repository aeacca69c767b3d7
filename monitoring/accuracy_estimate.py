"""Accuracy of the answers: estimated without labels, measured with labels.

Without labels: the probabilities are calibrated on the reference (temperature and a bias for each
class) and adjusted to the window's class shares. The mean probability of the predicted label is the
estimate. If a chi-square test shows that the estimate is wrong for classes of the reference, the
difference is added. The estimate is valid for label shift: class shares may change, the texts
within a class may not.

With labels: the share of right answers in each window of time, computed again in each run, so that
late labels count in their window; and ADWIN over all labelled answers, which detects a decay.

Sources: Alexandari, Kundaje and Shrikumar, "Maximum likelihood with bias-corrected calibration"
(2020); Saerens, Latinne and Decaestecker, "Adjusting the outputs of a classifier to new a priori
probabilities" (2002); Bifet and Gavaldà, "Learning from time-changing data with adaptive windowing"
(2007), by river.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import polars as pl

from components.core import metrics
from components.core.metrics import Interval
from components.core.target import SingleLabel
from monitoring.windows import span

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

_TINY = 1e-12  # a probability of 0 has no logarithm
_PULL = 1.0  # weight in texts of the prior: temperature 1 and no bias
_ROUNDS, _CLOSE = 200, 1e-6  # of the expectation maximisation: most rounds, least change
_CHANCE = 0.05  # level of the chi-square test for wrong confidence
_LEFT_OUT = 8  # callers whose labels are left out in turn
_CLASS_PULL = 50.0  # prior weight, in texts of each class, of a confidence that is right


@dataclass(frozen=True)
class Calibrator:
    """Bias-corrected temperature scaling: softmax of log p / temperature + bias.

    Attributes:
        temperature: above 0.
        bias: (C,) one for each class.
        shares: (C,) of the classes in the calibration data; sum to 1.
    """

    temperature: float
    bias: Array
    shares: Array

    def __call__(self, probabilities: Array) -> Array:
        """Calibrates (N, C) probabilities."""
        import numpy as np

        logs = np.log(np.maximum(probabilities, _TINY)) / self.temperature + self.bias
        return _softmax(logs)


def fit(probabilities: Array, actual: Array) -> Calibrator:
    """Fits bias-corrected temperature scaling by regularized log loss.

    Args:
        probabilities: (N, C) of texts outside the training data.
        actual: (N,) index of each text's class.
    """
    import numpy as np
    from scipy.optimize import minimize

    rows, classes = np.arange(len(actual)), probabilities.shape[1]
    logs = np.log(np.maximum(probabilities, _TINY).astype(np.float64))
    truth = np.eye(classes)[actual]
    pull = _PULL / len(actual)

    def loss(x: Array) -> tuple[float, Array]:
        calibrated = _softmax(logs * np.exp(x[0]) + x[1:])
        value = -np.log(np.maximum(calibrated[rows, actual], _TINY)).mean() + pull * (x**2).sum()
        error = (calibrated - truth) / len(actual)
        slope = np.append((error * logs).sum() * np.exp(x[0]), error.sum(axis=0))
        return float(value), slope + 2 * pull * x

    solution = minimize(loss, np.zeros(classes + 1), jac=True, method="L-BFGS-B").x
    shares = (truth.sum(axis=0) + 1) / (len(actual) + classes)
    return Calibrator(float(np.exp(-solution[0])), solution[1:], shares)


def class_shares(calibrated: Array, shares: Array, weight: Array) -> Array:
    """Estimates (C,) class shares among N texts by expectation maximisation (Saerens 2002).

    Args:
        calibrated: (N, C) probabilities that are calibrated for the class shares `shares`.
        shares: (C,) positive.
        weight: (N,) of each text; sums to 1.
    """
    import numpy as np

    now = shares
    for _ in range(_ROUNDS):
        before = now
        now = np.maximum(weight @ moved(calibrated, now / shares), _TINY)
        if np.abs(now - before).max() < _CLOSE:
            break
    return now


def amiss(sure: Array, right: Array, actual: Array, classes: int) -> Array:
    """Computes (C,) differences between accuracy and mean confidence in each class.

    All are 0 if a chi-square test does not reject chance; else they are shrunk towards 0 by
    _CLASS_PULL texts.

    Args:
        sure: (N,) probability that an answer is right.
        right: (N,) True for a right answer.
        actual: (N,) index of each text's class.
        classes: C.
    """
    import numpy as np
    from scipy.special import chdtrc

    count = np.bincount(actual, minlength=classes)
    known = count > 0
    off = np.bincount(actual, right - sure, classes)
    chance = np.maximum(((right - sure) ** 2).mean() * count[known], _TINY)
    if chdtrc(known.sum(), (off[known] ** 2 / chance).sum()) > _CHANCE:
        return np.zeros(classes)
    return off / (count + _CLASS_PULL)


def sureness(
    calibrator: Calibrator, new: Array, old: Array, actual: Array, shares: Array
) -> tuple[Array, float]:
    """Computes (N,) probabilities of right answers for given class shares, and a correction.

    The correction, estimated on the reference, is added to the mean of the probabilities. Added to
    each one, it would be clipped at 1 for confident answers, and the mean would be too low.

    Args:
        calibrator: fitted to the reference.
        new: (N, C) probabilities of the answers.
        old: (M, C) probabilities of the reference.
        actual: (M,) index of the class of each text of the reference.
        shares: (C,) positive.
    """
    import numpy as np

    ratio = shares / calibrator.shares
    now, then = moved(calibrator(new), ratio), moved(calibrator(old), ratio)
    answered = old.argmax(axis=1)
    sure = then[np.arange(len(old)), answered]
    off = amiss(sure, answered == actual, actual, old.shape[1])
    return now[np.arange(len(new)), new.argmax(axis=1)], float(shares @ off)


@dataclass(frozen=True)
class Estimated:
    """Estimated accuracy of unlabelled answers.

    Attributes:
        window: share of right answers, in [0, 1].
        drop: expected accuracy on texts like the reference's less that on texts like these, in
            [-1, 1]. Both have the same estimator, so that its bias cancels out.
        shares: (C,) of the classes; sum to 1.
    """

    window: Interval
    drop: Interval
    shares: Array


class Estimator:
    """Accuracy estimator for unlabelled answers, fitted to a reference."""

    def __init__(
        self, reference: pl.DataFrame, target: SingleLabel, resamples: int, seed: int
    ) -> None:
        """Fits a calibrator to the reference, and one to each resample of its texts.

        Args:
            reference: of the bundle, with `actual` and `probabilities`.
            target: with the classes, in the order of the probabilities.
            resamples: of the bootstrap.
            seed: of the bootstrap.
        """
        import numpy as np

        self.target = target
        self._old = np.array(reference["probabilities"].to_list(), np.float64)
        self._actual = target.encode(reference["actual"])
        self._seed = seed
        generator, rows = np.random.default_rng(seed), len(self._old)
        self._drawn = [np.arange(rows)]
        self._drawn += [generator.integers(0, rows, rows) for _ in range(resamples)]
        self._calibrators = [fit(self._old[rows], self._actual[rows]) for rows in self._drawn]
        self._usual = [self._accuracy_of_reference(i) for i in range(len(self._drawn))]

    def __call__(self, probabilities: Array, texts: Sequence[str], confidence: float) -> Estimated:
        """Estimates the accuracy of N answers with bootstrap intervals.

        For `window`, each resample keeps the texts and draws right or wrong for each answer. For
        `drop`, each resample draws the texts, because it is an expectation over such texts.

        Args:
            probabilities: (N, C) of the answers.
            texts: (N,) texts. Answers to equal texts are right or wrong together.
            confidence: of the intervals, in (0, 1).
        """
        import numpy as np

        # dtype object: an array of strings would pad each text to the longest.
        _, first, counts = np.unique(np.array(texts, object), return_index=True, return_counts=True)
        new = np.asarray(probabilities, np.float64)[first]
        own = counts / counts.sum()
        ((sure, more, shares),) = self._estimates(0, new, own)
        accuracy = float(own @ sure) + more
        generator, drawn = np.random.default_rng(self._seed), []
        for i in range(1, len(self._drawn)):
            again = generator.multinomial(len(own), own) / len(own)
            (likely, more, _), (expected, besides, _) = self._estimates(i, new, own, again)
            right = generator.random(len(new)) < likely
            drawn.append((own @ right + more, self._usual[i] - again @ expected - besides))
        # Weibull's plotting positions k / (n + 1) keep the coverage with few resamples.
        sides = [(1 - confidence) / 2, (1 + confidence) / 2]
        ends = np.quantile(drawn, sides, axis=0, method="weibull")
        (low, high), (drop_low, drop_high) = ends.T.tolist()
        window, drop = min(max(accuracy, 0.0), 1.0), self._usual[0] - accuracy
        return Estimated(
            Interval(window, min(max(low, 0.0), window), max(min(high, 1.0), window)),
            Interval(drop, min(drop_low, drop), max(drop_high, drop)),
            shares,
        )

    def _accuracy_of_reference(self, i: int) -> float:
        """Estimates the accuracy on the i-th resample of the reference."""
        old, actual = self._old[self._drawn[i]], self._actual[self._drawn[i]]
        sure, more = sureness(self._calibrators[i], old, old, actual, self._calibrators[i].shares)
        return float(sure.mean()) + more

    def _estimates(self, i: int, new: Array, *weights: Array) -> list[tuple[Array, float, Array]]:
        """Computes `sureness` and class shares by the i-th resample, for each weight of `new`."""
        old, actual = self._old[self._drawn[i]], self._actual[self._drawn[i]]
        calibrator = self._calibrators[i]
        calibrated = calibrator(new)
        every = [class_shares(calibrated, calibrator.shares, weight) for weight in weights]
        return [(*sureness(calibrator, new, old, actual, shares), shares) for shares in every]


def reweighed(reference: pl.DataFrame, target: SingleLabel, shares: Array, seed: int) -> Any:
    """Samples rows of `reference` with these class shares, so that only other drift remains.

    The sample is without replacement, because duplicate rows would look like drift.
    """
    import numpy as np

    actual, classes = target.encode(reference["actual"]), len(shares)
    counts = np.bincount(actual, minlength=classes)
    rows = min(len(actual), float(((counts + 1) / np.maximum(shares, _TINY)).min()))
    mixed = np.random.default_rng(seed).permutation(len(actual))
    rows_by_class = np.rint(rows * shares).astype(int)
    sample = [mixed[actual[mixed] == i][: rows_by_class[i]] for i in range(classes)]
    return reference[np.sort(np.concatenate(sample))]


@dataclass(frozen=True)
class Measured:
    """Accuracy of the labelled answers of one window of time, [start, end) in UTC."""

    start: datetime
    end: datetime
    labelled: int
    accuracy: Interval

    def as_dict(self) -> dict[str, Any]:
        return {
            "start": self.start.isoformat(),
            "end": self.end.isoformat(),
            "labelled": self.labelled,
            "accuracy": self.accuracy.rounded(),
        }


def by_time(
    rows: Iterable[tuple[datetime, bool]], hours: float, confidence: float
) -> list[Measured]:
    """Computes the accuracy of each window with labels, the oldest first.

    Args:
        rows: time of a prediction, and True for a right one.
        hours: length of a window.
        confidence: of the intervals.
    """
    answers: dict[datetime, list[bool]] = {}
    ends: dict[datetime, datetime] = {}
    for time, right in rows:
        start, end = span(time, hours)
        answers.setdefault(start, []).append(right)
        ends[start] = end
    return [
        Measured(start, ends[start], len(right), metrics.wilson(sum(right), len(right), confidence))
        for start, right in sorted(answers.items())
    ]


@dataclass(frozen=True)
class Decay:
    """Fall of the measured accuracy.

    Attributes:
        time: UTC time of the prediction at which ADWIN detected the fall.
        before, after: accuracy, in [0, 1].
    """

    time: datetime
    before: float
    after: float

    def as_dict(self) -> dict[str, Any]:
        return {"time": self.time.isoformat(), "before": self.before, "after": self.after}


def decay(rows: Iterable[tuple[datetime, bool]], delta: float) -> Decay | None:
    """Detects the newest fall of the accuracy; None without one, or after a later rise.

    Args:
        rows: as in `by_time`, in any order.
        delta: ADWIN's chance of a false detection, in (0, 1).
    """
    from river.drift import ADWIN

    make: Any = ADWIN  # without types
    detector, newest = make(delta=delta), None
    for time, right in sorted(rows):
        before = float(detector.estimation)
        detector.update(int(right))
        if detector.drift_detected:
            after = float(detector.estimation)
            newest = Decay(time, round(before, 4), round(after, 4)) if after < before else None
    return newest


def decay_without_each(
    rows: Sequence[tuple[datetime, bool, str | None]], delta: float
) -> Decay | None:
    """The mildest fall that is detected whichever caller's labels are left out; else None.

    Args:
        rows: time of a prediction, True for a right one, and the caller who says so; None for one
            whose labels may decide alone.
        delta: as for `decay`.

    The callers with the most labels are left out, one after the other.
    """
    labels = Counter(caller for _, _, caller in rows if caller is not None)
    callers: list[str | None] = [caller for caller, _ in labels.most_common(_LEFT_OUT)]
    decays = []
    for left_out in callers or [None]:
        part = [
            (time, right) for time, right, caller in rows if caller is None or caller != left_out
        ]
        decays.append(decay(part, delta))
    falls = [fall for fall in decays if fall is not None]
    return max(falls, key=lambda fall: fall.after) if len(falls) == len(decays) else None


def _softmax(logs: Array) -> Array:
    import numpy as np

    powers = np.exp(logs - logs.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)  # type: ignore[no-any-return]


def moved(calibrated: Array, ratio: Array) -> Array:
    """Adjusts (N, C) probabilities to classes that are (C,) `ratio` times as common."""
    weighed = calibrated * ratio
    return weighed / weighed.sum(axis=1, keepdims=True)  # type: ignore[no-any-return]
