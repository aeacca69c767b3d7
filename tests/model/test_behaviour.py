"""How a trained model behaves: invariance, direction, minimum function (Ribeiro et al. 2020).

The model learns from 400 real articles with the project's own settings, so what is asked of it is
what any newcomer would take for granted.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from components import train
from components.core import bundle
from components.core import params as parameters
from components.core.networks import assembly
from components.core.training.loop import NullLogger
from tests.project import LABELS, articles

PROJECT = parameters.load(Path(__file__).parents[2] / "params.yaml")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> bundle.Model:
    import tensorflow as tf

    def side(start: int, stop: int) -> pl.DataFrame:
        rows = [
            {"text": text, "label": label}
            for label in LABELS
            for text in articles(label, start, stop)
        ]
        return pl.DataFrame(rows).sample(fraction=1, shuffle=True, seed=1)

    settings = PROJECT.model_copy(
        update={
            "train": PROJECT.train.model_copy(
                update={
                    "epochs": 8,
                    "textcnn": PROJECT.train.textcnn.model_copy(
                        update={"words": 200, "members": 1}
                    ),
                }
            )
        }
    )
    learned = side(0, 80)
    net, encoder, _ = train.fit("textcnn", settings, learned, side(80, 100), NullLogger())
    ids = encoder(tf.constant(learned["text"].to_list()))[0]
    features = net.predict(ids, verbose=0)[assembly.FEATURES]
    folder = tmp_path_factory.mktemp("model")
    bundle.save_model(folder, net, encoder, *train.principal_directions(features, 4))
    return bundle.Model(folder, PROJECT.ingest.labels)


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("The striker scored twice as the club won the cup final against their rivals", "sports"),
        ("Shares fell after the bank reported lower profits and the economy slowed", "business"),
        (
            "The film won the award for best actress at the festival in front of its stars",
            "entertainment",
        ),
        ("The minister told parliament that the government would win the election", "politics"),
        ("Users of the software can download music to computers over broadband internet", "tech"),
    ],
)
def test_minimum_function(model: bundle.Model, text: str, label: str) -> None:
    assert model.predict([text]).labels == [label]


@pytest.mark.parametrize(
    "change",
    [
        str.upper,
        str.lower,
        lambda text: text.replace(". ", " .  "),
        lambda text: text.replace("said", "siad"),
        lambda text: "Mr <PERSON> said: " + text,
        lambda text: text + " Contact <EMAIL_ADDRESS> or <PHONE_NUMBER>.",
    ],
    ids=["upper case", "lower case", "spaces", "a typo", "a masked name", "masked contacts"],
)
def test_invariance(model: bundle.Model, change) -> None:  # type: ignore[no-untyped-def]
    texts = [text for label in LABELS for text in articles(label, 100, 110)]
    before = model.predict(texts).labels
    after = model.predict([change(text) for text in texts]).labels
    assert np.mean([a == b for a, b in zip(before, after, strict=True)]) >= 0.96


def test_direction(model: bundle.Model) -> None:
    """Words of a class make it more probable."""
    texts = articles("business", 100, 110)
    column = model.labels.index("sports")
    before = model.predict(texts).probabilities[:, column]
    more = [text[:300] + " The team won the match and the championship final." for text in texts]
    plain = model.predict([text[:300] for text in texts]).probabilities[:, column]
    after = model.predict(more).probabilities[:, column]
    assert (after > plain).all()
    assert before.max() < 0.5


def test_nothing_to_read_is_no_confidence(model: bundle.Model) -> None:
    found = model.predict(["", "zzxqj qqvwz"])
    assert found.unknown_share.tolist() == [1.0, 1.0]
    assert found.confidence.max() < 0.9
