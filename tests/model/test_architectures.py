"""Every architecture learns what is easy, and its bundle answers as it does."""

from __future__ import annotations

import random
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from components import train
from components.core import bundle
from components.core import params as parameters
from components.core import target as targets
from components.core.networks import assembly, presets
from components.core.params.architectures.pretrained import Pretrained
from components.core.training.loop import NullLogger
from components.train import inference

PROJECT = parameters.load(Path(__file__).parents[2] / "params.yaml")
WORDS = {"business": "bank shares", "sports": "goal match", "tech": "software internet"}
FILLER = ["the", "of", "and", "to", "in", "for", "on", "was"]
LABELS = list(WORDS)


def easy(count: int, seed: int) -> pl.DataFrame:
    """Texts whose class is in one of their words."""
    generator = random.Random(seed)
    rows = []
    for i in range(count):
        label = LABELS[i % 3]
        words = generator.choices(FILLER, k=9)
        words.insert(generator.randrange(9), generator.choice(WORDS[label].split()))
        rows.append({"text": " ".join(words), "label": label})
    return pl.DataFrame(rows)


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> parameters.Params:
    """The project's own, made small; the pretrained model is a tiny BERT of no reading."""
    import keras
    import keras_hub  # takes seconds, and each worker collects this file

    keras.utils.set_random_seed(1)  # whatever ran before: explanations are exact to a tolerance
    folder = tmp_path_factory.mktemp("preset")
    known = " ".join(WORDS.values()).split()
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *FILLER, *known]
    keras_hub.models.BertBackbone(
        vocabulary_size=len(vocabulary), num_layers=1, num_heads=2, hidden_dim=16,
        intermediate_dim=16, max_sequence_length=16, dropout=0.0,
    ).save_to_preset(folder)  # fmt: skip
    keras_hub.tokenizers.BertTokenizer(vocabulary, lowercase=True).save_to_preset(folder)
    chosen = PROJECT.train
    common: dict[str, Any] = {"words": 16, "dropout": 0.1, "learning_rate": 0.02}
    own: dict[str, dict[str, Any]] = {
        "textcnn": {"members": 1, "filters": 16, "learning_rate": 0.01},
        "bilstm": {"units": 8},
        "transformer": {"units": 16, "heads": 2, "layers": 1, "learning_rate": 0.005},
    }
    changed = {
        name: getattr(chosen, name).model_copy(update=common | more) for name, more in own.items()
    }
    changed["linear"] = chosen.linear.model_copy(update={"words": 16, "buckets": 500})
    changed["pretrained"] = Pretrained(
        folder=str(folder),
        trained_layers="all",
        chunk=16,
        batch_size=16,
        **(common | {"learning_rate": 0.01}),
    )
    changed["ensemble"] = chosen.ensemble.model_copy(update={"of": ["linear", "pretrained"]})
    return PROJECT.model_copy(
        update={
            "ingest": PROJECT.ingest.model_copy(update={"labels": LABELS}),
            "text": parameters.Text(vocabulary=100, min_count=1),
            "train": chosen.model_copy(update={"epochs": 20, "embedding": "random", **changed}),
        }
    )


