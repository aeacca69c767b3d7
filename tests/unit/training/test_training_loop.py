"""The loop: schedules, penalties, accumulation, early stopping, going on after Ctrl-C."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from components import train
from components.core import params as parameters
from components.core.networks import assembly
from components.core.target import SingleLabel
from components.core.training import loop
from components.core.training.checkpoints import Checkpoint
from components.core.training.loop import State, TrainingConfig

PROJECT = parameters.load(Path(__file__).parents[3] / "params.yaml")
WORDS = {"business": "bank", "sports": "goal", "tech": "software"}


class Live:
    """Stands in for DVCLive; Ctrl-C comes when `until` steps are done."""

    def __init__(self, until: int | None = None) -> None:
        self.losses: list[float] = []
        self.steps, self.until = 0, until

    def log_metric(self, name: str, value: float) -> None:
        if name == "validation/loss":
            self.losses.append(value)

    def next_step(self) -> None:
        self.steps += 1
        if self.steps == self.until:
            raise KeyboardInterrupt


def texts(count: int, seed: int) -> pl.DataFrame:
    draw = random.Random(seed)
    rows = []
    for i in range(count):
        label = list(WORDS)[i % 3]
        words = [*draw.choices(["the", "of", "and", "to"], k=draw.randrange(1, 9)), WORDS[label]]
        rows.append({"text": " ".join(draw.sample(words, len(words))), "label": label})
    return pl.DataFrame(rows)


def learn(
    live: Any = None,
    checkpoint: Checkpoint | None = None,
    batch: int = 8,
    epochs: int = 3,
    dropout: float = 0.0,
    **changes: Any,
) -> tuple[Any, dict[str, Any]]:
    small = PROJECT.train.textcnn.model_copy(
        update={
            "words": 12, "members": 1, "filters": 4, "widths": [1, 2], "bag": 2,
            "dropout": dropout, "word_dropout": dropout, "batch_size": batch, "learning_rate": 0.02,
        }
    )  # fmt: skip
    fitted = PROJECT.train.fitting.model_copy(update={"padding_step": 4, **changes})
    recipe = PROJECT.train.model_copy(
        update={"textcnn": small, "epochs": epochs, "embedding": "random", "fitting": fitted}
    )
    settings = PROJECT.model_copy(
        update={"train": recipe, "text": parameters.Text(vocabulary=50, min_count=1)}
    )
    model, _, facts = train.fit(
        "textcnn", settings, texts(60, 1), texts(30, 2), live or Live(), checkpoint
    )
    return model, facts


@pytest.fixture(scope="module")
def plain() -> list[Any]:
    """Weights after three epochs of eight documents a step."""
    return learn()[0].get_weights()  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    "changes",
    [{"batch": 4, "accumulate": 2}, {"xla": True}],
    ids=["two batches of four are one of eight", "compiled"],
)
def test_the_same_is_learned(plain: list[Any], changes: dict[str, Any]) -> None:
    for ours, theirs in zip(learn(**changes)[0].get_weights(), plain, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=2e-5)


def test_ctrl_c_leaves_a_checkpoint_and_the_next_run_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With dropout, a falling rate and crops: all of their states are in the checkpoint."""
    recipe = {"dropout": 0.2, "schedule": "cosine", "crop": 0.5, "epochs": 4}
    whole = Live()
    expected, facts = learn(live=whole, **recipe)
    kept = Checkpoint(tmp_path, "key", keep=1)
    with pytest.raises(KeyboardInterrupt):
        learn(live=Live(until=2), checkpoint=kept, **recipe)
    assert "train: interrupted; the next run resumes after epoch 2." in capsys.readouterr().err
    again = Live()
    model, found = learn(live=again, checkpoint=kept, **recipe)
    said = capsys.readouterr().err
    assert "resumes after epoch 2" in said
    assert "epoch 3/4" in said
    assert "epoch 2/4" not in said
    assert again.losses == pytest.approx(whole.losses, abs=1e-5)
    assert {**found, "validation_loss": 0} == {**facts, "validation_loss": 0}
    for ours, theirs in zip(model.get_weights(), expected.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-5)


def test_l1_makes_kernels_smaller(plain: list[Any]) -> None:
    model, _ = learn(l1=0.05)
    penalised = [v for v in model.trainable_variables if "kernel" in v.name]
    names = [v.name for v in model.variables]
    before = sum(np.abs(w).sum() for w, n in zip(plain, names, strict=True) if "kernel" in n)
    assert sum(np.abs(v.numpy()).sum() for v in penalised) < 0.7 * before


