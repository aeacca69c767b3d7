"""Candidate and the simplest models on the same test documents: majority class, linear baseline.

Where no champion can be compared, a release needs a proof that the candidate is better than the
majority class, and that it is not worse than the linear baseline. A test side of a few hundred
documents cannot prove the second even for an equal model. There the candidate passes unless it is
proven worse; docs/release.md has the error rates.

The metric is accuracy, with McNemar's exact test. Where classes are imbalanced it is macro F1, with
permutation tests: a model that finds the rare class may be less accurate than the majority class.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import polars as pl

from components.core.metrics import Interval
from components.core.params.gate import Gate
from components.core.target import Target
from components.gate import comparison

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

_CHUNK = 500  # swaps computed together, so that many classes fit into memory
_PERMUTATIONS = 999  # at most, of a large test side; p-values from 0.001 on
_POWER = 0.8  # probability that the documents needed prove a lead that is there
_ROUNDING = 1e-12  # a permuted score that differs by less is the same


class Simple(StrEnum):
    """A simple model; the value is its column in predictions.parquet."""

    MAJORITY = "majority"
    LINEAR = "baseline"


NAMES = {Simple.MAJORITY: "the majority class", Simple.LINEAR: "the linear baseline"}


class Metric(StrEnum):
    ACCURACY = "accuracy"
    MACRO_F1 = "macro F1"


@dataclass(frozen=True)
class Baseline:
    """The candidate and a simple model on the same documents.

    Attributes:
        model: which one.
        metric: in which they are compared.
        documents: how many; each text counts once.
        candidate, simple: the metric of each, in [0, 1].
        gained, lost: documents that only the candidate, or only the simple model, gets right.
        low, high: one-sided bounds of candidate less simple model, each at `gate.level`.
        better: p-value of "the candidate is not better"; small: it is better.
        worse: p-value of "it is worse by at most the margin"; small: it is worse by more.
        provable: the documents are enough to prove of an equal candidate that it is not worse.
    """

    model: Simple
    metric: Metric
    documents: int
    candidate: float
    simple: float
    gained: int
    lost: int
    low: float
    high: float
    better: float
    worse: float
    provable: bool

    @property
    def disagreement(self) -> float:
        """Share of documents that exactly one gets right, by Laplace's rule of succession."""
        return (self.gained + self.lost + 1) / (self.documents + 2)


@dataclass(frozen=True)
class Sample:
    """Strength of the proof that the test documents allow.

    Attributes:
        documents: on the test side, or of the cross-validation.
        folds: of the cross-validation; 0 without one.
        accuracy: of the candidate, with its interval at `evaluate.confidence`.
        lead: of accuracy, `gate.margin`.
        needed: test documents that would prove such a lead over the compared model.
    """

    documents: int
    folds: int
    accuracy: Interval
    lead: float
    needed: int


def compare(
    parts: Sequence[pl.DataFrame], target: Target, settings: Gate, metric: Metric
) -> list[list[Baseline]]:
    """Compares the candidate with each simple model on each of `parts`.

    Args:
        parts: at least one, each with at least one document; columns actual, candidate, majority
            and baseline (labels; null where the model could not be trained).
        target: that decides which answers are right.
        settings: level, margin, resamples, seed.
        metric: in which they are compared.

    Returns:
        For each part its comparisons. `provable` is the same in all parts: a check is asked of all
        of them, or of none.
    """
    models = [model for model in Simple if not parts[0][model].is_null().any()]
    by_model = [
        [_compare(part, model, target, settings, metric) for part in parts] for model in models
    ]
    return [
        [
            replace(baseline, provable=all(part.provable for part in parts_of_model))
            for baseline, parts_of_model in zip(of_part, by_model, strict=True)
        ]
        for of_part in zip(*by_model, strict=True)
    ]


def _compare(
    rows: pl.DataFrame, model: Simple, target: Target, settings: Gate, metric: Metric
) -> Baseline:
    pair = rows.select("actual", "candidate", champion=model)
    part = comparison.part(model, pair, target, settings)
    candidate, simple, better = part.candidate, part.champion, part.better
    low, high, margin = part.low, part.high, settings.margin
    worse = worse_by(margin, part.gained, part.lost, len(rows))
    if metric == Metric.MACRO_F1:
        bounds = comparison.macro_f1_difference(pair, target, settings)
        (candidate, simple), low, high = _macro_f1(pair, target), bounds.low, bounds.high
        better, worse = swapped(pair, target, settings)
        worse = worse if high < -margin else 1.0
        if model == Simple.MAJORITY:
            better = informative(pair, settings) if candidate > simple else 1.0
    return Baseline(
        model=model,
        metric=metric,
        documents=len(rows),
        candidate=candidate,
        simple=simple,
        gained=part.gained,
        lost=part.lost,
        low=low,
        high=high,
        better=better,
        worse=worse,
        # The interval of an equal model then lies within the margin with probability `level`.
        provable=low >= -margin or high - low <= margin,
    )


def worse_by(margin: float, gained: int, lost: int, documents: int) -> float:
    """p-value of "the accuracy is lower by at most `margin`", a McNemar test with a margin.

    Of the documents that exactly one model gets right, a share of 1/2 + margin / (2 d) is lost if
    the accuracy is lower by the margin; d is their share of all (Lu and Bean 1995, "On the sample
    size for one-sided equivalence of sensitivities based upon McNemar's test").

    >>> round(worse_by(0.0, 0, 5, 70), 4), round(worse_by(0.02, 0, 5, 70), 4)
    (0.0312, 0.1074)
    """
    from scipy.stats import binom

    differing = gained + lost
    share = min(1.0, 0.5 + margin * documents / (2 * max(differing, 1)))
    return float(binom.sf(lost - 1, differing, share))


