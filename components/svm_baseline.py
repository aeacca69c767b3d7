"""The baseline: TF-IDF and a linear support vector machine of scikit-learn.

Each evaluation report compares the candidate with this baseline, trained on the train side.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from components.core.errors import DataError

NAME = "TF-IDF + LinearSVC"
_MAX_WEIGHTS = 2**26  # half a GiB; one weight for each class and word


def fit(texts: Sequence[str], labels: Sequence[str]) -> Any:
    """Fits a scikit-learn pipeline, whose `predict` maps texts to labels.

    Fan et al. 2008, "LIBLINEAR"; sublinear term frequencies, single words, C = 1.

    Raises:
        DataError: the baseline cannot be trained on these documents.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.pipeline import make_pipeline
    from sklearn.svm import LinearSVC

    vectorizer, classes = TfidfVectorizer(sublinear_tf=True), len(set(labels))
    if classes < 2:  # noqa: PLR2004 - nothing to separate
        raise DataError(f"Expected two classes to train {NAME}, got one. Bring another class.")
    try:
        words = vectorizer.fit_transform(texts)
    except ValueError:  # scikit-learn: "empty vocabulary"
        raise DataError(
            f"Expected words of two letters or more to train {NAME}, got none. Texts without "
            "spaces between words have no such baseline."
        ) from None
    if classes * words.shape[1] > _MAX_WEIGHTS:
        raise DataError(
            f"Expected at most {_MAX_WEIGHTS:,} weights of {NAME}, got {classes} classes with "
            f"{words.shape[1]:,} words. So large a data set has no such baseline."
        )
    svm = LinearSVC(random_state=0).fit(words, list(labels))
    return make_pipeline(vectorizer, svm)


def predict(texts: Sequence[str], labels: Sequence[str], new_texts: Sequence[str]) -> list[str]:
    """Fits the baseline on `texts` and `labels`, and predicts `new_texts`; raises as `fit`."""
    return [str(label) for label in fit(texts, labels).predict(list(new_texts))]
