"""The pretrained model that comes as a package: a folder in Hugging Face's layout."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from components.core import params as parameters
from components.core.networks import assembly
from components.core.params.architectures.pretrained import Pretrained
from components.core.tokenizers import wordpiece

PROJECT = parameters.load(Path(__file__).parents[2] / "params.yaml")


def test_it_knows_what_texts_are_about_before_it_learns() -> None:
    chosen = PROJECT.train.pretrained.model_copy(
        update={"words": 16, "chunk": 16, "trained_layers": 0}
    )
    assert isinstance(chosen, Pretrained)
    encoder = wordpiece.make_encoder(chosen, ["the"], "words")
    model = assembly.build(chosen, np.zeros((1, 1)), 5, seed=1)
    texts = [
        "The striker scored a goal", "Their club won the match",
        "Shares of the bank fell", "The company reported its profit",
    ]  # fmt: skip
    ids = encoder([t.encode() for t in texts])[0]
    found = np.asarray(model(ids)[assembly.FEATURES])[:, :384]  # the mean
    near = np.corrcoef(found)
    assert min(near[0, 1], near[2, 3]) > near[:2, 2:].max() + 0.1
    assert not np.asarray(model(ids)[assembly.FEATURES])[:, 3 * 384 :].any()  # nothing counted yet
    learned = {v.path for v in model.trainable_variables}
    assert all("bag_" in path or "dense_1" in path for path in learned)


def test_it_reads_the_whole_text() -> None:
    """What stands in the third chunk changes the answer, as it does for the whole."""
    chosen = PROJECT.train.pretrained.model_copy(update={"words": 64, "chunk": 16})
    encoder = wordpiece.make_encoder(chosen, ["the"], "words")
    model = assembly.build(chosen, np.zeros((1, 1)), 5, seed=1)
    filler = "the meeting went on for hours and " * 5
    ends = ["the striker scored a goal", "the bank sold its shares"]
    ids = encoder([(filler + end).encode() for end in ends])[0]
    assert (np.count_nonzero(ids, axis=1) > 2 * 16).all()
    found = np.asarray(model(ids)[assembly.FEATURES])
    mean, largest, first = (found[:, i * 384 : (i + 1) * 384] for i in range(3))
    # All is scaled together, so the same beginning is the same up to a factor.
    assert np.corrcoef(first)[0, 1] > 0.9999
    assert np.corrcoef(mean)[0, 1] < 0.99
    assert np.corrcoef(largest)[0, 1] < 0.99
    alone = np.asarray(model(ids[:1])[assembly.FEATURES])
    np.testing.assert_allclose(alone, found[:1], atol=1e-3)
