"""How good are the answers? Estimated without labels, measured with them.

Without labels: probabilities are calibrated on the reference (temperature and a bias for each
class), moved to the window's own class shares, and the mean probability of the given label is the
estimate. Where the reference's texts of a class are answered better or worse than that says, and
more so than chance explains, the difference is added. It holds while the texts of a class are such
as the reference knows, however many each class has; where that is not so, it says so.

With labels: the share of right answers in each window of time, anew in each run, so that late
labels count where they belong; and ADWIN over all of them, which finds when it became less.

Sources: Alexandari, Kundaje and Shrikumar, "Maximum likelihood with bias-corrected calibration"
(2020); Saerens, Latinne and Decaestecker, "Adjusting the outputs of a classifier to new a priori
probabilities" (2002); Bifet and Gavaldà, "Learning from time-changing data with adaptive windowing"
(2007), by river.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import polars as pl

from components.core import metrics
from components.core.metrics import Interval
from monitoring.windows import span

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

_TINY = 1e-12  # a probability of 0 has no logarithm
_PULL = 1.0  # texts that speak for temperature 1 and no bias, beside the real ones
_ROUNDS, _CLOSE = 200, 1e-6  # of the expectation maximisation; it ends when shares move less
_CHANCE = 0.05  # that answers are thought amiss which are not
_CLASS_PULL = 50.0  # texts of each class that are answered just as well as is believed


@dataclass(frozen=True)
class Calibrator:
    """log p -> log p / temperature + bias, normalised again.

    Attributes:
        temperature: above 0.
        bias: (C,) of each class.
        shares: (C,) of the classes where it was fitted; sum to 1.
    """

    temperature: float
    bias: Array
    shares: Array

    def __call__(self, probabilities: Array) -> Array:
        """(N, C) calibrated."""
        import numpy as np

        logs = np.log(np.maximum(probabilities, _TINY)) / self.temperature + self.bias
        return _softmax(logs)


def fit(probabilities: Array, actual: Array) -> Calibrator:
    """Bias-corrected temperature scaling by least log loss.

    Args:
        probabilities: (N, C) of texts that the model did not learn from.
        actual: (N,) index of each text's class.
    """
    import numpy as np
    from scipy.optimize import minimize

    rows, classes = np.arange(len(actual)), probabilities.shape[1]
    logs = np.log(np.maximum(probabilities, _TINY).astype(np.float64))
    truth = np.eye(classes)[actual]
    pull = _PULL / len(actual)

    def loss(x: Array) -> tuple[float, Array]:
        said = _softmax(logs * np.exp(x[0]) + x[1:])
        value = -np.log(np.maximum(said[rows, actual], _TINY)).mean() + pull * (x**2).sum()
        error = (said - truth) / len(actual)
        slope = np.append((error * logs).sum() * np.exp(x[0]), error.sum(axis=0))
        return float(value), slope + 2 * pull * x

    found = minimize(loss, np.zeros(classes + 1), jac=True, method="L-BFGS-B").x
    shares = (truth.sum(axis=0) + 1) / (len(actual) + classes)
    return Calibrator(float(np.exp(-found[0])), found[1:], shares)


def class_shares(calibrated: Array, shares: Array, weight: Array) -> Array:
    """(C,) shares of the classes among N texts, by expectation maximisation (Saerens 2002).

    Args:
        calibrated: (N, C) probabilities that hold where the classes have `shares`.
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
    """(C,) how much more often the texts of a class are answered right than is believed.

    0 for all where a chi-square test says that chance explains it; else drawn towards 0 by
    _CLASS_PULL texts.

    Args:
        sure: (N,) probability that an answer is right.
        right: (N,) whether it is.
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
    """(N,) probabilities that answers are right, where the classes have `shares`.

    With it comes what is to be added to their mean, as the reference has it. It is not added to
    each: those that are nearly sure have no room above, and the mean would come out too low.

    Args:
        calibrator: fitted to the reference.
        new: (N, C) what the model said.
        old: (M, C) of the reference.
        actual: (M,) index of each of its texts' class.
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
    """The accuracy of answers that nobody has labelled.

    Attributes:
        window: share of these answers that is right, in [0, 1].
        drop: how much smaller that share is expected to be of very many such texts than of texts
            such as the reference's, in [-1, 1]. Both are estimated alike: what so few texts say
            wrongly of a model is in both, and cancels out.
        shares: (C,) of the classes; sum to 1.
    """

    window: Interval
    drop: Interval
    shares: Array


