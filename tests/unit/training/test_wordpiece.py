"""A preset of a few words: its pieces in the graph, its network, and the bundle of both."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components.core import bundle
from components.core.errors import ParamsError
from components.core.networks import assembly, presets
from components.core.params.architectures.pretrained import Pretrained
from components.core.tokenizers import wordpiece
from tests import fresh

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "cup", "final", "##s", "<", ">", "cafe", "."]
PAD, UNK, CLS, SEP, _, CUP, FINAL, S, OPEN, CLOSE, CAFE, STOP = range(len(WORDS))


def settings(folder: Path, **more: Any) -> Pretrained:
    numbers = {"words": 8, "chunk": 8, "dropout": 0.0, "batch_size": 4, "learning_rate": 0.01}
    return Pretrained(folder=str(folder), **({"trained_layers": 1} | numbers | more))


@pytest.fixture(scope="module")
def preset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT of two tiny layers, in KerasHub's layout."""
    import keras_hub  # takes seconds, and each worker collects this file

    folder = tmp_path_factory.mktemp("preset")
    keras_hub.models.BertBackbone(
        vocabulary_size=len(WORDS), num_layers=2, num_heads=2, hidden_dim=8, intermediate_dim=16,
        max_sequence_length=16,
    ).save_to_preset(folder)  # fmt: skip
    keras_hub.tokenizers.BertTokenizer(WORDS, lowercase=True).save_to_preset(folder)
    return folder


def test_pieces(preset: Path) -> None:
    encoder = wordpiece.make_encoder(settings(preset), ["cup", "the"], "words")
    texts = ["Cups", "CAFÉ\x00 final.", "", "cup " * 9, "<cup> q"]
    ids, words, unknown = (one.numpy().tolist() for one in encoder([t.encode() for t in texts]))
    assert ids == [
        [CLS, CUP, S, SEP, 0, 0, 0, 0],
        [CLS, CAFE, FINAL, STOP, SEP, 0, 0, 0],
        [CLS, SEP, 0, 0, 0, 0, 0, 0],
        [CLS, *[CUP] * 6, SEP],
        [CLS, OPEN, CUP, CLOSE, UNK, SEP, 0, 0],
    ]
    assert words == [1, 2, 0, 9, 2]
    assert unknown == [1.0, 1.0, 1.0, 0.0, 0.5]  # of the training side's words, not of pieces


def test_a_long_text_is_laid_out_in_chunks(preset: Path) -> None:
    encoder = wordpiece.make_encoder(settings(preset, words=12, chunk=4), ["cup"], "words")
    texts = ["cup final cup", "cup " * 4, "cup " * 9, ""]
    ids = encoder([text.encode() for text in texts])[0].numpy().reshape(4, 3, 4).tolist()
    nothing = [0] * 4
    assert ids == [
        [[CLS, CUP, FINAL, SEP], [CLS, CUP, SEP, 0], nothing],
        [[CLS, CUP, CUP, SEP], [CLS, CUP, CUP, SEP], nothing],
        [[CLS, CUP, CUP, SEP]] * 3,
        [[CLS, SEP, 0, 0], nothing, nothing],
    ]
    read = encoder.read([b"cups final"]).numpy().tolist()[0]
    assert read[:7] == [b"[CLS]", b"cup", b"##s", b"[SEP]", b"[CLS]", b"final", b"[SEP]"]


@pytest.mark.parametrize(("layers", "trained"), [(0, []), (1, [1]), (2, [0, 1]), ("all", None)])
def test_only_the_last_layers_learn(preset: Path, layers: Any, trained: list[int] | None) -> None:
    model = assembly.build(settings(preset, trained_layers=layers), np.zeros((1, 1)), 3, seed=1)
    learned = {v.path for v in model.trainable_variables}
    found = {i for i in (0, 1) if any(f"transformer_layer_{i}/" in path for path in learned)}
    assert found == set([0, 1] if trained is None else trained)
    assert any("token_embedding" in path for path in learned) is (trained is None)
    assert any("dense_1" in path for path in learned)


