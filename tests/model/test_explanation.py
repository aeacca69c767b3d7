"""Completeness: the weights of a text add up to what reading it did to the label's probability."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components.core import params as parameters
from components.core.bundle import explanation
from components.core.networks import assembly
from components.core.tokenizers.words import FIRST_WORD, PAD

PROJECT = parameters.load(Path(__file__).parents[2] / "params.yaml")
WORDS, LENGTH, CLASSES = 40, 12, 3
SMALL: dict[Any, dict[str, Any]] = {
    "textcnn": {"words": LENGTH, "filters": 8, "members": 2},
    "bilstm": {"words": LENGTH, "units": 6},
    "linear": {"words": LENGTH, "buckets": 100},
}


@pytest.fixture(scope="module", params=SMALL)
def weighed(request: pytest.FixtureRequest) -> tuple[Any, dict[str, Any]]:
    """Ids of texts of 0 to 12 words, and what they were found to weigh."""
    import tensorflow as tf

    settings = PROJECT.train.architecture(request.param).model_copy(update=SMALL[request.param])
    generator = np.random.default_rng(5)
    vectors = generator.normal(0, 1, (WORDS + FIRST_WORD, 10)).astype(np.float32)
    net = assembly.build(settings, vectors, CLASSES, seed=4)
    if request.param == "linear":  # it starts from nothing
        net.set_weights([one + generator.normal(0, 0.5, one.shape) for one in net.get_weights()])
    ids = generator.integers(FIRST_WORD, WORDS, (6, LENGTH), dtype=np.int32)
    for row, words in enumerate((0, 1, 3, 6, 9, 12)):
        ids[row, words:] = PAD

    @tf.function  # type: ignore[untyped-decorator]
    def weigh(ids: Any) -> Any:
        def probabilities(ids: Any) -> Any:
            return net(ids, training=False)[assembly.PROBABILITIES]

        return explanation.weigh(net, probabilities, ids, [LENGTH], points=96)

    found = {name: value.numpy() for name, value in weigh(tf.constant(ids)).items()}
    said = net(ids, training=False)[assembly.PROBABILITIES]
    return ids, found | {"said": said.numpy()}


def test_completeness(weighed: tuple[Any, dict[str, Any]]) -> None:
    _, found = weighed
    np.testing.assert_allclose(found["probabilities"], found["said"], atol=1e-6)
    moved = np.log(found["said"].max(axis=1) / found["baseline"])
    np.testing.assert_allclose(found["weights"].sum(axis=1), moved, atol=0.012)
    assert moved.max() > 0.2  # there was something to explain


def test_where_nothing_is_read_nothing_weighs(weighed: tuple[Any, dict[str, Any]]) -> None:
    ids, found = weighed
    assert (found["weights"][ids == PAD] == 0).all()
    assert found["baseline"][0] == pytest.approx(found["said"][0].max(), abs=1e-6)
