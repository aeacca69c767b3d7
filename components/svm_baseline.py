"""What a good engineer tries first: TF-IDF and a linear support vector machine.

Every report shows it beside the candidate, trained on the same documents.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

NAME = "TF-IDF + LinearSVC"


def fit(texts: Sequence[str], labels: Sequence[str]) -> Any:
    """A scikit-learn pipeline that has learned; its `predict` takes texts and gives labels.

    Fan et al. 2008, "LIBLINEAR"; sublinear term frequencies, single words, C = 1.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.pipeline import make_pipeline
    from sklearn.svm import LinearSVC

    pipeline = make_pipeline(TfidfVectorizer(sublinear_tf=True), LinearSVC(random_state=0))
    return pipeline.fit(list(texts), list(labels))


def predict(texts: Sequence[str], labels: Sequence[str], asked: Sequence[str]) -> list[str]:
    """The labels of `asked` by a baseline that learned from `texts` and `labels`."""
    return [str(label) for label in fit(texts, labels).predict(list(asked))]