class Estimator:
    """What a reference says of answers that nobody has labelled."""

    def __init__(
        self, reference: pl.DataFrame, classes: Sequence[str], resamples: int, seed: int
    ) -> None:
        """Fits a calibrator to the reference, and one to each resample of its texts.

        Args:
            reference: of the bundle, with `actual` and `probabilities`.
            classes: in the order of the probabilities.
            resamples: of the bootstrap.
            seed: of the bootstrap.
        """
        import numpy as np

        self._old = np.array(reference["probabilities"].to_list(), np.float64)
        self._actual = np.array([classes.index(label) for label in reference["actual"]])
        self._seed = seed
        generator, rows = np.random.default_rng(seed), len(self._old)
        self._drawn = [np.arange(rows)]
        self._drawn += [generator.integers(0, rows, rows) for _ in range(resamples)]
        self._calibrators = [fit(self._old[rows], self._actual[rows]) for rows in self._drawn]
        self._usual = [self._accuracy_of_reference(i) for i in range(len(self._drawn))]

    def __call__(self, probabilities: Array, texts: Sequence[str], confidence: float) -> Estimated:
        """The accuracy of N answers.

        Each resample draws, for `window`, whether each answer is right: its accuracy is no
        expectation, and its texts are what is asked about, and stay. For `drop` it draws the texts.

        Args:
            probabilities: (N, C) of the answers.
            texts: (N,). Answers to one and the same are right or wrong together.
            confidence: of the intervals, in (0, 1).
        """
        import numpy as np

        # As objects: an array of strings gives each the room of the longest.
        held = np.array(texts, object)
        _, first, counts = np.unique(held, return_index=True, return_counts=True)
        new = np.asarray(probabilities, np.float64)[first]
        own = counts / counts.sum()
        ((sure, more, shares),) = self._said(0, new, own)
        accuracy = float(own @ sure) + more
        generator, drawn = np.random.default_rng(self._seed), []
        for i in range(1, len(self._drawn)):
            again = generator.multinomial(len(own), own) / len(own)
            (likely, more, _), (expected, besides, _) = self._said(i, new, own, again)
            right = generator.random(len(new)) < likely
            drawn.append((own @ right + more, self._usual[i] - again @ expected - besides))
        # By Weibull's positions k / (n + 1) even a few resamples hold as often as they should.
        sides = [(1 - confidence) / 2, (1 + confidence) / 2]
        ends = np.quantile(drawn, sides, axis=0, method="weibull")
        (low, high), (least, most) = ends.T.tolist()
        window, drop = min(max(accuracy, 0.0), 1.0), self._usual[0] - accuracy
        return Estimated(
            Interval(window, min(max(low, 0.0), window), max(min(high, 1.0), window)),
            Interval(drop, min(least, drop), max(most, drop)),
            shares,
        )

    def _accuracy_of_reference(self, i: int) -> float:
        """By the i-th drawing, of its own texts."""
        old, actual = self._old[self._drawn[i]], self._actual[self._drawn[i]]
        sure, more = sureness(self._calibrators[i], old, old, actual, self._calibrators[i].shares)
        return float(sure.mean()) + more

    def _said(self, i: int, new: Array, *weights: Array) -> list[tuple[Array, float, Array]]:
        """By the i-th drawing, for each weight of the new texts: `sureness`, and the shares."""
        old, actual = self._old[self._drawn[i]], self._actual[self._drawn[i]]
        calibrator = self._calibrators[i]
        calibrated = calibrator(new)
        every = [class_shares(calibrated, calibrator.shares, weight) for weight in weights]
        return [(*sureness(calibrator, new, old, actual, shares), shares) for shares in every]


def reweighed(reference: pl.DataFrame, classes: Sequence[str], shares: Array, seed: int) -> Any:
    """As many rows of `reference` as have these class shares, so that only other drift remains.

    No row is taken twice: equal rows would look like drift themselves.
    """
    import numpy as np

    actual = np.array([classes.index(label) for label in reference["actual"]])
    held = np.bincount(actual, minlength=len(classes))
    rows = min(len(actual), float(((held + 1) / np.maximum(shares, _TINY)).min()))
    mixed = np.random.default_rng(seed).permutation(len(actual))
    wanted = np.rint(rows * shares).astype(int)
    kept = [mixed[actual[mixed] == i][: wanted[i]] for i in range(len(classes))]
    return reference[np.sort(np.concatenate(kept))]


@dataclass(frozen=True)
class Measured:
    """The labelled answers of one window of time, [start, end) in UTC."""

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
    """Accuracy of each window that has labels, the oldest first.

    Args:
        rows: time of a prediction, and whether it was right.
        hours: of a window.
        confidence: of the intervals.
    """
    found: dict[datetime, list[bool]] = {}
    ends: dict[datetime, datetime] = {}
    for time, right in rows:
        start, end = span(time, hours)
        found.setdefault(start, []).append(right)
        ends[start] = end
    return [
        Measured(start, ends[start], len(right), metrics.wilson(sum(right), len(right), confidence))
        for start, right in sorted(found.items())
    ]


@dataclass(frozen=True)
class Decay:
    """Since when answers are less often right.

    Attributes:
        time: of the prediction at which it was certain, UTC.
        before, after: share that was right.
    """

    time: datetime
    before: float
    after: float

    def as_dict(self) -> dict[str, Any]:
        return {"time": self.time.isoformat(), "before": self.before, "after": self.after}


def decay(rows: Iterable[tuple[datetime, bool]], delta: float) -> Decay | None:
    """The newest fall of the accuracy, None if there is none or it has risen again since.

    Args:
        rows: as `by_time`; they are taken by time.
        delta: chance of a false finding, in (0, 1), as ADWIN has it.
    """
    from river.drift import ADWIN

    make: Any = ADWIN  # without types
    detector, found = make(delta=delta), None
    for time, right in sorted(rows):
        before = float(detector.estimation)
        detector.update(int(right))
        if detector.drift_detected:
            after = float(detector.estimation)
            found = Decay(time, round(before, 4), round(after, 4)) if after < before else None
    return found


def _softmax(logs: Array) -> Array:
    import numpy as np

    powers = np.exp(logs - logs.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)  # type: ignore[no-any-return]


def moved(calibrated: Array, ratio: Array) -> Array:
    """(N, C) probabilities where each class is (C,) `ratio` times as common as it was."""
    weighed = calibrated * ratio
    return weighed / weighed.sum(axis=1, keepdims=True)  # type: ignore[no-any-return]
