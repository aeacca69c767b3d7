"""The model card: what it says, in Markdown and as a page."""

from __future__ import annotations

import copy
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from components.core import params as parameters
from components.core import schema
from components.core.training import energy
from components.package import model_card

PROJECT = parameters.load(Path(__file__).parents[3] / "params.yaml")
LABELS = PROJECT.ingest.labels
SHARE = {"value": 0.9, "low": 0.8, "high": 0.95}
TRAINING = {
    "architecture": "textcnn", "abstain_below": 0.6, "weights": 12345, "epochs": 9, "best_epoch": 7,
    "device": "CPU", "words": 400, "words_in_glove": 0.98, "temperature": 0.5,
}  # fmt: skip
METRICS: dict[str, Any] = {
    "documents": 40,
    "accuracy": SHARE,
    "macro_f1": SHARE,
    "baseline": {"name": "TF-IDF + LinearSVC", "problem": None, "accuracy": SHARE},
    "majority": {"label": "te|ch", "accuracy": SHARE},
    "answered": {"share": 0.95, "accuracy": SHARE},
    "calibration_error": 0.012,
    "classes": {
        label: {"documents": 8, "precision": 0.9, "recall": 0.9 - i / 100, "f1": 0.9}
        for i, label in enumerate(LABELS)
    },
    "slices": {"source": {"a|b": {"documents": 7, "accuracy": SHARE | {"value": 0.5}}}},
    "behaviour": {"passed": 9, "of": 10, "value": 0.9},
    "label_errors": {"searched": 100, "suspected": 3},
}
SIDE = {"documents": 8, "by_class": dict.fromkeys(LABELS, 2)}
SPLIT = {"sides": {"train": SIDE, "test": SIDE}, "dropped": {"exact_duplicates": 4}, "by": "time"}
ROWS: list[dict[str, object]] = [
    {"id": "1", "text": "<PERSON> and <PERSON_1f0c>: <b>", "label": "tech", "source": "a|b",
     "time": datetime(2025, 2, 1, tzinfo=UTC), "author": None},
    {"id": "2", "text": "no one", "label": "tech", "source": "c", "time": None, "author": None},
]  # fmt: skip


def card(**changes: Any) -> str:
    metrics = copy.deepcopy(METRICS) | changes
    rows = schema.documents(ROWS)
    return model_card.markdown(PROJECT, TRAINING, metrics, SPLIT, rows, "f" * 64)


@pytest.mark.parametrize(
    "line",
    [
        "# Model card: newsloop textcnn",
        "| train | 8 | 2 | 2 | 2 | 2 | 2 |",
        "- Sources of the training texts: a\\|b (1), c (1).",
        "- Times: 2025-02-01 to 2025-02-01.",
        "| accuracy of TF-IDF + LinearSVC, for comparison | 0.900 | 0.800 | 0.950 |",
        "| accuracy of the majority class, te\\|ch | 0.900 | 0.800 | 0.950 |",
        "- 3 of 100 labels look wrong.",
        "| PERSON | mask | 2 |",
        "| accuracy | 0.900 | 0.800 | 0.950 |",
        "| source | a\\|b | 7 | 0.500 | 0.800 | 0.950 |",
        "Behaviour: 9 of 10 cases passed (invariance, direction, and minimum functionality tests).",
        f"- Weakest class: {LABELS[-1]}, recall 0.860. Weakest slice: a|b (source), accuracy 0.500 "
        "on 7 documents.",
    ],
)
def test_it_says(line: str) -> None:
    assert line in card().splitlines()


def test_what_is_not_known_is_left_out() -> None:
    found = card(behaviour={}, answered={"share": 0.0, "accuracy": None}, slices={})
    assert "Behaviour:" not in found
    assert "without abstention" not in found
    assert "Weakest slice" not in found


def test_the_page_has_tables_and_runs_nothing() -> None:
    html = model_card.page(card() + "\n<script>alert(1)</script>\n")
    assert html.count("<table>") == 5
    assert "<script>" not in html
    assert "http:" not in html and "https:" not in html


def test_what_a_training_cost_is_kept_by_the_models_bytes(tmp_path: Path) -> None:
    model = tmp_path / "model"
    model.mkdir()
    (model / "saved_model.pb").write_bytes(b"x")
    spent = energy.Energy(0.00123, 0.47, 60.4, "DEU", estimated=True)
    assert energy.read(model, tmp_path) is None
    energy.write(spent, model, tmp_path)
    found = energy.read(model, tmp_path)
    assert energy.section(found).splitlines()[-1] == (
        "Training took 60 seconds and 1.23 Wh, 0.5 g of CO2 (DEU, an estimate: this machine "
        "has no power sensor to read)."
    )
    (model / "saved_model.pb").write_bytes(b"y")
    assert energy.read(model, tmp_path) is None


def test_energy_is_measured() -> None:
    with energy.measured("DEU") as found:
        sum(i * i for i in range(300_000))
    assert (found[0].country, found[0].kwh > 0, found[0].co2_grams > 0) == ("DEU", True, True)
    # Germany's grid: some 380 g a kWh; far off means that another country was counted.
    assert 200 < found[0].co2_grams / found[0].kwh < 600


def test_a_baseline_that_could_not_be_trained_has_no_row() -> None:
    said = card(baseline={"name": "TF-IDF + LinearSVC", "problem": "one class"})
    assert "LinearSVC" not in said
    assert "| accuracy of the majority class" in said