def test_the_bundle_needs_no_preset(preset: Path, tmp_path: Path) -> None:
    """Raw text in, the same answers out, after the preset is gone, and in a process that has
    imported nothing yet.
    """
    chosen = settings(preset)
    model = assembly.build(chosen, np.zeros((1, 1)), 3, seed=1)
    encoder = wordpiece.make_encoder(chosen, ["cup"], "words")
    texts = ["Cup finals", "", "café"]
    ids = encoder([text.encode() for text in texts])[0]
    expected = model(ids)["probabilities"]
    bundle.save_model(tmp_path, model, encoder, np.zeros(24), np.eye(24)[:, :2])
    found = bundle.Model(tmp_path, ["a", "b", "c"]).predict(texts)
    np.testing.assert_allclose(found.probabilities, expected, rtol=1e-4)
    assert found.words.tolist() == [2, 0, 1]
    elsewhere = fresh.run(
        "import sys; from pathlib import Path; from components.core import bundle;"
        f"model = bundle.Model(Path({str(tmp_path)!r}), ['a', 'b', 'c']);"
        f"found = model.predict({texts!r}).probabilities.tolist();"
        "answer = {'found': found, 'text': 'tensorflow_text' in sys.modules}"
    )
    np.testing.assert_allclose(elsewhere["found"], expected, rtol=1e-4)
    assert elsewhere["text"] is True
    files = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert str(preset).encode() not in files


def test_padding_means_nothing(preset: Path) -> None:
    model = assembly.build(settings(preset), np.zeros((1, 1)), 3, seed=1)
    short = np.array([[CLS, CUP, S, SEP]])
    long = np.pad(short, [(0, 0), (0, 4)])
    np.testing.assert_allclose(
        model(short)["probabilities"], model(long)["probabilities"], atol=1e-5
    )


def test_chunks_are_read_apart(preset: Path) -> None:
    """The mean over two chunks is the mean of what each says alone; the first is kept apart."""
    from components.core.networks import pretrained

    both = assembly.build(settings(preset, words=8, chunk=4), np.zeros((1, 1)), 3, seed=1)
    chunks = np.array([[[CLS, CUP, FINAL, SEP], [CLS, CAFE, STOP, SEP]]])
    sequence = np.asarray(both.get_layer("body")({
        "token_ids": chunks[0], "padding_mask": np.ones((2, 4), int),
        "segment_ids": np.zeros((2, 4), int),
    }))  # fmt: skip
    whole = sequence.reshape(8, 8)
    expected = [whole.mean(axis=0), whole.max(axis=0), sequence[0].mean(axis=0)]
    found = pretrained.Pooled()(sequence, chunks[0], chunks.reshape(1, 8))
    np.testing.assert_allclose(found[0], np.concatenate(expected), rtol=1e-5, atol=1e-6)
    # Beside a longer text, an empty chunk counts for nothing.
    short = np.pad(chunks[0, :1], [(0, 0), (0, 4)])
    batch = both(np.concatenate([short, chunks.reshape(1, 8)]))["features"]
    np.testing.assert_allclose(batch[0], both(short)["features"][0], atol=1e-5)


def test_a_fingerprint_tells_models_apart(preset: Path, tmp_path: Path) -> None:
    first = presets.fingerprint(settings(preset))
    assert first == presets.fingerprint(settings(preset, words=4, chunk=4))
    (tmp_path / "config.json").write_text("{}")
    assert first != presets.fingerprint(settings(tmp_path))


def spoilt(folder: Path, kind: str) -> Pretrained:
    if kind == "nothing":
        return settings(folder / "nowhere")
    (folder / "config.json").write_text(json.dumps({"model_type": "no such thing"}))
    return settings(folder)


@pytest.mark.parametrize(
    ("kind", "words"), [("nothing", "Expected a model in"), ("unreadable", "KerasHub can read")]
)
def test_a_wrong_preset_is_named(tmp_path: Path, kind: str, words: str) -> None:
    with pytest.raises(ParamsError, match=words):
        presets.backbone(spoilt(tmp_path, kind))


def test_more_layers_than_there_are(preset: Path) -> None:
    with pytest.raises(ParamsError, match="at most 2"):
        assembly.build(settings(preset, trained_layers=3), np.zeros((1, 1)), 3, seed=1)


def test_a_missing_package_is_named() -> None:
    with pytest.raises(ParamsError, match="no_such_package"):
        presets.folder(
            Pretrained(
                package="no_such_package", words=8, dropout=0.0, batch_size=4, learning_rate=0.1,
                trained_layers=0, chunk=8,
            )
        )  # fmt: skip


def test_other_vocabularies_are_refused(tmp_path: Path) -> None:
    """Byte pairs, as RoBERTa has them, cannot be part of the graph."""
    import keras_hub

    keras_hub.tokenizers.RobertaTokenizer(
        vocabulary={"<s>": 0, "<pad>": 1, "</s>": 2, "<mask>": 3, "a": 4, "b": 5, "ab": 6},
        merges=["a b"],
    ).save_to_preset(tmp_path)
    keras_hub.models.RobertaBackbone(
        vocabulary_size=7, num_layers=1, num_heads=1, hidden_dim=2, intermediate_dim=2,
        max_sequence_length=4,
    ).save_to_preset(tmp_path)  # fmt: skip
    with pytest.raises(ParamsError, match="WordPiece"):
        presets.tokenizer(settings(tmp_path))