def test_bfloat16_learns_and_what_is_served_is_float32() -> None:
    model, facts = learn(precision="bfloat16", epochs=6)
    assert {layer.dtype_policy.name for layer in model.layers} == {"float32"}
    assert facts["validation_accuracy"] > 0.6
    said = model(np.array([[2, 3, 0]]), training=False)
    assert said[assembly.PROBABILITIES].dtype == said[assembly.FEATURES].dtype == "float32"


@pytest.mark.parametrize("name", ["textcnn", "bilstm"])
def test_padding_says_nothing(name: Any) -> None:
    settings = {
        "textcnn": PROJECT.train.textcnn.model_copy(update={"filters": 8}),
        "bilstm": PROJECT.train.bilstm.model_copy(update={"units": 4}),
    }[name]
    table = np.random.default_rng(1).normal(size=(20, 6)).astype(np.float32)
    net = assembly.build(settings, table, 3, seed=1)
    ids = np.array([[5, 6, 7, 8, 9], [3, 4, 0, 0, 0]], np.int32)
    near, far = (net(np.pad(ids, [(0, 0), (0, more)]), training=False) for more in (0, 11))
    for output in (assembly.PROBABILITIES, assembly.FEATURES):
        np.testing.assert_allclose(near[output], far[output], atol=1e-6)


def recipe(**changes: Any) -> TrainingConfig:
    fitting = PROJECT.train.fitting.model_copy(update=changes)
    return TrainingConfig(fitting, 0.1, 0.0, epochs=9, patience=3, target=SingleLabel(["a", "b"]))


def dense() -> Any:
    import keras

    ids = keras.Input((None,), dtype="int32")
    return keras.Model(ids, keras.layers.Dense(2)(keras.layers.Embedding(3, 2)(ids)))


def test_cosine_warms_up_and_goes_down() -> None:
    made = loop.optimizer(recipe(schedule="cosine", warmup_share=0.2), 100, dense())
    rates = {}
    for step in (0, 10, 20, 60, 100):
        made.iterations.assign(step)
        rates[step] = float(made.learning_rate)
    assert rates == pytest.approx({0: 0, 10: 0.05, 20: 0.1, 60: 0.05, 100: 0}, abs=1e-6)


def test_only_kernels_decay() -> None:
    net = dense()
    net.set_weights([np.ones_like(one) for one in net.get_weights()])
    made = loop.optimizer(recipe(weight_decay=0.5), 1, net)
    made.apply([0 * v.value for v in net.trainable_variables], net.trainable_variables)
    found = {v.name: float(v.numpy().mean()) for v in net.trainable_variables}
    assert found == pytest.approx({"embeddings": 1, "kernel": 0.95, "bias": 1})


def test_a_plateau_lowers_the_rate_and_the_best_epoch_is_known() -> None:
    known = recipe(schedule="plateau", plateau_patience=2, plateau_factor=0.5)
    made, state = loop.optimizer(known, 1, dense()), State()
    rates, better = [], []
    for loss in (1.0, 0.9, 0.95, 0.91, 0.8, 0.8, 0.8, 0.8, 0.8):
        better.append(loop._advance(state, {"validation/loss": loss}, made, known))
        rates.append(round(float(made.learning_rate), 4))
    assert better == [True, True, False, False, True, False, False, False, False]
    assert rates == [0.1, 0.1, 0.1, 0.05, 0.05, 0.05, 0.025, 0.025, 0.0125]
    assert (state.epochs, state.best) == (9, 5)


def test_patience_ends_it() -> None:
    live = Live()
    _, facts = learn(live=live, epochs=16)
    assert live.steps == facts["epochs"]
    assert facts["epochs"] in (16, facts["best_epoch"] + PROJECT.train.patience)
    assert live.losses[facts["best_epoch"] - 1] == pytest.approx(min(live.losses))
    assert facts["validation_loss"] == pytest.approx(min(live.losses))


@pytest.mark.parametrize(
    ("smoothing", "loss"),
    [(0.0, -(np.log(0.8) + np.log(0.1)) / 2), (0.2, None)],
)
def test_accuracy_and_loss(smoothing: float, loss: float | None) -> None:
    said, labels = np.array([[0.8, 0.2], [0.9, 0.1]]), np.array([0, 1])
    if loss is None:
        loss = -(0.9 * np.log(0.8) + 0.1 * np.log(0.2) + 0.9 * np.log(0.1) + 0.1 * np.log(0.9)) / 2
    accuracy, found = SingleLabel(["a", "b"]).judge(said, labels, smoothing)
    assert (accuracy, found) == (0.5, pytest.approx(loss))
