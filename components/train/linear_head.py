"""Fits candidates whose only trainable part is linear: `linear`, and `pretrained` if frozen.

Linear support vector machines, one class against the rest (Rifkin and Klautau 2004, "In Defense
of One-Vs-All Classification"), with squared hinge loss, by dual coordinate descent (Fan et al.
2008, "LIBLINEAR"). The problem is convex, so no epochs are needed. The validation side selects the
regularization parameter C of the machines, and the scale of the scores in the softmax.

N is the documents of a side, T the terms, D the features of a frozen body, C the classes.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
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
from components.core.training.batches import EncodedSplit
from components.core.training.loop import State
from components.train import inference

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

# Scale of the body's features beside the terms, which have norm 1: selected by cross-validation on
# the training and validation sides of BBC News, among 0.2, 0.35, 0.5 and 0.7.
_BESIDE = 0.35
_CONSTANT = 1e-6  # a feature of the body with a smaller standard deviation is left out
_SCALES = (0.1, 100.0)  # bounds of the search for the scale of the scores


@dataclass(frozen=True)
class Standardizer:
    """Standardization of the body's features: (x - mean) * factor, (D,) each."""

    mean: Array
    factor: Array


def fit(
    model: Any,
    settings: ReaderSettings,
    side: EncodedSplit,
    validation: EncodedSplit,
    params: Params,
    live: Any,
    cache_folder: Path | None,
    chosen: Mapping[str, float] | None = None,
) -> State:
    """Fits `model` for each C in `strengths`, and keeps the fit with the lowest validation loss.

    Args:
        model: network from `assembly.build`; changed in place.
        settings: of the architecture.
        side: documents to fit on.
        validation: documents of the validation side.
        params: all settings; `train`, `ingest.labels` and the target are read.
        live: a dvclive.Live, or another object with `log_metric` and `next_step`.
        cache_folder: folder of frozen models' features, see core/training/feature_cache.py; None
            caches nothing.
        chosen: strength and scale, instead of a choice by the validation side.

    Returns:
        The state that a training by epochs returns; an "epoch" is a value of C. The rows of its
        history also hold strength and scale.
    """
    import numpy as np
    from scipy.sparse import csr_array, hstack

    from components.core.networks import tfidf

    classes, fitting_, target = len(params.ingest.labels), params.train.fitting, targets.of(params)
    rows = tfidf.rows(model)
    sides = (side, validation)
    counts = [tfidf_tables.count_terms(documents, rows) for documents in sides]
    idf = tfidf_tables.inverse_frequencies(counts[0])
    tables = [tfidf_tables.weigh_terms(side_counts, idf) for side_counts in counts]
    body_features = [
        inference.frozen_features(model, settings, documents, cache_folder) for documents in sides
    ]
    scaling = standard(body_features[0])
    tables = [
        hstack(
            [csr_array(((features - scaling.mean) * scaling.factor).astype(np.float32)), table],
            "csr",
        )
        for features, table in zip(body_features, tables, strict=True)
    ]
    weights = batches.weights(side.labels, classes, fitting_.class_weights)
    state, best = State(), None
    for strength in [chosen["strength"]] if chosen else fitting_.strengths:
        kernel, bias = solve(tables[0], side.labels, classes, strength, weights)
        scores = [table @ kernel + bias for table in tables]
        scale = (
            chosen["scale"]
            if chosen
            else softmax_scale(target, scores[1], validation.labels, params.train.label_smoothing)
        )
        row: dict[str, float] = {}
        for name, side_scores, labels in zip(
            ("train", "validation"), scores, (side.labels, validation.labels), strict=True
        ):
            accuracy, loss = target.judge(
                softmax(scale * side_scores), labels, params.train.label_smoothing
            )
            row |= {f"{name}/accuracy": accuracy, f"{name}/loss": loss}
        state.history.append(row | {"strength": strength, "scale": scale})
        state.epochs += 1
        if row["validation/loss"] == min(past["validation/loss"] for past in state.history):
            state.best, best = state.epochs, (kernel, bias, scale)
        loop.log(live, row)
        say(
            f"train: strength {strength:g}  validation accuracy {row['validation/accuracy']:.4f}  "
            f"loss {row['validation/loss']:.4f}"
        )
    assert best is not None
    kernel, bias, scale = best
    body_size = len(scaling.mean)
    body_kernel = kernel[:body_size] * scaling.factor[:, None]
    assembly.set_solution(
        model,
        Solution(idf, kernel[body_size:], body_kernel, bias - scaling.mean @ body_kernel, scale),
    )
    return state


def standard(features: Array) -> Standardizer:
    """Computes the standardization of the body's features (N, D) of the training side.

    The standardized features of a document have an expected squared norm of at most _BESIDE ** 2.
    """
    import numpy as np

    mean, deviation = features.mean(axis=0), features.std(axis=0)
    factor = np.where(deviation > _CONSTANT, 1 / np.maximum(deviation, _CONSTANT), 0)
    return Standardizer(mean, factor * _BESIDE / np.sqrt(max(features.shape[1], 1)))


def solve(
    table: Any, labels: Array, classes: int, strength: float, weights: Array
) -> tuple[Array, Array]:
    """Fits one linear support vector machine for each class.

    Args:
        table: (N, D + T) csr_array.
        labels: (N,) encoded labels. A class without documents is never predicted.
        classes: number of classes.
        strength: regularization parameter C of LIBLINEAR, above 0.
        weights: (N,) weights of the documents.

    Returns:
        Weights (D + T, classes) and biases (classes,), float32.
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
        # The result after 1,000 iterations is good enough, so users need no warning.
        warnings.simplefilter("ignore", ConvergenceWarning)
        machine.fit(table, labels, sample_weight=weights)
    coefficients, intercepts = machine.coef_.T, machine.intercept_
    if coefficients.shape[1] < len(present):  # scikit-learn fits one machine for two classes
        coefficients, intercepts = (
            np.concatenate([-coefficients, coefficients], axis=1),
            np.concatenate([-intercepts, intercepts]),
        )
    kernel[:, present], bias[present] = coefficients, intercepts
    return kernel, bias


def softmax_scale(target: Target, scores: Array, labels: Array, label_smoothing: float) -> float:
    """Computes the factor of `scores` (N, C) with the lowest loss of the softmax on `labels`.

    The factor is the inverse temperature of Guo et al. 2017, "On Calibration of Modern Neural
    Networks".
    """
    import numpy as np
    from scipy.optimize import minimize_scalar

    def loss(logarithm: float) -> float:
        return target.judge(softmax(np.exp(logarithm) * scores), labels, label_smoothing)[1]

    minimum = minimize_scalar(loss, bounds=np.log(_SCALES), method="bounded")
    return round(float(np.exp(minimum.x)), 6)


def softmax(scores: Array) -> Array:
    """Computes the softmax of each row of `scores` (N, C)."""
    import numpy as np

    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)  # type: ignore[no-any-return]
