"""The pretrained model that comes as a package: a folder in Hugging Face's layout."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from components.core import network, wordpiece
from components.core import params as parameters
from components.core.architecture_settings import Pretrained

PROJECT = parameters.load(Path(__file__).parents[2] / "params.yaml")


def test_it_knows_what_texts_are_about_before_it_learns() -> None:
    chosen = PROJECT.train.pretrained.model_copy(update={"words": 16, "trained_layers": 0})
    assert isinstance(chosen, Pretrained)
    encoder = wordpiece.make_encoder(chosen, ["the"], "words")
    model = network.build(chosen, np.zeros((1, 1)), 5, seed=1)
    texts = [
        "The striker scored a goal", "Their club won the match",
        "Shares of the bank fell", "The company reported its profit",
    ]  # fmt: skip
    found = np.asarray(model(encoder([t.encode() for t in texts])[0])[network.FEATURES])
    near = np.corrcoef(found)
    assert min(near[0, 1], near[2, 3]) > near[:2, 2:].max() + 0.1
    learned = sum(int(np.prod(v.shape)) for v in model.trainable_variables)
    assert learned == 384 * 5 + 5  # the answer alone
