"""A linear answer is solved: the best one, sure as it is right, from any classes that there are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from scipy.sparse import csr_array
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.svm import LinearSVC

from components import train
from components.core import params as parameters
from components.core.target import SingleLabel
from components.core.tokenizers import words as word_tokenizer
from components.core.training import batches
from components.core.training import tfidf as tfidf_tables
from components.core.training.loop import NullLogger
from components.train import linear_head
from tests.project import LABELS, articles

PROJECT = parameters.load(Path(__file__).parents[3] / "params.yaml")
FEW = csr_array(np.array([[1.0, 0], [0.9, 0.1], [0, 1], [0.1, 0.8], [0.5, 0.5]], np.float32))


def test_terms_are_those_of_scikit_learn() -> None:
    texts = ["a b a c", "b c", "c", "", "b b b a"]
    words = ["a", "b", "c"]
    table = pl.DataFrame({"text": texts, "label": "x"})
    side = batches.encode(table, word_tokenizer.make_encoder(words, 6), SingleLabel(["x"]), 2)
    counts = tfidf_tables.count_terms(side, [5, 50_000])
    idf = tfidf_tables.inverse_frequencies(counts)
    found = tfidf_tables.weigh_terms(counts, idf).toarray()
    learned = TfidfVectorizer(
        sublinear_tf=True, ngram_range=(1, 2), token_pattern=r"[a-c]", norm="l2"
    ).fit(texts)
    theirs = learned.transform(texts).toarray()
    names = learned.get_feature_names_out().tolist()
    ids = {"a": 2, "b": 3, "c": 4}
    columns = [
        ids[name] if len(name) == 1 else 5 + ids[name[0]] * 1009 + ids[name[2]] for name in names
    ]
    np.testing.assert_allclose(found[:, columns], theirs, rtol=1e-5)
    assert found.sum() == pytest.approx(theirs.sum(), rel=1e-5)  # and nothing else
    np.testing.assert_allclose(idf[columns], learned.idf_, rtol=1e-6)


@pytest.mark.parametrize(
    ("labels", "classes"), [([0, 0, 1, 1, 0], 2), ([0, 0, 2, 2, 1], 3), ([1, 1, 3, 3, 1], 4)]
)
def test_each_class_against_the_rest(labels: list[int], classes: int) -> None:
    actual = np.array(labels)
    kernel, bias = linear_head.solve(FEW, actual, classes, 10.0, np.ones(5))
    said = FEW @ kernel + bias
    assert said.shape == (5, classes)
    assert said[:4].argmax(axis=1).tolist() == labels[:4]
    absent = sorted(set(range(classes)) - set(labels))
    assert (said[:, absent] == -1).all()
    for one in set(labels):
        alone = LinearSVC(C=10.0, dual=True, random_state=0).fit(FEW, actual == one)
        np.testing.assert_allclose(said[:, one], alone.decision_function(FEW), atol=0.02)


def test_one_class_is_always_said() -> None:
    kernel, bias = linear_head.solve(FEW, np.ones(5, int), 3, 1.0, np.ones(5))
    assert ((FEW @ kernel + bias).argmax(axis=1) == 1).all()


def test_weights_count() -> None:
    labels = np.array([0, 0, 1, 1, 0])
    heavy = np.array([1, 1, 1, 1, 50.0])
    light = np.array([1, 1, 1, 1, 0.02])
    for weights, expected in ((heavy, 0), (light, None)):
        kernel, bias = linear_head.solve(FEW, labels, 2, 1.0, weights)
        margin = np.diff(FEW @ kernel + bias, axis=1)[4, 0]
        assert margin < -1 if expected == 0 else abs(margin) < 1


def test_sureness_is_as_great_as_it_is_right() -> None:
    """Of ten answers with the same distance nine are right: 0.9 has the least loss."""
    said = np.tile([1.0, 0.0], (10, 1))
    labels = np.array([0] * 9 + [1])
    scale = linear_head.softmax_scale(SingleLabel(["a", "b"]), said, labels, 0.0)
    assert linear_head.softmax(scale * said)[0, 0] == pytest.approx(0.9, abs=1e-3)


def test_standard_numbers_are_as_long_as_asked() -> None:
    seen = np.random.default_rng(1).normal(5, [0.1, 3, 0], (400, 3))
    found = linear_head.standard(seen)
    scaled = (seen - found.mean) * found.factor
    np.testing.assert_allclose(scaled.mean(axis=0), 0, atol=1e-9)
    np.testing.assert_allclose(scaled.std(axis=0), [0.35 / 3**0.5] * 2 + [0])


def test_it_is_about_as_good_as_its_peer_on_real_news() -> None:
    """300 articles are few: by chance it may err a quarter more than scikit-learn's, and twice."""
    rows = {"learn": (0, 60), "stop": (60, 75), "asked": (75, 115)}
    sides = {
        name: pl.DataFrame(
            [{"text": one, "label": label} for label in LABELS for one in articles(label, *span)]
        )
        for name, span in rows.items()
    }
    net, encoder, facts = train.fit("linear", PROJECT, sides["learn"], sides["stop"], NullLogger())
    texts, actual = sides["asked"]["text"].to_list(), sides["asked"]["label"].to_numpy()
    said = np.asarray(net(encoder([one.encode() for one in texts])[0])["probabilities"])
    errors = (np.array(PROJECT.ingest.labels)[said.argmax(axis=1)] != actual).sum()
    vectors = TfidfVectorizer(sublinear_tf=True)
    table = vectors.fit_transform(sides["learn"]["text"].to_list())
    peer = LinearSVC(C=1.0, random_state=0).fit(table, sides["learn"]["label"].to_list())
    theirs = (peer.predict(vectors.transform(texts)) != actual).sum()
    assert errors <= 1.25 * theirs + 2
    assert facts["epochs"] == len(PROJECT.train.fitting.strengths)
    rights = said.max(axis=1).mean() - (said.argmax(axis=1) == [
        PROJECT.ingest.labels.index(one) for one in actual
    ]).mean()  # fmt: skip
    assert abs(rights) < 0.1  # its confidence is its accuracy
