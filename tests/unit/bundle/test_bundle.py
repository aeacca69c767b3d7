"""A bundle is verified to the byte before anything of it is loaded."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components.core import bundle, keys
from components.core.bundle.explanation import gather
from components.core.bundle.runtimes import fast_textcnn, saved_model
from components.core.errors import BundleError
from components.core.target.calibration import Calibration, tempered
from tests.tiny import make_bundle

TEXTS = [
    "The BANK's market;shares, and a film of the Straße", "", "\x00 \ud800", "minister" * 3,
    "film minister film bank music film", "word " * 40, "İstanbul £500m \u2014 “café” ½ x² goal",
]  # fmt: skip


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, str]:
    folder = tmp_path_factory.mktemp("bundle")
    name = make_bundle(folder / "bundle", folder / "keys")
    return folder / "bundle", folder / "keys", name


@pytest.fixture
def copy(made: tuple[Path, Path, str], tmp_path: Path) -> Path:
    shutil.copytree(made[0], tmp_path / "bundle")
    return tmp_path / "bundle"


def test_it_takes_raw_text_and_gives_probabilities(made: tuple[Path, Path, str]) -> None:
    model = bundle.load(made[0], made[1])
    found = model.predict(["the bank market shares", "a film with music", "", "\x00 \ud800"])
    assert model.name == made[2]
    assert found.labels[:2] == ["business", "entertainment"]
    assert found.probabilities.shape == (4, len(model.labels))
    np.testing.assert_allclose(found.probabilities.sum(axis=1), 1, rtol=1e-5)
    assert found.words.tolist() == [4, 4, 0, 1] or found.words.tolist() == [4, 4, 0, 0]
    assert found.signals().columns[:4] == ["label", "confidence", "words", "unknown_share"]


def test_the_calibration_is_part_of_the_model(tmp_path: Path) -> None:
    said = {}
    for name, calibration in (("plain", Calibration()), ("hot", Calibration(3.0, 0.9))):
        make_bundle(tmp_path / name, tmp_path / "keys", calibration=calibration)
        said[name] = bundle.load(tmp_path / name, tmp_path / "keys").predict(["the bank", "of of"])
    assert said["plain"].abstained.tolist() == [False, False]
    assert said["hot"].abstained.tolist() == [True, True]
    expected = tempered(said["plain"].probabilities, 3.0)
    np.testing.assert_allclose(said["hot"].probabilities, expected, rtol=1e-5)


def test_answers_do_not_depend_on_the_company(made: tuple[Path, Path, str]) -> None:
    model = bundle.load(made[0], made[1])
    texts = [f"bank {i} film" for i in range(300)]
    together = model.predict(texts)
    alone = model.predict(texts[7:8])
    assert len(together) == 300
    np.testing.assert_allclose(alone.probabilities[0], together.probabilities[7], atol=1e-6)
    assert len(model.predict([])) == 0


def test_answers_come_in_the_order_of_the_texts(
    saved: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long each is: those of like length are computed together."""
    monkeypatch.setattr(saved_model, "_MAX_CHARACTERS", 1000)
    counts = [1 + 37 * i % 71 for i in range(71)]
    assert saved.predict(["bank " * count for count in counts])["words"].tolist() == counts


@pytest.fixture(scope="module")
def saved(made: tuple[Path, Path, str]) -> Any:
    """The same model through TensorFlow, as others load it."""
    return saved_model.load(made[0] / bundle.MODEL)


def test_fast_textcnn_answers_as_the_signature_that_others_load(
    made: tuple[Path, Path, str], saved: Any
) -> None:
    model = bundle.load(made[0], made[1])
    for texts in (["bank"], TEXTS, [*TEXTS, *(f"bank {i} film" for i in range(300))]):
        found, plain = model.predict(texts), saved.predict(texts)
        np.testing.assert_allclose(found.probabilities, plain["probabilities"], atol=1e-6)
        np.testing.assert_allclose(found.features, plain["features"], atol=1e-6)
        np.testing.assert_allclose(found.unknown_share, plain["unknown_share"], atol=1e-6)
        assert found.words.tolist() == plain["words"].tolist()
        assert found.abstained.tolist() == plain["abstained"].tolist()


