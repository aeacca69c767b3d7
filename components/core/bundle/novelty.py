"""Novelty: an out-of-distribution score of a text, from what every runtime computes anyway.

The score joins three values, each in standard deviations above its mean over documents that the
model did not learn from:

- The share of unknown words. That of n words varies between documents, and by chance with
  p (1 - p) / n.
- The entropy of the probabilities.
- The Mahalanobis distance of the features to the nearest class (Lee et al. 2018, "A Simple Unified
  Framework for Detecting Out-of-Distribution Samples"), on the principal components that monitoring
  has. Means and covariance are those of the training side, so that the distances of the held-out
  documents are as large as those of new ones.

The score is the root of the sum of the squares, divided by the threshold; texts above 1 are unlike
the texts that the model learned from, so the model is unsure. No label is needed, and no other
data. benchmarks/learning/novelty.py compares it with other scores.

N is the documents, C the classes, D the principal components.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from components.core import tables

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

FILE = "novelty.json"  # in the folder of the model
_LEAST = 3.0  # standard deviations; the threshold of a few documents would be too low
_UNKNOWN = 0.02  # least usual share of unknown words: names and typing errors come with all texts
# Least deviations. Where classes are easy, the held-out documents hardly vary, and a short text of
# the same kind would be many deviations away.
_ENTROPY = 0.25  # of the largest entropy, ln C
_DISTANCE = 0.15  # of the median distance between two classes
_SINGULAR = 1e-6  # share of the largest variance under which a direction is left out
_TINY = 1e-12  # a probability of 0 has no logarithm
_DIGITS = 6


@dataclass(frozen=True)
class Novelty:
    """Parameters of the score.

    Attributes:
        unknown: usual share of unknown words, in (0, 1).
        variance: of this share between documents, beyond chance.
        words: most words that the model reads of a text.
        whitening: (D, D) matrix that gives features within a class the covariance 1.
        centres: (C, D) whitened means of the classes.
        entropy, distance: mean and standard deviation of the entropy, and of the distance to the
            nearest class.
        threshold: score, in standard deviations, from which a text is novel.
    """

    unknown: float
    variance: float
    words: int
    whitening: list[list[float]]
    centres: list[list[float]]
    entropy: tuple[float, float]
    distance: tuple[float, float]
    threshold: float


class Scorer:
    """Computes novelty. A single text costs as much as the calls of NumPy, so these are few."""

    def __init__(self, novelty: Novelty) -> None:
        import numpy as np

        self._novelty = novelty
        self._whitening = np.array(novelty.whitening, np.float32)
        centres = np.array(novelty.centres, np.float32)
        self._doubled, self._squares = -2 * centres.T, (centres**2).sum(axis=1)
        self._chance = novelty.unknown * (1 - novelty.unknown)

    def distances(self, features: Array) -> Array:
        """Computes the Mahalanobis distance (N,) of features (N, D) to the nearest class."""
        import numpy as np

        white = features @ self._whitening
        nearest = np.minimum.reduce(self._squares + white @ self._doubled, axis=1)
        distances: Array = np.sqrt(np.maximum(nearest + np.einsum("nd,nd->n", white, white), 0))
        return distances

    def __call__(self, outputs: Mapping[str, Array]) -> Array:
        """Scores N texts.

        Args:
            outputs: unknown_share (N,), words (N,), probabilities (N, C) and features (N, D), see
                `Runtime.predict`.

        Returns:
            (N,) float32, at least 0; above 1 for a text unlike the held-out texts.
        """
        import numpy as np

        of = self._novelty
        chance = self._chance / np.maximum(np.minimum(outputs["words"], of.words), 1)
        far = np.array(
            [
                (outputs["unknown_share"] - of.unknown) / np.sqrt(of.variance + chance),
                (entropy(outputs["probabilities"]) - of.entropy[0]) / of.entropy[1],
                (self.distances(outputs["features"]) - of.distance[0]) / of.distance[1],
            ]
        )
        np.maximum(far, 0, out=far)
        scores = np.sqrt(np.einsum("kn,kn->n", far, far)) / of.threshold
        return scores.astype(np.float32)  # type: ignore[no-any-return]


def entropy(probabilities: Array) -> Array:
    """Computes the entropy (N,) of probabilities (N, C), in nats."""
    import numpy as np

    logarithms = np.log(np.maximum(probabilities, _TINY))
    entropies: Array = -np.einsum("nc,nc->n", probabilities, logarithms)
    return entropies


def fit(
    train: tuple[Array, Array],
    held_out: Mapping[str, Array],
    words: int,
    familiar_share: float,
) -> Novelty:
    """Fits the parameters.

    Args:
        train: features (N, D) and probabilities (N, C) of documents of the training side.
        held_out: outputs as of `Runtime.predict` for documents that the model did not learn from;
            calibrated probabilities, features, words, unknown_share.
        words: most words that the model reads of a text.
        familiar_share: share of the held-out documents that are not novel, in [0, 1].
    """
    import numpy as np

    features, decided = train[0], train[1].argmax(axis=1)
    known = np.unique(decided)
    centres = np.stack([features[decided == label].mean(axis=0) for label in known])
    residuals = features - centres[np.searchsorted(known, decided)]
    whitening = _whitening(residuals.T @ residuals / max(len(residuals), 1))
    read = held_out["words"].clip(1, words)
    total = float((read * held_out["unknown_share"]).sum())
    unknown = max(total / max(float(read.sum()), 1.0), _UNKNOWN)
    unknown = min(unknown, 1 - _UNKNOWN)
    chance = unknown * (1 - unknown) * float((1 / read).mean())
    variance = max(float(((held_out["unknown_share"] - unknown) ** 2).mean()) - chance, 0.0)
    white = centres @ whitening
    between = np.linalg.norm(white[:, None] - white[None], axis=2)[np.triu_indices(len(white), 1)]
    least = _DISTANCE * float(np.median(between)) if len(between) else 0.0
    entropies = entropy(held_out["probabilities"])
    plain = Novelty(
        _rounded(unknown), _rounded(variance), words, _listed(whitening),
        _listed(white), _usual(entropies, _ENTROPY * math.log(train[1].shape[1])), (0.0, 1.0), 1.0,
    )  # fmt: skip
    values = asdict(plain)
    values["distance"] = _usual(Scorer(plain).distances(held_out["features"]), least)
    scores = np.sort(Scorer(Novelty(**values))(held_out))
    last = max(math.ceil(familiar_share * len(scores)) - 1, 0)
    return Novelty(**values | {"threshold": _rounded(max(float(scores[last]), _LEAST))})


def save(novelty: Novelty, folder: Path) -> None:
    """Writes FILE into `folder`, of the model."""
    tables.write_json(asdict(novelty), folder / FILE)


def load(folder: Path) -> Scorer | None:
    """Loads the score of the model in `folder`; None for a model older than it."""
    path = folder / FILE
    return Scorer(Novelty(**tables.read_json(path))) if path.exists() else None


def _whitening(covariance: Array) -> Array:
    """Computes a matrix (D, D) that whitens; directions without variance become 0."""
    import numpy as np

    variances, directions = np.linalg.eigh(covariance)
    used = variances > _SINGULAR * max(float(variances.max(initial=0)), _SINGULAR)
    return directions * np.where(used, 1 / np.sqrt(np.where(used, variances, 1)), 0)


def _usual(values: Array, least: float) -> tuple[float, float]:
    """Returns mean and standard deviation, which is at least `least`; 1 for a deviation of 0."""
    return _rounded(float(values.mean())), _rounded(max(float(values.std()), least)) or 1.0


def _rounded(value: float) -> float:
    """Rounds to _DIGITS significant digits: the last bits differ between processors."""
    return float(f"{value:.{_DIGITS}g}")


def _listed(matrix: Array) -> list[list[float]]:
    return [[_rounded(value) for value in row] for row in matrix.tolist()]
