"""The seams: a toy that a test registers is all that an extension needs.

A toy source: test_your_data.py. A toy runtime: test_runtime.py.
"""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pytest

from components import train
from components.core import bundle, params, target
from components.core.bundle import runtimes
from components.core.errors import ParamsError
from components.core.networks import parts
from components.core.params.architectures import ARCHITECTURES, Network, architecture
from components.core.params.train import section
from components.core.training import batches
from components.core.training.loop import NullLogger
from components.gate import checks as gate_checks
from tests.project import ROOT

PROJECT = params.load(ROOT / "params.yaml")


def easy(count: int) -> pl.DataFrame:
    """Texts whose class is in one of their words."""
    rows = [("the goal of the match", "sports"), ("the shares of the bank", "business")]
    return pl.DataFrame(rows * count, schema=["text", "label"], orient="row")


def test_an_architecture_is_its_settings_and_its_network(monkeypatch: pytest.MonkeyPatch) -> None:
    class Mean(Network):
        words: int = 8
        dropout: float = 0.0
        batch_size: int = 4
        learning_rate: float = 0.05
        hidden: float = 0.0

    def features(ids: Any, settings: Mean, table: Any, seed: int, classes: int) -> list[Any]:
        return [parts.mean(parts.embed(ids, table, settings.hidden, seed), parts.inside(ids))]

    network = ModuleType("components.core.networks.toy")
    network.features = features  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, network.__name__, network)
    monkeypatch.setitem(ARCHITECTURES, "toy", Mean)
    architecture("toy")(Mean)
    values = PROJECT.train.model_dump() | {
        "candidates": ["toy"], "toy": {"hidden": 0.1}, "embedding": "random", "epochs": 3,
    }  # fmt: skip
    text = PROJECT.text.model_copy(update={"min_count": 1})
    settings = PROJECT.model_copy(update={"train": section().model_validate(values), "text": text})
    model, _, facts = train.fit("toy", settings, easy(20), easy(4), NullLogger())
    assert (facts["architecture"], model.name) == ("toy", "toy")
    assert facts["validation_accuracy"] == 1.0
    assert set(settings.train.read_by("toy")) >= {"toy", "target"}
    assert "textcnn" not in settings.train.read_by("toy")


class Several(target.SingleLabel):
    """A document has each class whose probability is at least 0.3."""

    def encode(self, labels: Any) -> Any:
        return np.array([[name in label.split("+") for name in self.classes] for label in labels])

    def decode(self, encoded: Any) -> list[str]:
        return ["+".join(np.array(self.classes)[row]) for row in encoded]

    def decide(self, probabilities: Any) -> tuple[Any, Any]:
        return probabilities >= 0.3, probabilities.max(axis=1)


@pytest.fixture
def several(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(target.TARGETS, "several", Several)


@pytest.mark.usefixtures("several")
def test_another_target_encodes_what_is_learned() -> None:
    import tensorflow as tf

    def encoder(texts: Any) -> Any:
        return tf.ones((len(texts), 1), tf.int32), None, None

    chosen = PROJECT.train.model_copy(update={"target": "several"})
    ingest = PROJECT.ingest.model_copy(update={"labels": ["a", "b", "c"]})
    made = target.of(PROJECT.model_copy(update={"train": chosen, "ingest": ingest}))
    table = pl.DataFrame({"text": ["x", "y"], "label": ["a+c", "b"]})
    assert batches.encode(table, encoder, made, 1).labels.tolist() == [
        [True, False, True], [False, True, False],
    ]  # fmt: skip


@pytest.mark.usefixtures("several")
def test_another_target_decides_what_a_bundle_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answered = {
        "probabilities": np.float32([[0.5, 0.4, 0.1]]), "features": np.zeros((1, 1)),
        "words": np.ones(1), "unknown_share": np.zeros(1),
    }  # fmt: skip
    runtime = SimpleNamespace(predict=lambda texts: answered, close=lambda: None)
    known = SimpleNamespace(accepts=lambda folder: True, load=lambda folder: runtime)
    monkeypatch.setattr(runtimes, "FORMATS", (known,))
    classes = ["a", "b", "c"]
    assert bundle.Model(tmp_path, classes, "several").predict(["x"]).labels == ["a+b"]
    assert bundle.Model(tmp_path, classes).predict(["x"]).labels == ["a"]
    with pytest.raises(ParamsError, match=r"targets single_label, several .*, got ranks"):
        bundle.Model(tmp_path, classes, "ranks")


def test_a_gate_check_is_one_function(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate_checks, "CHECKS", {})
    limited = PROJECT.gate.model_copy(update={"limits": {"errors": 9.0}})
    row = {"recall": 1.0}
    measured = {
        "accuracy": {"value": 1.0}, "macro_f1": {"value": 1.0}, "calibration_error": 0.0,
        "classes": {"a": row}, "errors": 7,
    }  # fmt: skip
    evidence = gate_checks.GateEvidence(measured, leaks=0, mebibytes=1.0)
    with pytest.raises(ParamsError, match=r"gate\.limits \(none is\), got errors"):
        gate_checks.examine(evidence, limited)

    @gate_checks.check("errors", 5, ceiling=True)
    def errors(seen: gate_checks.GateEvidence) -> float | None:
        return seen.measured.get("errors")

    def failing(settings: params.Gate, measured: dict[str, Any]) -> list[str]:
        seen = gate_checks.GateEvidence(measured, leaks=0, mebibytes=1.0)
        every = gate_checks.examine(seen, settings.model_copy(update={"rehearse": False}))
        return [one.name for one in every if not one.passed]

    assert failing(PROJECT.gate, measured) == ["errors"]
    assert failing(limited, measured) == []
    del measured["errors"]
    assert failing(PROJECT.gate, measured) == []
