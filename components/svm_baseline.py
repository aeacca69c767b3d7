"""The baseline: TF-IDF and a linear support vector machine of scikit-learn.

Each evaluation report compares the candidate with this baseline, trained on the train side.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

NAME = "TF-IDF + LinearSVC"


def fit(texts: Sequence[str], labels: Sequence[str]) -> Any:
    """Fits a scikit-learn pipeline, whose `predict` maps texts to labels.

    Fan et al. 2008, "LIBLINEAR"; sublinear term frequencies, single words, C = 1.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.pipeline import make_pipeline
    from sklearn.svm import LinearSVC

    pipeline = make_pipeline(TfidfVectorizer(sublinear_tf=True), LinearSVC(random_state=0))
    return pipeline.fit(list(texts), list(labels))


def predict(texts: Sequence[str], labels: Sequence[str], new_texts: Sequence[str]) -> list[str]:
    """Fits the baseline on `texts` and `labels`, and predicts `new_texts`."""
    return [str(label) for label in fit(texts, labels).predict(list(new_texts))]
