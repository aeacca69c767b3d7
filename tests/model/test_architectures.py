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
from components.core import bundle, feeding, fitting, hardware, network, presets
from components.core import params as parameters
from components.core.architecture_settings import Pretrained
from components.crossvalidate import Silent

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
    import keras_hub  # takes seconds, and each worker collects this file

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
        "linear": {"buckets": 500},
    }
    changed = {
        name: getattr(chosen, name).model_copy(update=common | more) for name, more in own.items()
    }
    changed["pretrained"] = Pretrained(
        folder=str(folder),
        trained_layers="all",
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
    model, encoder, facts = train.fit(name, settings, learned, asked, Silent())
    assert facts["validation_accuracy"] >= 0.95
    assert facts["architecture"] == name
    ids = encoder([text.encode() for text in asked["text"]])[0]
    said = np.asarray(model(ids)[network.PROBABILITIES])
    size = model.output[network.FEATURES].shape[1]
    bundle.save_model(tmp_path, model, encoder, np.zeros(size), np.eye(size, 2))
    saved = bundle.Model(tmp_path, LABELS)
    found = saved.predict(asked["text"].to_list())
    np.testing.assert_allclose(found.probabilities, said, atol=1e-4)
    assert found.words.tolist() == [10] * 60
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
        assert model.output[network.MEMBERS].shape == (None, 2, 3)
        assert ids.shape == (60, 32)


def test_what_does_not_learn_is_computed_once(settings: parameters.Params) -> None:
    """With no trained layer the result is that of reading everything again in each epoch."""
    chosen = settings.train.pretrained.model_copy(
        update={"trained_layers": 0, "dropout": 0.0, "learning_rate": 0.1}
    )
    fitting_ = settings.train.fitting.model_copy(update={"sorted_batches": 1})
    changed = {"pretrained": chosen, "fitting": fitting_, "epochs": 3}
    params = settings.model_copy(update={"train": settings.train.model_copy(update=changed)})
    learned, held = easy(60, 1), easy(30, 2)
    model, encoder, facts = train.fit("pretrained", params, learned, held, Silent())

    sides = [feeding.encode(one, encoder, LABELS, 100) for one in (learned, held)]
    slow = network.build(chosen, np.zeros((1, 1)), len(LABELS), params.train.seed)
    before = [np.array(one) for one in slow.non_trainable_variables]
    feed = feeding.Feed(
        sides[0], np.ones(60, np.float32), None, fitting_, chosen.batch_size, 1, params.train.seed
    )
    recipe = fitting.Recipe(
        fitting_, chosen.learning_rate, params.train.label_smoothing, 3, params.train.patience
    )
    where = hardware.strategy("cpu")
    state = fitting.fit(slow, feed, sides[1], recipe, where, Silent())

    for once, again in zip(model.get_weights(), slow.get_weights(), strict=True):
        np.testing.assert_allclose(once, again, atol=1e-4)
    assert facts["best_epoch"] == state.best
    assert facts["validation_loss"] == pytest.approx(
        state.history[state.best - 1]["validation/loss"], abs=1e-4
    )
    moved = zip(before, model.non_trainable_variables, strict=True)
    assert all(np.array_equal(old, np.array(new)) for old, new in moved)
