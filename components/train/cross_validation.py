"""Cross-validation of one candidate, and its training on all documents.

Each document gets the prediction of a model that did not learn from its fold: the next fold
validates, the others train. What the validation folds chose (epochs, or C and the scale of the
scores) is fixed for the final model by the median over the folds, and the final model learns from
all documents. Temperature and threshold of the final model come from the pooled predictions, those
of a fold's predictions from the predictions of the other folds, so that calibration is measured on
documents that it was not fitted to.

N is the documents, C the classes, F the features of the network.
"""

from __future__ import annotations

import logging
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from components.core import target as targets
from components.core.bundle import novelty
from components.core.networks import assembly
from components.core.params import Candidate, Params
from components.core.progress import say
from components.core.target import Calibration, calibration
from components.core.training.loop import NullLogger
from components.train import inference

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

FILE = "out_of_fold.parquet"


@dataclass(frozen=True)
class OutOfFold:
    """Outputs for each document by the model of its fold.

    Attributes:
        probabilities: (N, C), without temperature.
        features: (N, F).
        words, unknown_share: (N,), as the fold's encoder counts them.
        actual: encoded labels.
    """

    probabilities: Array
    features: Array
    words: Array
    unknown_share: Array
    actual: Array

    def as_outputs(self) -> inference.Outputs:
        """Returns the outputs as `inference.outputs` and `inference.counts` do."""
        return {
            assembly.PROBABILITIES: self.probabilities,
            assembly.FEATURES: self.features,
            "words": self.words,
            "unknown_share": self.unknown_share,
        }


def run(
    fit: Callable[..., tuple[Any, Any, dict[str, Any]]],
    name: Candidate,
    params: Params,
    documents: pl.DataFrame,
    live: Any,
    cache_folder: Path | None,
) -> tuple[Any, Any, dict[str, Any], OutOfFold]:
    """Cross-validates candidate `name`, and trains it on all documents.

    Args:
        fit: `train.fit`.
        name, params, live, cache_folder: see `train.fit`; `live` logs the final training.
        documents: with text, label and fold.

    Returns:
        Network, encoder and facts of the final model as `train.fit` returns them, with the means
        over the folds as validation accuracy and loss; and the outputs of the folds' models.
    """
    import numpy as np
    import tensorflow as tf

    # Each fold has a network of its own, which TensorFlow takes for a function traced too often.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    count = int(str(documents["fold"].max())) + 1
    facts_of_folds, parts, order = [], [], []
    for fold in range(count):
        tested = documents["fold"] == fold
        validated = documents["fold"] == (fold + 1) % count
        say(f"train: fold {fold + 1} of {count}")
        model, encoder, facts = fit(
            name, params, documents.filter(~tested & ~validated), documents.filter(validated),
            NullLogger(), None, cache_folder,
        )  # fmt: skip
        test = documents.filter(tested)
        outputs, actual = inference.outputs(name, model, encoder, params, test, cache_folder)
        _, words, unknown = encoder(tf.constant(test["text"].to_list(), tf.string))
        facts_of_folds.append(facts)
        parts.append(
            (
                outputs[assembly.PROBABILITIES], outputs[assembly.FEATURES], words.numpy(),
                unknown.numpy(), actual,
            )
        )  # fmt: skip
        order.append(np.flatnonzero(tested.to_numpy()))
    rank = np.argsort(np.concatenate(order))
    out_of_fold = OutOfFold(*(np.concatenate(arrays)[rank] for arrays in zip(*parts, strict=True)))
    say(f"train: all {documents.height} documents")
    model, encoder, facts = fit(
        name, params, documents, documents, live, None, cache_folder, chosen_by(facts_of_folds)
    )
    for key in ("validation_accuracy", "validation_loss"):
        facts[key] = round(statistics.mean(fold_facts[key] for fold_facts in facts_of_folds), 6)
    return model, encoder, facts | {"folds": count}, out_of_fold


def chosen_by(facts_of_folds: Sequence[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """Computes the median choice of the folds' validation sides, for each architecture.

    >>> chosen_by([{"chosen": {"linear": {"strength": s}}} for s in (0.5, 1.0, 0.5, 1.0)])
    {'linear': {'strength': 0.5}}
    """
    first = facts_of_folds[0]["chosen"]
    return {
        name: {
            key: statistics.median_low([facts["chosen"][name][key] for facts in facts_of_folds])
            for key in choice
        }
        for name, choice in first.items()
    }


def table(
    documents: pl.DataFrame,
    outputs: OutOfFold,
    centre: Array,
    directions: Array,
    score: novelty.Novelty,
    params: Params,
) -> pl.DataFrame:
    """Makes the content of out_of_fold.parquet: the calibrated prediction of each document.

    Args:
        documents: with id and fold.
        outputs: of the folds' models.
        centre, directions, score: of the final model.
        params: all settings; the target and train.answered_accuracy are read.

    Returns:
        id, probabilities, abstained, words, unknown_share, features, novelty.
    """
    import numpy as np

    target, folds = targets.of(params), documents["fold"].to_numpy()
    probabilities = np.array(outputs.probabilities, np.float64)
    abstained = np.zeros(len(folds), bool)
    for fold in np.unique(folds):
        tested = folds == fold
        fitted, _ = target.calibrate(
            outputs.probabilities[~tested], outputs.actual[~tested], params.train.answered_accuracy
        )
        probabilities[tested] = calibration.tempered(probabilities[tested], fitted.temperature)
        abstained[tested] = target.decide(probabilities[tested])[1] < fitted.abstain_below
    features = (outputs.features - centre) @ directions
    scores = novelty.Scorer(score)(
        {**outputs.as_outputs(), "features": features, "probabilities": probabilities}
    )
    return documents.select("id").with_columns(
        pl.Series("probabilities", probabilities.tolist(), dtype=pl.List(pl.Float32)),
        pl.Series("abstained", abstained | (scores > 1)),
        pl.Series("words", outputs.words, dtype=pl.Int32),
        pl.Series("unknown_share", outputs.unknown_share, dtype=pl.Float32),
        pl.Series("features", features.tolist(), dtype=pl.List(pl.Float32)),
        pl.Series("novelty", scores, dtype=pl.Float32),
    )


def comparable(directions: Array, name: Candidate, params: Params) -> Array:
    """Returns the directions, or zeros where features of two trainings cannot be compared.

    Monitoring compares the final model's features of new texts with features of texts that the
    model did not learn from, and only the folds' models have these. Features of a linear head are
    the scores of the classes, the same in each training. Hidden units of a network are not.
    """
    closed = all(
        params.train.architecture(member).has_closed_form for member in params.train.trained(name)
    )
    return directions if closed else directions * 0


def calibrate(outputs: OutOfFold, params: Params) -> tuple[Calibration, float]:
    """Calibrates the final model by the pooled predictions; see `Target.calibrate`."""
    return targets.of(params).calibrate(
        outputs.probabilities, outputs.actual, params.train.answered_accuracy
    )
