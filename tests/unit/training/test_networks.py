"""Each architecture: what it gives, that padding means nothing to it, and that it learns."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest

from components.core.bundle.runtimes import fast_textcnn
from components.core.networks import assembly, parts, tfidf
from components.core.params.architectures import ReaderSettings
from components.core.params.architectures.bilstm import BiLstm
from components.core.params.architectures.linear import Linear
from components.core.params.architectures.textcnn import TextCnn
from components.core.params.architectures.transformer import Transformer
from components.core.target.calibration import Calibration

COMMON = {"words": 8, "dropout": 0.0, "batch_size": 4, "learning_rate": 0.01, "word_dropout": 0.0}
SMALL = {
    "textcnn": TextCnn(**COMMON, members=2, filters=4, bag=3, widths=[1, 2]),
    "bilstm-last": BiLstm(**COMMON, units=4, pooling="last"),
    "bilstm-mean": BiLstm(**COMMON, units=4, pooling="mean"),
    "bilstm-max": BiLstm(**COMMON, units=4, pooling="max"),
    "transformer": Transformer(**COMMON, layers=2, heads=2, units=8, positions="sinusoidal"),
    "transformer-learned": Transformer(**COMMON, layers=1, heads=2, units=8, positions="learned"),
    "linear": Linear(words=8, grams=3, buckets=50),
}
MEMBERS = {"textcnn": 3}
FEATURES = {
    "textcnn": 2 * 2 * 4 + 3,
    "linear": 3,
    "bilstm-mean": 4 * 4 + 5,
    "bilstm-max": 4 * 4 + 5,
}
TABLE = np.random.default_rng(0).normal(size=(12, 5)).astype(np.float32)
TABLE[0] = 0
IDS = np.array([[2, 3, 4, 5, 0, 0], [6, 1, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0]], np.int32)


def drawn(settings: ReaderSettings) -> keras.Model:
    """A network of which every weight has been drawn, for those that start from nothing."""
    model, rng = assembly.build(settings, TABLE, 3, seed=1), np.random.default_rng(3)
    model.set_weights([abs(one + rng.normal(0, 0.3, one.shape)) for one in model.get_weights()])
    return model


@pytest.fixture(scope="module", params=SMALL)
def built(request: pytest.FixtureRequest) -> tuple[str, keras.Model]:
    return request.param, assembly.build(SMALL[request.param], TABLE, 3, seed=1)


def test_what_it_gives(built: tuple[str, keras.Model]) -> None:
    name, model = built
    found = {key: np.asarray(value) for key, value in model(IDS).items()}
    assert found["probabilities"].shape == (3, 3)
    assert found["members"].shape == (3, MEMBERS.get(name, 1), 3)
    assert found["features"].shape == (3, FEATURES.get(name, 8))
    assert np.isfinite(found["features"]).all()  # even of a text without words
    np.testing.assert_allclose(found["members"].sum(axis=2), 1, rtol=1e-5)
    np.testing.assert_allclose(found["members"].mean(axis=1), found["probabilities"], rtol=1e-5)


def test_padding_means_nothing(built: tuple[str, keras.Model]) -> None:
    """The same texts, padded less and more."""
    _, model = built
    longer = np.pad(IDS, [(0, 0), (0, 2)])
    np.testing.assert_allclose(
        model(IDS)["probabilities"], model(longer)["probabilities"], atol=1e-5
    )


@pytest.mark.parametrize("name", SMALL)
def test_fast_textcnn_gives_the_same(name: str, tmp_path: Path) -> None:
    """Of texts that are empty, short, cut, and of phrases wider than a text."""
    model = assembly.build(SMALL[name], TABLE, 3, seed=1)
    rng = np.random.default_rng(3)
    model.set_weights([one + rng.normal(0, 0.3, one.shape) for one in model.get_weights()])
    weights = assembly.textcnn_weights(model)
    assert (weights is not None) == (name == "textcnn")
    if weights:
        words = [f"w{i}" for i in range(2, len(TABLE))]
        centre = rng.normal(size=FEATURES[name])
        settings = (words, 6, "words", centre, np.eye(FEATURES[name]), Calibration())
        fast_textcnn.write(tmp_path, weights, *settings)
        short = fast_textcnn.load(tmp_path)
        texts = ["", "w7", "?", "w3 new w2", "w2 w3 w4 w5 w6 w7 w8", "w11 w11 w11 w11 w11 w11"]
        ids = [[0] * 6, [7] + [0] * 5, [0] * 6, [3, 1, 2, 0, 0, 0], list(range(2, 8)), [11] * 6]
        found, expected = short.predict(texts), model(np.array(ids))
        np.testing.assert_allclose(found["probabilities"], expected["probabilities"], atol=1e-6)
        np.testing.assert_allclose(found["features"] + centre, expected["features"], atol=1e-5)
        assert found["words"].tolist() == [0, 1, 0, 3, 7, 6]
        shares = [1, 0, 1, 1 / 3, 0, 0]
        np.testing.assert_allclose(found["unknown_share"], shares, rtol=1e-6)


def test_equal_seeds_give_equal_networks(built: tuple[str, keras.Model]) -> None:
    name, model = built
    same, other = (assembly.build(SMALL[name], TABLE, 3, seed) for seed in (1, 2))
    first, second, third = (np.asarray(one(IDS)["probabilities"]) for one in (model, same, other))
    np.testing.assert_array_equal(first, second)
    # `linear` starts from nothing: it is solved.
    assert (abs(first - third).max() > 1e-6) == (name != "linear")


@pytest.mark.parametrize(
    "name", ["textcnn", "bilstm-max", "transformer", "transformer-learned", "linear"]
)
def test_order_is_seen(name: str) -> None:
    model = drawn(SMALL[name])
    there, back = (np.asarray(model(np.array([ids]))["features"]) for ids in ([2, 3, 4], [4, 3, 2]))
    assert abs(there - back).max() > 1e-5


def test_a_bag_of_single_words_does_not_see_order() -> None:
    model = drawn(SMALL["linear"].model_copy(update={"grams": 1}))
    there, back = (np.asarray(model(np.array([ids]))["features"]) for ids in ([2, 3, 4], [4, 3, 2]))
    np.testing.assert_allclose(there, back, rtol=1e-5)


def test_pooling_looks_at_words_alone() -> None:
    sequence = keras.ops.array([[[-3.0, 1], [-1, 2], [9, 9]], [[5, 5], [5, 5], [5, 5]]])
    words = keras.ops.array([[[1.0], [1], [0]], [[0], [0], [0]]])
    assert np.asarray(parts.mean(sequence, words)).tolist() == [[-2, 1.5], [0, 0]]
    assert np.asarray(parts.largest(sequence, words)).tolist() == [[-1, 2], [0, 0]]


def test_rows_of_phrases() -> None:
    ids = keras.ops.array([[2, 3, 4, 2]])
    pairs = tfidf.phrase(ids, ids, 2, 10_000)
    assert np.asarray(pairs).tolist() == [[2 * 1009 + 3, 3 * 1009 + 4, 4 * 1009 + 2]]
    triples = tfidf.phrase(pairs, ids, 3, 10_000)
    assert np.asarray(triples).tolist() == [
        [(2021 * 1009 + 4) % 10_000, (3031 * 1009 + 2) % 10_000]
    ]
    largest = keras.ops.array([[2_000_000, 1_999_999]])
    assert (np.asarray(tfidf.phrase(largest, largest, 2, 2_000_003)) >= 0).all()


def test_an_ensemble_is_the_mean_of_its_networks() -> None:
    one = assembly.build(SMALL["linear"], TABLE, 3, seed=1)
    two = assembly.build(SMALL["textcnn"], TABLE, 3, seed=2)
    joined = assembly.join([one, two], [6, 4])
    found = joined(np.concatenate([IDS, IDS[:, :4]], axis=1))
    alone = [np.asarray(one(IDS)["probabilities"]), np.asarray(two(IDS[:, :4])["probabilities"])]
    np.testing.assert_allclose(found["members"], np.stack(alone, axis=1), rtol=1e-5)
    np.testing.assert_allclose(found["probabilities"], np.mean(alone, axis=0), rtol=1e-5)
    assert found["features"].shape == (3, 3 + FEATURES["textcnn"])


def test_the_bag_is_tf_idf() -> None:
    """What the graph gives is what scikit-learn gives, of words and pairs."""
    from sklearn.feature_extraction.text import TfidfTransformer

    settings = SMALL["linear"].model_copy(update={"grams": 2, "buckets": 5000})
    model, rng = assembly.build(settings, TABLE, 3, seed=1), np.random.default_rng(5)
    ids = rng.integers(2, 12, (20, 8)).astype(np.int32)
    ids[0, 3:], ids[1] = 0, 7
    counts = np.zeros((20, 12 + 5000))
    for row, text in zip(counts, ids, strict=True):
        words = text[text > 0]
        np.add.at(row, words, 1)
        np.add.at(row, 12 + (words[:-1] * 1009 + words[1:]) % 5000, 1)
    vectors = rng.normal(size=(12 + 5000, 3)).astype(np.float32)
    learned = TfidfTransformer(sublinear_tf=True).fit(counts)
    tfidf.set_parameters(model, learned.idf_, vectors)
    np.testing.assert_allclose(
        model(ids)["features"], learned.transform(counts) @ vectors, rtol=1e-4, atol=1e-5
    )
