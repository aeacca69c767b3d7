"""Candidates of which a linear answer is all that learns: `linear`, and `pretrained` if frozen.

A linear answer has one best solution, so it is computed instead of stepped to: support vector
machines, one class against the rest (Rifkin and Klautau 2004, "In Defense of One-Vs-All
Classification"), with a squared hinge, by coordinate descent (Fan et al. 2008, "LIBLINEAR"). What
takes the place of epochs are strengths: how much a document counts against the weights' size. The
validation side chooses one, and how sure the softmax of what is said shall be.

N is the documents of a side, T the terms, D the numbers of a frozen body, C the classes.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from components.core import target as targets
from components.core.networks import assembly
from components.core.networks.assembly import Solution
from components.core.params import Params
from components.core.params.architectures import ReaderSettings
from components.core.progress import say
from components.core.target import Target
from components.core.training import batches, loop
from components.core.training import tfidf as tfidf_tables
from components.core.training.batches import Side
from components.core.training.loop import State
from components.train import inference

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

# Length of what a body sees of a document beside its terms, whose length is 1: chosen by
# cross-validation on the training and validation sides of BBC News, among 0.2, 0.35, 0.5 and 0.7.
_BESIDE = 0.35
_STILL = 1e-6  # a number of the body that varies less says nothing
_SCALES = (0.1, 100.0)  # that are looked at


@dataclass(frozen=True)
class Standard:
    """How numbers of the body become comparable: (x - mean) * factor, (D,) each."""

    mean: Array
    factor: Array


def fit(
    model: Any,
    settings: ReaderSettings,
    side: Side,
    held: Side,
    params: Params,
    live: Any,
    kept: Path | None,
) -> State:
    """Solves `model` for each strength, and leaves the one with the least validation loss in it.

    Args:
        model: as `network.build` makes it; it is changed.
        settings: of the architecture.
        side, held: to learn from, and to choose by.
        params: all settings; `train` and `ingest.labels` are read.
        live: a dvclive.Live, or anything with `log_metric` and `next_step`.
        kept: folder of what frozen models saw; see training/feature_cache.py. None keeps nothing.

    Returns:
        What a training by epochs gives; an epoch is a strength.
    """
    import numpy as np
    from scipy.sparse import csr_array, hstack

    from components.core.networks import tfidf

    classes, fitting_, target = len(params.ingest.labels), params.train.fitting, targets.of(params)
    rows = tfidf.rows(model)
    learned, asked = (tfidf_tables.counted(one, rows) for one in (side, held))
    idf = tfidf_tables.inverse_frequencies(learned)
    tables = [tfidf_tables.weighed(one, idf) for one in (learned, asked)]
    seen = [inference.frozen_features(model, settings, one, kept) for one in (side, held)]
    scaling = standard(seen[0])
    tables = [
        hstack(
            [csr_array(((more - scaling.mean) * scaling.factor).astype(np.float32)), table], "csr"
        )
        for more, table in zip(seen, tables, strict=True)
    ]
    weights = batches.weights(side.labels, classes, fitting_.class_weights)
    state, best = State(), None
    for strength in fitting_.strengths:
        kernel, bias = solve(tables[0], side.labels, classes, strength, weights)
        said = [table @ kernel + bias for table in tables]
        scale = sureness(target, said[1], held.labels, params.train.label_smoothing)
        row: dict[str, float] = {}
        for name, one, labels in zip(
            ("train", "validation"), said, (side.labels, held.labels), strict=True
        ):
            accuracy, loss = target.judge(
                softmax(scale * one), labels, params.train.label_smoothing
            )
            row |= {f"{name}/accuracy": accuracy, f"{name}/loss": loss}
        state.history.append(row)
        state.epochs += 1
        if row["validation/loss"] == min(one["validation/loss"] for one in state.history):
            state.best, best = state.epochs, (kernel, bias, scale)
        loop.log(live, row)
        say(
            f"train: strength {strength:g}  validation accuracy {row['validation/accuracy']:.4f}  "
            f"loss {row['validation/loss']:.4f}"
        )
    assert best is not None
    kernel, bias, scale = best
    body = len(scaling.mean)
    own = kernel[:body] * scaling.factor[:, None]
    assembly.put(model, Solution(idf, kernel[body:], own, bias - scaling.mean @ own, scale))
    return state


def standard(seen: Array) -> Standard:
    """Of what a body saw of the training side, (N, D): each number counts by its deviation."""
    import numpy as np

    mean, deviation = seen.mean(axis=0), seen.std(axis=0)
    factor = np.where(deviation > _STILL, 1 / np.maximum(deviation, _STILL), 0)
    return Standard(mean, factor * _BESIDE / np.sqrt(max(seen.shape[1], 1)))


def solve(
    table: Any, labels: Array, classes: int, strength: float, weights: Array
) -> tuple[Array, Array]:
    """Weights (D + T, C) and biases (C,), float32, of one support vector machine a class.

    Args:
        table: (N, D + T) csr_array.
        labels: (N,) of the documents. A class without documents is never said.
        strength: C of the literature, above 0.
        weights: (N,) how much each document counts.
    """
    import numpy as np
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.svm import LinearSVC

    kernel = np.zeros((table.shape[1], classes), np.float32)
    bias = np.full(classes, -1.0, np.float32)  # outside the margin of any class
    present = np.unique(labels)
    if len(present) == 1:
        bias[present] = 1.0
        return kernel, bias
    machine = LinearSVC(C=strength, dual=True, random_state=0)
    with warnings.catch_warnings():
        # After 1,000 rounds it is as good as at its end, and no reason to alarm anybody.
        warnings.simplefilter("ignore", ConvergenceWarning)
        machine.fit(table, labels, sample_weight=weights)
    found, offset = machine.coef_.T, machine.intercept_
    if found.shape[1] < len(present):  # one machine does for two classes
        found, offset = np.concatenate([-found, found], axis=1), np.concatenate([-offset, offset])
    kernel[:, present], bias[present] = found, offset
    return kernel, bias


def sureness(target: Target, said: Array, labels: Array, label_smoothing: float) -> float:
    """What to multiply `said` (N, C) with, so that its softmax has the least loss on `labels`.

    As the temperature of Guo et al. 2017, "On Calibration of Modern Neural Networks".
    """
    import numpy as np
    from scipy.optimize import minimize_scalar

    def loss(logarithm: float) -> float:
        return target.judge(softmax(np.exp(logarithm) * said), labels, label_smoothing)[1]

    found = minimize_scalar(loss, bounds=np.log(_SCALES), method="bounded")
    return round(float(np.exp(found.x)), 6)


def softmax(said: Array) -> Array:
    """(N, C) rows that sum to 1."""
    import numpy as np

    powers = np.exp(said - said.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)  # type: ignore[no-any-return]
