"""Novelty: texts unlike the learned ones are unsure, and almost no held-out text is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from components.core import bundle, keys
from components.core.bundle import novelty
from components.core.bundle.runtimes import fast_textcnn
from tests.tiny import make_bundle

DRAWS = np.random.default_rng(11)
CENTRES = np.array([[4.0, 0.0], [0.0, 4.0], [-4.0, -4.0]])
Side = dict[str, np.ndarray]
Text = dict[str, object]


def documents(count: int, spread: float = 1.0, unknown: float = 0.05, words: int = 60) -> Side:
    """Outputs for documents of three classes, wider in one direction than in the other."""
    classes = np.arange(count) % 3
    noise = spread * DRAWS.normal(size=(count, 2)) * [0.3, 1.0]
    doubt = DRAWS.uniform(0, 0.1, size=(count, 1))
    return {
        "features": CENTRES[classes] + noise,
        "probabilities": (1 - doubt) * np.eye(3)[classes] + doubt / 3,
        "words": np.full(count, words, np.int32),
        "unknown_share": DRAWS.binomial(words, unknown, count) / words,
    }


def fitted(count: int = 400, share: float = 0.99) -> novelty.Novelty:
    train = documents(count)
    return novelty.fit((train["features"], train["probabilities"]), documents(count), 100, share)


@pytest.mark.parametrize("count", [1, 30, 400])
def test_at_most_the_rest_of_the_held_out_documents_is_novel(count: int) -> None:
    train, held_out = documents(max(count, 30)), documents(count)
    made = novelty.fit((train["features"], train["probabilities"]), held_out, 100, 0.99)
    scores = novelty.Scorer(made)(held_out)
    assert scores.dtype == np.float32 and (scores >= 0).all()
    assert (scores > 1.000001).mean() <= 0.01


def test_new_documents_of_the_same_kind_are_familiar() -> None:
    assert (novelty.Scorer(fitted())(documents(3000)) > 1).mean() < 0.03


def test_a_network_that_knows_its_training_documents_by_heart() -> None:
    """Thirty held-out documents are far from it then, and new documents as far."""
    known = documents(300, spread=0.05)
    train = known["features"], known["probabilities"]
    made = [novelty.fit(train, documents(30), 100, 0.99) for _ in range(20)]
    shares = [(novelty.Scorer(one)(documents(300)) > 1).mean() for one in made]
    assert np.mean(shares) < 0.06


@pytest.mark.parametrize(
    ("change", "novel"),
    [
        (lambda side: side, False),
        # Of three words one is unknown: chance. Of thirty, twenty: another language.
        (lambda side: side | {"words": 3, "unknown_share": 1 / 3}, False),
        (lambda side: side | {"words": 30, "unknown_share": 2 / 3}, True),
        (lambda side: side | {"words": 1, "unknown_share": 1.0}, True),
        (lambda side: side | {"words": 0, "unknown_share": 1.0}, True),
        (lambda side: side | {"probabilities": [0.4, 0.3, 0.3]}, True),
        (lambda side: side | {"features": [4.0, 6.0]}, False),  # where the class is wide
        (lambda side: side | {"features": [10.0, 0.0]}, True),  # where it is narrow
    ],
)
def test_what_is_novel(
    change: Callable[[dict[str, object]], dict[str, object]], novel: bool
) -> None:
    plain: dict[str, object] = {
        "words": 60, "unknown_share": 0.05, "features": [4.0, 0.0],
        "probabilities": [0.96, 0.02, 0.02],
    }  # fmt: skip
    text = {key: np.array([value]) for key, value in change(plain).items()}
    assert (novelty.Scorer(fitted())(text)[0] > 1) == novel


def test_a_short_text_of_an_easy_kind_is_familiar() -> None:
    """Held-out documents that hardly vary do not make it novel; a text between classes is."""
    train, held_out = documents(300, spread=0.05), documents(40, spread=0.1)
    held_out["probabilities"] = train["probabilities"] = 0.97 * np.eye(3)[np.arange(300) % 3] + 0.01
    held_out["probabilities"] = held_out["probabilities"][:40]
    scorer = novelty.Scorer(
        novelty.fit((train["features"], train["probabilities"]), held_out, 9, 1)
    )
    text = {"words": np.full(2, 6), "unknown_share": np.array([0.0, 0.0]),
            "features": np.array([[3.0, 0.3], [0.5, 0.5]]),
            "probabilities": np.array([[0.8, 0.1, 0.1], [0.4, 0.3, 0.3]])}  # fmt: skip
    assert (scorer(text) > 1).tolist() == [False, True]


def test_features_without_variance_do_not_count() -> None:
    """Cross-validation of a network has none, see components/train/cross_validation.py."""
    train, held_out = documents(30), documents(30)
    flat = {**held_out, "features": 0 * held_out["features"]}
    made = novelty.fit((0 * train["features"], train["probabilities"]), flat, 100, 0.99)
    scores = novelty.Scorer(made)({**flat, "unknown_share": np.linspace(0, 1, 30)})
    assert np.isfinite(scores).all() and scores[0] < 1 < scores[-1]


@pytest.mark.parametrize("runtime", ["fast", "saved_model"])
def test_a_bundle_abstains_where_no_confidence_is_too_low(tmp_path: Path, runtime: str) -> None:
    """And one without the file, of an earlier release, never does."""
    folder, key_folder = tmp_path / "bundle", tmp_path / "keys"
    make_bundle(folder, key_folder)
    if runtime == "saved_model":
        (folder / bundle.MODEL / fast_textcnn.FILE).unlink()
        bundle.sign(folder, key_folder)
    known = [f"the {word} of today" for word in ("bank", "market", "film", "goal", "team")] * 4
    texts = [*known, "", "\U0001f600", "xxxx", "qwe rty uio pas dfg"]
    earlier = bundle.load(folder, key_folder).predict(texts)
    assert earlier.novelty is None and not earlier.abstained.any()
    assert earlier.taken([3]).novelty is None
    outputs = {name: getattr(earlier, name)[:20] for name in
               ("features", "probabilities", "words", "unknown_share")}  # fmt: skip
    made = novelty.fit((outputs["features"], outputs["probabilities"]), outputs, 32, 0.99)
    novelty.save(made, folder / bundle.MODEL)
    bundle.sign(folder, keys.ensure(key_folder))
    found = bundle.load(folder, key_folder).predict(texts)
    assert found.novelty is not None
    assert not found.abstained[:20].any()
    # Three quarters of the words that this model reads are unknown to it, so one more is no news.
    assert found.novelty[20:].min() > found.novelty[:20].max()
    assert found.taken([0, 21]).novelty is not None