def test_fast_textcnn_gives_the_same_reasons(made: tuple[Path, Path, str], saved: Any) -> None:
    """TensorFlow's are taken at fewer points of the path: the sum of its weights is less right."""
    whys = bundle.load(made[0], made[1]).explain(TEXTS)
    for why, (said, before, words, weights) in zip(whys, saved.explain(TEXTS), strict=True):
        assert why.confidence == pytest.approx(said.max(), abs=1e-6)
        assert why.baseline == pytest.approx(before[said.argmax()], abs=1e-6)
        expected = gather(words, weights.tolist())
        assert list(why.weights) == list(expected)
        assert list(why.weights.values()) == pytest.approx(list(expected.values()), abs=1e-3)
        moved = np.log(why.confidence / why.baseline)
        assert sum(why.weights.values()) == pytest.approx(moved, abs=1e-5)


def test_a_fast_textcnn_with_a_weight_that_is_no_number_is_not_loaded(copy: Path) -> None:
    file = copy / bundle.MODEL / fast_textcnn.FILE
    held = dict(np.load(file))
    held["bag"][3, 0] = np.nan
    np.savez(file, **held)
    signed_by = keys.ensure(copy.parent / "keys")
    bundle.sign(copy, signed_by)
    with pytest.raises(BundleError, match="NaN"):
        bundle.load(copy, signed_by)


def test_it_says_which_words_carried_the_label(made: tuple[Path, Path, str]) -> None:
    model = bundle.load(made[0], made[1])
    texts = ["A film, the films\x00; the minister and film again", "\ud800", *["bank"] * 9]
    found = model.explain(texts)
    assert [why.label for why in found[::10]] == ["entertainment", "business"]
    why = found[0]
    assert list(why.weights) == ["a", "film", "the", "films", "minister", "and", "again"]
    assert why.weights["film"] > 0 > why.weights["minister"]
    moved = np.log(why.confidence / why.baseline)
    assert sum(why.weights.values()) == pytest.approx(moved, abs=1e-4)
    assert found[2] == found[-1]


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda b: flip(b / "model" / "saved_model.pb"),
        lambda b: flip(b / "model" / "variables" / "variables.data-00000-of-00001"),
        lambda b: flip(b / "bundle.json"),
        lambda b: flip(b / "reference.parquet"),
        lambda b: flip(b / "manifest.json"),
        lambda b: flip(b / "manifest.sig"),
        lambda b: (b / "manifest.sig").unlink(),
        lambda b: (b / "reference.parquet").unlink(),
        lambda b: (b / "model" / "more.py").write_text("print()"),
        shutil.rmtree,
    ],
)
def test_an_altered_bundle_is_refused(
    made: tuple[Path, Path, str], copy: Path, spoil: Callable[[Path], None]
) -> None:
    spoil(copy)
    with pytest.raises(BundleError):
        bundle.load(copy, made[1])


def test_a_bundle_signed_by_another_key_is_refused(copy: Path, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="signed by the key"):
        bundle.load(copy, keys.ensure(tmp_path / "other"))


def test_without_a_public_key_nothing_is_loaded(copy: Path, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="public key"):
        bundle.load(copy, tmp_path / "nowhere")


def test_keys_are_private_and_stay(tmp_path: Path) -> None:
    folder = keys.ensure(tmp_path / "keys")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
    keys.ensure(folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert set(before) == {keys.SIGNING, keys.PUBLIC, keys.PSEUDONYM, keys.SUPPRESSION}


def test_a_bundle_of_before_abstention_is_sure_of_everything(tmp_path: Path) -> None:
    import tensorflow as tf

    class Old(tf.Module):  # type: ignore[misc]
        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="texts")])
        def predict(self, texts):  # type: ignore[no-untyped-def]
            count = tf.shape(texts)[0]
            return {
                "probabilities": tf.tile([[0.4, 0.6]], [count, 1]),
                "features": tf.zeros([count, 1]),
                "words": tf.ones([count], tf.int32),
                "unknown_share": tf.zeros([count]),
            }

    old = Old()
    tf.saved_model.save(old, str(tmp_path), signatures={"serving_default": old.predict})
    model = bundle.Model(tmp_path, ["a", "b"])
    found = model.predict(["x", "y"])
    assert (found.labels, found.abstained.tolist()) == (["b", "b"], [False, False])
    with pytest.raises(BundleError, match="newsloop run"):
        model.explain(["x"])
