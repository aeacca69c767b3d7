"""Estimates the share of wrong labels by confident learning, and by the clearest documents.

Northcutt, Jiang and Chuang 2021, "Confident Learning: Estimating Uncertainty in Dataset Labels". A
linear model trained on the other folds predicts the probabilities of each document. The threshold
of a class is the mean of its probability over its own documents. A document counts for the most
probable class whose threshold it reaches. The estimate is the share of documents that count for
another class than their label, with each class weighted by its size.

Classes that are hard to tell apart confuse the model where labels are right. Wrong labels are as
frequent among the documents that the model is surest of. So the estimate is at most the share of
wrong labels among the surest tenth of each class (measured: docs/decisions.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from components.near_duplicates import UNSPACED

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, np.dtype[Any]]

# Words of two letters or more, and each letter of a script without spaces between words.
_TOKEN = rf"[{UNSPACED}]|[^\W{UNSPACED}]{{2,}}"
_SUREST, _LEAST_SUREST = 0.1, 20  # share, and least number, of the surest answers of a class
_FOLDS = 5
_FEATURES = 2**18  # buckets of the feature hashing
_EPOCHS = 20
_SEED = 1


@dataclass(frozen=True)
class Noise:
    """The estimate.

    Attributes:
        share: of wrong labels, in [0, 1].
        worst: the most frequent confusion: label of the documents, and the class that they
            resemble; None without a confusion.
    """

    share: float
    worst: tuple[str, str] | None


def estimate(texts: Sequence[str], labels: Sequence[str], folds: Sequence[int]) -> Noise:
    """Estimates the share of wrong labels among `labels`; deterministic.

    Args:
        texts: documents.
        labels: label of each document; at least two different labels.
        folds: an integer for each text, equal for equal texts; modulo the number of folds, it is
            the text's fold. So no text is in the training documents of its own copy.
    """
    import numpy as np

    classes, actual = np.unique(labels, return_inverse=True)
    names: list[str] = classes.tolist()
    probabilities = out_of_fold(texts, actual, folds, len(names))
    joint = confident_joint(probabilities, actual)
    off_diagonal = joint.copy()
    np.fill_diagonal(off_diagonal, 0)
    total = joint.sum()
    worst = np.unravel_index(int(off_diagonal.argmax()), off_diagonal.shape)
    return Noise(
        share=min(float(off_diagonal.sum() / total), among_surest(probabilities, actual))
        if total
        else 0.0,
        worst=(names[worst[0]], names[worst[1]]) if off_diagonal.any() else None,
    )


def among_surest(probabilities: Array, actual: Array) -> float:
    """Returns the share of other labels among the surest answers, each class by its answers.

    Args:
        probabilities: (documents, classes).
        actual: (documents,), index of the label.

    >>> import numpy as np
    >>> sure = np.array([[0.9, 0.1], [0.8, 0.2], [0.1, 0.9], [0.2, 0.8]])
    >>> among_surest(sure, np.array([0, 1, 1, 1]))
    0.25
    """
    import numpy as np

    answers, confidence = probabilities.argmax(axis=1), probabilities.max(axis=1)
    wrong = 0.0
    for answer in np.unique(answers):
        rows = np.flatnonzero(answers == answer)
        count = max(_LEAST_SUREST, round(_SUREST * len(rows)))
        surest = rows[np.argsort(-confidence[rows], kind="stable")[:count]]
        wrong += float((actual[surest] != answer).mean()) * len(rows)
    return wrong / max(len(answers), 1)


def confident_joint(probabilities: Array, actual: Array) -> Array:
    """Computes the confident joint, (classes, classes): documents of label i that resemble class j.

    Each row with confident documents adds up to the number of documents with the label i.

    Args:
        probabilities: (documents, classes).
        actual: (documents,), index of the label.

    >>> import numpy as np
    >>> sure = np.array([[0.9, 0.1], [0.8, 0.2], [0.1, 0.9], [0.2, 0.8], [0.9, 0.1]])
    >>> confident_joint(sure, np.array([0, 0, 1, 1, 1])).round(1).tolist()
    [[2.0, 0.0], [1.0, 2.0]]
    """
    import numpy as np

    classes = probabilities.shape[1]
    likely_class = looks_like(probabilities, actual)
    confident = likely_class >= 0
    counts = np.zeros((classes, classes))
    np.add.at(counts, (actual[confident], likely_class[confident]), 1.0)
    size = np.bincount(actual, minlength=classes)[:, None]
    weighted: Array = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1.0) * size
    return weighted


def looks_like(probabilities: Array, actual: Array) -> Array:
    """Returns the most probable class whose threshold each document reaches, (documents,) int.

    The class is -1 for a document that reaches no threshold.

    Args:
        probabilities, actual: see `confident_joint`.
    """
    import numpy as np

    classes = range(probabilities.shape[1])
    means = [probabilities[actual == c, c].mean() if (actual == c).any() else 1.0 for c in classes]
    reached = probabilities >= np.array(means)  # (N, C)
    likely_class = np.where(reached, probabilities, -1.0).argmax(axis=1)
    confident: Array = np.where(reached.any(axis=1), likely_class, -1)
    return confident


def out_of_fold(texts: Sequence[str], actual: Array, folds: Sequence[int], classes: int) -> Array:
    """Predicts probabilities (documents, classes) by models without the document in training.

    Args:
        texts: documents.
        actual: (documents,), index of the label.
        folds: see `estimate`.
        classes: number of classes.

    Returns:
        Probabilities; rows of a fold are 0 if its training documents have fewer than two classes.
    """
    import numpy as np
    from sklearn.feature_extraction.text import HashingVectorizer, TfidfTransformer
    from sklearn.linear_model import SGDClassifier

    counter = HashingVectorizer(
        n_features=_FEATURES, alternate_sign=False, norm=None, token_pattern=_TOKEN
    )
    words = TfidfTransformer(sublinear_tf=True).fit_transform(counter.transform(texts))
    words = words[:, np.unique(words.indices)]  # empty buckets cost time without an effect
    fold = np.array([f % _FOLDS for f in folds])
    probabilities = np.zeros((len(texts), classes))
    for f in range(_FOLDS):
        training, tested = fold != f, fold == f
        if not tested.any() or len(np.unique(actual[training])) < 2:  # noqa: PLR2004 - two classes
            continue
        model = SGDClassifier(
            loss="log_loss", max_iter=_EPOCHS, tol=None, average=True, random_state=_SEED
        )
        model.fit(words[training], actual[training])
        probabilities[np.ix_(tested, model.classes_)] = model.predict_proba(words[tested])
    return probabilities
