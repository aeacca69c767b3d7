"""Training: vectors, directions, and two architectures learn what is easy."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from components import train
from components.core import params as parameters
from components.core.paths import Paths
from components.core.target import SingleLabel
from components.core.tokenizers import words as word_tokenizer
from components.core.training import devices

PROJECT = parameters.load(Path(__file__).parents[3] / "params.yaml")


def test_glove_fills_the_words_that_it_knows() -> None:
    table, covered = train.embedding(["the", "qqqzzzxy"], "glove", seed=1)
    assert table.shape == (4, 50)
    assert covered == 0.5
    assert table[word_tokenizer.PAD].tolist() == [0] * 50
    assert table[word_tokenizer.FIRST_WORD, :2].tolist() == pytest.approx([0.418, 0.24968])
    again, _ = train.embedding(["the", "qqqzzzxy"], "glove", seed=1)
    np.testing.assert_array_equal(table, again)


def test_random_vectors_need_no_package() -> None:
    table, covered = train.embedding(["a"], "random", seed=1)
    assert (table.shape, covered) == ((3, 50), 0.0)


def test_principal_directions_have_unit_spread_and_a_fixed_sign() -> None:
    generator = np.random.default_rng(2)
    features = generator.normal(size=(500, 6)) * [9, 4, 1, 1, 1, 1] + 3
    centre, directions = train.principal_directions(features, 2)
    projected = (features - centre) @ directions
    np.testing.assert_allclose(projected.std(axis=0, ddof=1), [1, 1], rtol=1e-6)
    np.testing.assert_allclose(projected.mean(axis=0), 0, atol=1e-9)
    assert abs(directions[:, 0]).argmax() == 0
    assert (directions[abs(directions).argmax(axis=0), [0, 1]] > 0).all()


class RecordingLogger:
    """Stands in for DVCLive."""

    def __init__(self) -> None:
        self.metrics: list[tuple[str, float]] = []
        self.steps = 0

    def log_metric(self, name: str, value: float) -> None:
        self.metrics.append((name, value))

    def next_step(self) -> None:
        self.steps += 1


def easy(count: int, seed: int) -> pl.DataFrame:
    """Texts whose class is in one of their words."""
    generator = random.Random(seed)
    words = {"business": "bank shares", "sports": "goal match", "tech": "software internet"}
    rows = []
    for i in range(count):
        label = list(words)[i % 3]
        filler = generator.choices(["the", "of", "and", "to", "in", "for", "on", "was"], k=9)
        filler.insert(generator.randrange(9), generator.choice(words[label].split()))
        rows.append({"text": " ".join(filler), "label": label})
    return pl.DataFrame(rows)


@pytest.mark.parametrize("name", ["textcnn", "linear"])  # the others: tests/model
def test_an_architecture_learns_what_is_easy(name: Any) -> None:
    small = {
        "textcnn": PROJECT.train.textcnn.model_copy(
            update={"words": 16, "members": 2, "filters": 16, "dropout": 0.1}
        ),
        "linear": PROJECT.train.linear.model_copy(update={"words": 16, "buckets": 500}),
        "epochs": 8,
    }
    settings = PROJECT.model_copy(
        update={
            "train": PROJECT.train.model_copy(update=small),
            "text": parameters.Text(vocabulary=100, min_count=1),
        }
    )
    live = RecordingLogger()
    model, encoder, facts = train.fit(name, settings, easy(240, 1), easy(60, 2), live)
    assert facts["validation_accuracy"] >= 0.95
    assert facts["architecture"] == name
    assert live.steps == facts["epochs"] <= 8
    assert len(live.metrics) == 4 * live.steps
    assert model.output["probabilities"].shape == (None, 5)
    assert model.output["members"].shape == (None, 3 if name == "textcnn" else 1, 5)
    assert encoder([b"bank"])[1].numpy().tolist() == [1]


def test_calibration_is_honest_and_abstains_where_it_must() -> None:
    target = SingleLabel(["a", "b"])
    # Says 0.98 and is right in nine of ten; says 0.6 and is right in half.
    said = np.array([[0.98, 0.02]] * 50 + [[0.6, 0.4]] * 20)
    actual = target.encode((["a"] * 9 + ["b"]) * 5 + ["a", "b"] * 10)
    found, answered = target.calibrate(said, actual, answered_accuracy=0.9)
    assert found.temperature > 1
    assert answered == pytest.approx(50 / 70)
    assert 0.5 < found.abstain_below < 0.98
    never, everything = target.calibrate(said, actual, answered_accuracy=0.0)
    assert (never.abstain_below, everything) == (0.0, 1.0)


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ({"candidates": ["linear"]}, True),
        ({"bilstm": parameters.BiLstm(units=3)}, True),
        ({"epochs": 3}, False),
        ({"textcnn": parameters.TextCnn(bag=3)}, False),
    ],
)
def test_a_checkpoint_is_of_what_its_training_reads(
    tmp_path: Path, change: dict[str, Any], same: bool
) -> None:
    paths, where = Paths(tmp_path, tmp_path), devices.strategy("cpu")
    for side in ("train", "validation"):
        (paths.split / f"{side}.parquet").parent.mkdir(parents=True, exist_ok=True)
        (paths.split / f"{side}.parquet").touch()
    other = PROJECT.model_copy(update={"train": PROJECT.train.model_copy(update=change)})
    keys = [train.checkpoint_key("textcnn", one, paths, where) for one in (PROJECT, other)]
    assert (keys[0] == keys[1]) is same