@pytest.mark.parametrize("name", ["linear", "bilstm", "transformer", "pretrained", "ensemble"])
def test_an_architecture_learns_what_is_easy(
    settings: parameters.Params, name: Any, tmp_path: Path
) -> None:
    learned, asked = easy(180, 1), easy(60, 2)
    model, encoder, facts = train.fit(name, settings, learned, asked, NullLogger())
    assert facts["validation_accuracy"] >= 0.95
    assert facts["architecture"] == name
    ids = encoder([text.encode() for text in asked["text"]])[0]
    said = np.asarray(model(ids)[assembly.PROBABILITIES])
    size = model.output[assembly.FEATURES].shape[1]
    bundle.save_model(tmp_path, model, encoder, np.zeros(size), np.eye(size, 2))
    saved = bundle.Model(tmp_path, LABELS)
    found = saved.predict(asked["text"].to_list())
    np.testing.assert_allclose(found.probabilities, said, atol=1e-4)
    assert found.words.tolist() == [10] * 60
    # keras#21133: what stands beside a short text, and how long it is, changes nothing.
    short, long = "the bank and of goal", " ".join(["software in the"] * 170)
    for texts in ([short, long], [long, short], [short] * 3):
        np.testing.assert_allclose(
            saved.predict(texts).probabilities[texts.index(short)],
            saved.predict([short]).probabilities[0], atol=1e-6,
        )  # fmt: skip
    explained = saved.explain(asked["text"].to_list())
    sums = np.array([sum(why.weights.values()) for why in explained])
    moved = np.log([why.confidence / why.baseline for why in explained])
    assert np.isfinite(sums).all()
    if name not in ("pretrained", "ensemble"):
        # A BERT that never read anything turns too sharply for the few points of a bundle.
        assert abs(sums - moved).mean() < 0.1
        strongest = [max(why.weights.items(), key=itemgetter(1))[0] for why in explained]
        carried = [
            word in WORDS[why.label].split() for word, why in zip(strongest, explained, strict=True)
        ]
        assert np.mean(carried) >= 0.9
    assert all(
        set(text.split()) <= set(why.weights)
        for text, why in zip(asked["text"], explained, strict=True)
    )
    if name == "pretrained":
        assert facts["pretrained"] == presets.fingerprint(settings.train.pretrained)
    if name == "ensemble":
        assert list(facts["of"]) == ["linear", "pretrained"]
        assert facts["epochs"] == sum(one["epochs"] for one in facts["of"].values())
        assert model.output[assembly.MEMBERS].shape == (None, 2, 3)
        assert ids.shape == (60, 32)


def test_what_is_solved_is_what_the_network_says(
    settings: parameters.Params, tmp_path: Path
) -> None:
    """The frozen model reads each document once, and the solution is the network's own."""
    frozen = settings.train.pretrained.model_copy(update={"trained_layers": 0, "words": 32})
    fitting_ = settings.train.fitting.model_copy(update={"strengths": [10.0, 100.0]})
    trained = settings.train.model_copy(update={"pretrained": frozen, "fitting": fitting_})
    params = settings.model_copy(update={"train": trained})
    learned, held = (
        # Two chunks, of which the first tells the class.
        one.with_columns(text=one["text"] + " the of and" * 6)
        for one in (easy(180, 1), easy(30, 2))
    )
    model, encoder, facts = train.fit(
        "pretrained", params, learned, held, NullLogger(), cache_folder=tmp_path / "kept"
    )
    ids = encoder([text.encode() for text in held["text"]])[0]
    said = model(ids)[assembly.PROBABILITIES]
    target = targets.of(params)
    labels = target.encode(held["label"])
    accuracy, loss = target.judge(np.asarray(said), labels, params.train.label_smoothing)
    assert facts["validation_accuracy"] == pytest.approx(accuracy)
    assert facts["validation_loss"] == pytest.approx(loss, abs=1e-5)
    assert accuracy >= 0.95
    assert facts["epochs"] == len(params.train.fitting.strengths)

    found, actual = inference.outputs("pretrained", model, encoder, params, held, tmp_path / "kept")
    np.testing.assert_allclose(found[assembly.PROBABILITIES], said, atol=1e-5)
    np.testing.assert_allclose(
        found[assembly.FEATURES], model(ids)[assembly.FEATURES], rtol=1e-4, atol=1e-4
    )
    assert actual.tolist() == labels.tolist()

    again, _, same = train.fit(
        "pretrained", params, learned, held, NullLogger(), cache_folder=tmp_path / "kept"
    )
    assert same == facts
    for one, other in zip(model.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    fresh = assembly.build(frozen, np.zeros((1, 1)), len(LABELS), params.train.seed)
    bodies = (one.get_layer("body").get_weights() for one in (model, fresh))
    assert all(np.array_equal(one, other) for one, other in zip(*bodies, strict=True))

    size = model.output[assembly.FEATURES].shape[1]
    bundle.save_model(tmp_path / "model", model, encoder, np.zeros(size), np.eye(size, 2))
    saved = bundle.Model(tmp_path / "model", LABELS)
    texts = held["text"].to_list()
    np.testing.assert_allclose(saved.predict(texts).probabilities, said, atol=1e-4)
    for text, why in zip(texts, saved.explain(texts), strict=True):
        assert set(why.weights) == {*text.split(), "[CLS]", "[SEP]"}
        moved = np.log(why.confidence / why.baseline)
        assert sum(why.weights.values()) == pytest.approx(moved, abs=0.3)
