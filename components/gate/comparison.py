"""Two models on the same documents: which one is better, and may that be luck?

McNemar's exact test judges accuracy: it looks only at the documents on which one model is right and
the other wrong. The paired bootstrap gives bounds for differences, of macro F1 too. The parts of
the test side are judged one by one, and corrected for being many by Holm's procedure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import polars as pl

from components.core import metrics
from components.core.metrics import Interval
from components.core.params.gate import Gate
from components.core.target import Target
from components.slices import LengthBounds, by_length

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

_CHUNK = 500  # resamples computed together, so that many classes fit into memory


@dataclass(frozen=True)
class Part:
    """The candidate and the champion on some documents.

    Attributes:
        name: which documents, such as "test side" or "class tech".
        documents: how many; each text counts once.
        candidate, champion: accuracy of each, in [0, 1].
        gained, lost: documents that only the candidate, or only the champion, gets right.
        low, high: one-sided bounds of candidate less champion, each at `gate.level`.
        better: p-value of "the candidate is not better"; small: it is better.
        worse: p-value of "the candidate is not worse"; small: it is worse.
    """

    name: str
    documents: int
    candidate: float
    champion: float
    gained: int
    lost: int
    low: float
    high: float
    better: float
    worse: float

    @property
    def difference(self) -> float:
        return self.candidate - self.champion


@dataclass(frozen=True)
class Comparison:
    """All that is known of candidate and champion.

    Attributes:
        sides: the test side; then, if there are any, the documents of it that people labelled
            since the champion was made.
        macro_f1: candidate less champion on the test side, bounds as in `Part`.
        slices: parts of the test side; `worse` of each is corrected by Holm's procedure.
    """

    sides: list[Part]
    macro_f1: Interval
    slices: list[Part]

    @property
    def better(self) -> float:
        """The least p-value of `better` of the sides, times their number (Bonferroni)."""
        return min(1.0, len(self.sides) * min(side.better for side in self.sides))


def mcnemar(gained: int, lost: int) -> float:
    """One-sided p-value of McNemar's exact test: gaining at least so much by luck.

    Args:
        gained, lost: documents that only the one, or only the other, gets right; luck would give
            each of them to either with probability 1/2 (McNemar 1947; exact: the binomial test).

    >>> mcnemar(5, 0), mcnemar(0, 5), mcnemar(0, 0)
    (0.03125, 1.0, 1.0)
    """
    from scipy.stats import binom

    return float(binom.sf(gained - 1, gained + lost, 0.5))


def holm(values: Sequence[float]) -> list[float]:
    """p-values corrected for their number by Holm's step-down procedure (Holm 1979).

    >>> holm([0.01, 0.5, 0.02])
    [0.03, 0.5, 0.04]
    """
    corrected, least = [0.0] * len(values), 0.0
    order = sorted(range(len(values)), key=lambda i: values[i])
    for rank, i in enumerate(order):
        least = max(least, min(1.0, values[i] * (len(values) - rank)))
        corrected[i] = least
    return corrected


def part(name: str, rows: pl.DataFrame, target: Target, settings: Gate) -> Part:
    """The comparison on `rows` (at least one) with columns actual, candidate, champion."""
    ours, theirs = (
        target.right(rows["actual"], rows[name]).to_numpy() for name in ("candidate", "champion")
    )
    gained, lost = int((ours & ~theirs).sum()), int((theirs & ~ours).sum())
    found = metrics.paired_difference(
        ours, theirs, settings.level, settings.resamples, settings.seed
    )
    return Part(
        name=name,
        documents=len(rows),
        candidate=float(ours.mean()),
        champion=float(theirs.mean()),
        gained=gained,
        lost=lost,
        low=found.low,
        high=found.high,
        better=mcnemar(gained, lost),
        worse=mcnemar(lost, gained),
    )


def macro_f1_difference(rows: pl.DataFrame, target: Target, settings: Gate) -> Interval:
    """Macro F1 of the candidate less that of the champion, with one-sided paired bootstrap bounds.

    Documents are drawn with both answers, so that what is hard for both moves both (Efron and
    Tibshirani 1993, chapter 16). The classes are those that occur in `actual`.

    Args:
        rows: at least one, with columns actual, candidate, champion.
        target: whose classes they are.
        settings: level, resamples and seed.
    """
    import numpy as np
    from scipy import sparse

    kinds = rows.group_by("actual", "candidate", "champion").len().sort(pl.all())
    actual, *answers = (  # (K, C), K kinds of documents
        target.marks(kinds[name]) for name in ("actual", "candidate", "champion")
    )
    occurs = actual.any(axis=0)
    actual, answers = actual[:, occurs], [said[:, occurs] for said in answers]
    # Sparse: each row has a class, of which there may be a thousand.
    hits = [sparse.csr_array(actual * said) for said in answers]
    marks = [sparse.csr_array(actual + said) for said in answers]

    def difference(counts: Array) -> Array:
        scores = [
            2 * (counts @ hit) / np.maximum(counts @ mark, 1)
            for hit, mark in zip(hits, marks, strict=True)
        ]
        return (scores[0] - scores[1]).mean(axis=-1)  # type: ignore[no-any-return]

    counts = kinds["len"].to_numpy().astype(np.float64)
    total = int(counts.sum())
    generator = np.random.default_rng(settings.seed)
    drawn = [
        difference(generator.multinomial(total, counts / total, min(_CHUNK, left)))
        for left in range(settings.resamples, 0, -_CHUNK)
    ]
    low, high = np.quantile(np.concatenate(drawn), [1 - settings.level, settings.level])
    return Interval(float(difference(counts)), float(low), float(high))


def slices(
    rows: pl.DataFrame, least: int, length_bounds: LengthBounds = "thirds"
) -> dict[str, pl.DataFrame]:
    """The parts of a test side by class, source and length that are worth a look by themselves.

    Args:
        rows: with columns actual, source, length.
        least: documents; smaller parts are left out, and those that are the whole test side.
        length_bounds: as components.slices.by_length has them.
    """
    named = rows.with_columns(_length=by_length(rows["length"], length_bounds))
    parts = [
        (f"{title} {key[0]}", part)
        for title, column in (("class", "actual"), ("source", "source"), ("length", "_length"))
        for key, part in sorted(named.group_by(column), key=lambda entry: str(entry[0]))
    ]
    return {name: found for name, found in parts if least <= len(found) < len(rows)}


def compare(
    rows: pl.DataFrame, target: Target, settings: Gate, length_bounds: LengthBounds = "thirds"
) -> Comparison:
    """Compares two models on the same documents.

    Args:
        rows: one a document, at least one; columns actual, candidate, champion (labels), recent
            (bool: people labelled it since the champion was made), source, length.
        target: that decides which answers are right.
        settings: level, resamples, seed, slice_documents.
        length_bounds: of the slices by length, as components.slices.by_length has them.
    """
    recent = rows.filter("recent")
    sides = [part("test side", rows, target, settings)]
    if 0 < len(recent) < len(rows):
        sides.append(part("newest labels", recent, target, settings))
    parts = [
        part(name, found, target, settings)
        for name, found in slices(rows, settings.slice_documents, length_bounds).items()
    ]
    corrected = holm([one.worse for one in parts])
    return Comparison(
        sides=sides,
        macro_f1=macro_f1_difference(rows, target, settings),
        slices=[Part(**{**vars(one), "worse": p}) for one, p in zip(parts, corrected, strict=True)],
    )