def sample(
    accuracy: Interval, documents: int, folds: int, disagreement: float, settings: Gate
) -> Sample:
    """Computes how many test documents would prove a lead of `gate.margin` in accuracy.

    Connor 1987, "Sample size for testing differences in proportions for the paired-sample design",
    with a power of 0.8.

    Args:
        accuracy: of the candidate on `documents` test documents.
        folds: of the cross-validation; 0 without one.
        disagreement: share of documents that exactly one of the two models gets right.
        settings: level and margin.

    >>> sample(Interval(0.9, 0.8, 0.96), 50, 0, 0.06, Gate()).needed
    925
    """
    from scipy.stats import norm

    lead = max(settings.margin, 1e-3)
    share = max(disagreement, lead)
    z_level, z_power = norm.ppf([settings.level, _POWER])
    root = z_level * share**0.5 + z_power * (share - lead**2) ** 0.5
    return Sample(documents, folds, accuracy, lead, round((root / lead) ** 2))


def _marks(rows: pl.DataFrame, target: Target) -> tuple[Array, Array, Array]:
    """(N, C) marks of actual, candidate and champion; C: the classes that occur in `actual`."""
    actual, candidate, champion = (
        target.marks(rows[name]) for name in ("actual", "candidate", "champion")
    )
    occurs = actual.any(axis=0)
    return actual[:, occurs], candidate[:, occurs], champion[:, occurs]


def _f1(hits: Array, actual: Array, predicted: Array) -> Array:
    """(...,) macro F1 of (..., C) counts."""
    import numpy as np

    scores: Array = 2 * hits / np.maximum(actual + predicted, 1)
    return scores.mean(axis=-1)  # type: ignore[no-any-return]


def _macro_f1(rows: pl.DataFrame, target: Target) -> tuple[float, float]:
    """Macro F1 of candidate and champion over the classes that occur."""
    actual, *answers = _marks(rows, target)
    totals = actual.sum(axis=0)
    candidate, champion = (
        float(_f1((actual * said).sum(axis=0), totals, said.sum(axis=0))) for said in answers
    )
    return candidate, champion


def informative(rows: pl.DataFrame, settings: Gate) -> float:
    """p-value of "the candidate's answers are independent of the labels", by its macro F1.

    The answers are permuted over the documents (Ojala and Garriga 2010, "Permutation Tests for
    Studying Classifier Performance", test 1). A model that guesses by the shares of the classes has
    a higher macro F1 than the majority class, and is no better for that.
    """
    import numpy as np

    kinds = {name: number for number, name in enumerate(rows["actual"].unique().sort())}
    actual, candidate = (
        rows[name].replace_strict(kinds, default=len(kinds), return_dtype=pl.Int64).to_numpy()
        for name in ("actual", "candidate")
    )
    totals, predicted = (
        np.bincount(each, minlength=len(kinds) + 1) for each in (actual, candidate)
    )

    def score(answers: Array) -> float:
        hits = np.bincount(actual[answers == actual], minlength=len(kinds) + 1)
        return float(_f1(hits[:-1], totals[:-1], predicted[:-1]))

    least = score(candidate) - _ROUNDING
    generator = np.random.default_rng(settings.seed)
    count = min(settings.resamples, _PERMUTATIONS)
    reached = sum(score(generator.permutation(candidate)) >= least for _ in range(count))
    return float(1 + reached) / (1 + count)


def swapped(rows: pl.DataFrame, target: Target, settings: Gate) -> tuple[float, float]:
    """p-values of "not better" and "not worse" in macro F1, by approximate randomization.

    If both models are equally good, swapping their answers to a document changes nothing on average
    (Yeh 2000, "More accurate tests for the statistical significance of result differences").

    Args:
        rows: at least one, with columns actual, candidate, champion.
        target: whose classes they are.
        settings: resamples and seed.
    """
    import numpy as np
    from scipy import sparse

    kinds = rows.group_by("actual", "candidate", "champion").len().sort(pl.all())
    actual, candidate, champion = _marks(kinds, target)
    counts = kinds["len"].to_numpy()  # (K,) documents of each kind
    totals = counts @ actual
    # Sparse: each row has a class, of which there may be a thousand.
    ours, theirs = (sparse.csr_array(actual * answers) for answers in (candidate, champion))
    candidate, champion = (sparse.csr_array(answers) for answers in (candidate, champion))

    def score(first: Array, second: Array) -> Array:
        """Macro F1 of the candidate's answers to `first` and the champion's to `second`."""
        hits = first @ ours + second @ theirs
        return _f1(hits, totals, first @ candidate + second @ champion)

    def difference(swaps: Array) -> Array:
        return score(counts - swaps, swaps) - score(swaps, counts - swaps)

    observed = float(difference(np.zeros_like(counts)))
    generator = np.random.default_rng(settings.seed)
    drawn = np.concatenate(
        [
            difference(generator.binomial(counts, 0.5, (min(_CHUNK, left), len(counts))))
            for left in range(min(settings.resamples, _PERMUTATIONS), 0, -_CHUNK)
        ]
    )
    better = int((drawn >= observed - _ROUNDING).sum())
    worse = int((drawn <= observed + _ROUNDING).sum())
    return (1 + better) / (1 + len(drawn)), (1 + worse) / (1 + len(drawn))
