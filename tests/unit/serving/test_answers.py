"""Answers of POST /classify: which probabilities they hold, and the ledger that they take."""

from __future__ import annotations

import json
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from components.core.bundle import Predictions
from components.core.ledger import PREDICTIONS, TEXTS, Ledger
from serving.http import answers
from serving.models.predictions import Answer

DRAWS = np.random.default_rng(7)


def predicted(probabilities: np.ndarray, classes: list[str]) -> Predictions:
    rows = len(probabilities)
    return Predictions(
        [classes[i] for i in probabilities.argmax(axis=1)],
        probabilities.max(axis=1),
        probabilities,
        np.full(rows, 12, np.int32),
        np.zeros(rows, np.float32),
        DRAWS.normal(size=(rows, 4)).astype(np.float32),
        np.zeros(rows, bool),
    )


def drawn(rows: int, count: int) -> tuple[list[str], Predictions]:
    classes = [f"category of goods {i:03}" for i in range(count)]
    probabilities = DRAWS.dirichlet(np.full(count, 0.1), rows).astype(np.float32)
    return classes, predicted(probabilities, classes)


@pytest.mark.parametrize("count", [2, 9, 10, 11, 1000])
def test_an_answer_has_the_ten_likeliest_classes(count: int) -> None:
    classes, model = drawn(20, count)
    for row, answer in zip(model.probabilities, answers.predictions(classes, model), strict=True):
        named = answer.probabilities
        assert len(named) == min(count, 10) and answer.confidence == named[answer.label]
        right = [row[classes.index(name)] for name in named]
        assert list(named.values()) == pytest.approx(right, abs=1e-6)
        assert min(right) >= np.sort(row)[-len(named)]
        if count > 10:
            assert list(named.values()) == sorted(named.values(), reverse=True)
        else:
            assert list(named) == classes


def test_the_label_is_there_where_all_classes_are_as_likely() -> None:
    classes = [f"c{i}" for i in range(50)]
    (answer,) = answers.predictions(classes, predicted(np.full((1, 50), 0.02, np.float32), classes))
    assert answer.label == "c0" and answer.probabilities["c0"] == answer.confidence
    assert len(answer.probabilities) in (10, 11)


def test_a_prediction_of_a_thousand_classes_takes_a_kilobyte_of_ledger(tmp_path: Path) -> None:
    """With its index entries and a text of a headline's length; 35 KB with all probabilities."""
    classes, model = drawn(2000, 1000)
    now = datetime(2026, 1, 1, tzinfo=UTC)
    signals = (model.words.tolist(), model.unknown_share.tolist(), model.features.tolist())
    rows = [
        Answer(prediction, *row).row("b" * 64, now) | {"source": "press"}
        for prediction, *row in zip(answers.predictions(classes, model), *signals, strict=True)
    ]
    assert len(json.dumps(dict(zip(classes, model.probabilities[0].tolist(), strict=True)))) > 30e3
    file = tmp_path / "ledger.sqlite"
    with closing(Ledger(f"sqlite:///{file}")) as ledger:
        ledger.query(PREDICTIONS.select())
    empty = sum(path.stat().st_size for path in tmp_path.iterdir())
    with closing(Ledger(f"sqlite:///{file}")) as ledger:
        ledger.insert(PREDICTIONS, rows)
        ledger.insert(TEXTS, [{"prediction_id": row["id"], "text": "x" * 70} for row in rows])
    size = sum(path.stat().st_size for path in tmp_path.iterdir()) - empty
    assert size / len(rows) < 1024, f"{size / len(rows):.0f} bytes a prediction"
