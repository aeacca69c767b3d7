"""Estimates the share of wrong labels: how many documents a model that never saw them takes for
another class, and is sure of it.

Confident learning (Northcutt, Jiang and Chuang 2021, Confident Learning: Estimating Uncertainty in
Dataset Labels). Each document gets probabilities from a linear model that learned from the other
folds. A class's threshold is the mean probability that its own documents give it; a document counts
for the likeliest class whose threshold it reaches. The documents counted for another class than
their own, with each class weighted by its size, are the estimate.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, np.dtype[Any]]

_FOLDS = 5
_FEATURES = 2**18  # places that words are hashed to
_EPOCHS = 20
_SEED = 1


@dataclass(frozen=True)
class Noise:
    """The estimate.

    Attributes:
        share: of wrong labels, in [0, 1].
        worst: the commonest confusion: the label that documents have, the class they look like;
            None where there is none.
    """

    share: float
    worst: tuple[str, str] | None


def estimate(texts: Sequence[str], labels: Sequence[str], folds: Sequence[int]) -> Noise:
    """The share of wrong labels among `labels`.

    The same arguments give the same answer.

    Args:
        texts: documents.
        labels: of each; at least two different ones.
        folds: of each text a whole number, the same for the same text; it chooses the fold, so
            that a text never helps to judge its own copy.
    """
    import numpy as np

    classes, actual = np.unique(labels, return_inverse=True)
    names: list[str] = classes.tolist()
    probabilities = out_of_fold(texts, actual, folds, len(names))
    joint = confident_joint(probabilities, actual)
    apart = joint.copy()
    np.fill_diagonal(apart, 0)
    total = joint.sum()
    worst = np.unravel_index(int(apart.argmax()), apart.shape)
    return Noise(
        share=float(apart.sum() / total) if total else 0.0,
        worst=(names[worst[0]], names[worst[1]]) if apart.any() else None,
    )


def confident_joint(probabilities: Array, actual: Array) -> Array:
    """How many documents with the label i look like class j: (classes, classes).

    Args:
        probabilities: (documents, classes).
        actual: (documents,), the label's column.

    >>> import numpy as np
    >>> sure = np.array([[0.9, 0.1], [0.8, 0.2], [0.1, 0.9], [0.2, 0.8], [0.9, 0.1]])
    >>> confident_joint(sure, np.array([0, 0, 1, 1, 1])).round(1).tolist()
    [[2.0, 0.0], [1.0, 2.0]]
    """
    import numpy as np

    classes = probabilities.shape[1]
    looks = looks_like(probabilities, actual)
    sure = looks >= 0
    counts = np.zeros((classes, classes))
    np.add.at(counts, (actual[sure], looks[sure]), 1.0)
    size = np.bincount(actual, minlength=classes)[:, None]
    weighted: Array = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1.0) * size
    return weighted


def looks_like(probabilities: Array, actual: Array) -> Array:
    """The likeliest class whose threshold each document reaches: (documents,); -1 for none.

    Args:
        probabilities, actual: as for `confident_joint`.
    """
    import numpy as np

    classes = range(probabilities.shape[1])
    means = [probabilities[actual == c, c].mean() if (actual == c).any() else 1.0 for c in classes]
    reached = probabilities >= np.array(means)  # (N, C)
    looks = np.where(reached, probabilities, -1.0).argmax(axis=1)
    found: Array = np.where(reached.any(axis=1), looks, -1)
    return found


def out_of_fold(texts: Sequence[str], actual: Array, folds: Sequence[int], classes: int) -> Array:
    """Probabilities (documents, classes) from models that did not learn from the document.

    Args:
        texts: documents.
        actual: (documents,), the label's column.
        folds: as for `estimate`.
        classes: C.
    """
    import numpy as np
    from sklearn.feature_extraction.text import HashingVectorizer, TfidfTransformer
    from sklearn.linear_model import SGDClassifier

    counter = HashingVectorizer(n_features=_FEATURES, alternate_sign=False, norm=None)
    words = TfidfTransformer(sublinear_tf=True).fit_transform(counter.transform(texts))
    words = words[:, np.unique(words.indices)]  # empty places teach nothing, but take their time
    fold = np.array([f % _FOLDS for f in folds])
    found = np.zeros((len(texts), classes))
    for f in range(_FOLDS):
        learned, asked = fold != f, fold == f
        if not asked.any() or len(np.unique(actual[learned])) < 2:  # noqa: PLR2004 - two classes
            continue
        model = SGDClassifier(
            loss="log_loss", max_iter=_EPOCHS, tol=None, average=True, random_state=_SEED
        )
        model.fit(words[learned], actual[learned])
        found[np.ix_(asked, model.classes_)] = model.predict_proba(words[asked])
    return found
