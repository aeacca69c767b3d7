"""48 short texts of six classes become a model, measured by cross-validation."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from components import evaluate, folds, split, train
from components.core import params as parameters
from components.core import schema, tables
from components.core.params import Params
from components.core.paths import Paths

ROOT = Path(__file__).parents[2]
WORDS = {
    "refund": ("refund", "money", "back", "return"),
    "delivery": ("parcel", "late", "courier", "delivery"),
    "login": ("password", "login", "locked", "reset"),
    "invoice": ("invoice", "tax", "billing", "receipt"),
    "fault": ("broken", "crash", "error", "faulty"),
    "praise": ("great", "thanks", "love", "excellent"),
}
FILLERS = ("pls", "the", "my", "is", "again", "need", "it", "now", "hi", "why", "still", "about")


def short_texts(each: int, seed: int = 1) -> list[dict[str, Any]]:
    draws = random.Random(seed)
    return [
        {
            "id": f"s/{label}/{i}",
            "text": " ".join(draws.sample(words, 2) + draws.sample(FILLERS, draws.randint(0, 4))),
            "label": label,
            "source": "s",
        }
        for i in range(each)
        for label, words in WORDS.items()
    ]


def small(labels: list[str], **changes: Any) -> Params:
    values = parameters.load(ROOT / "params.yaml").model_dump(mode="json", by_alias=True)
    values["ingest"]["labels"] = labels
    values["train"]["candidates"] = ["linear"]
    for section, settings in changes.items():
        values[section] |= settings
    return parameters.parse(values, "a test")


def learned(folder: Path, params: Params, rows: list[dict[str, Any]]) -> Paths:
    paths = Paths(folder, folder / ".newsloop")
    tables.write_table(schema.documents(rows), paths.validated / "documents.parquet")
    tables.write_json({"snapshot": None, "release": None, "taken": None}, paths.baseline)
    tables.write_json({"architecture": "linear"}, paths.candidate)
    for stage in (split, train, evaluate):
        stage.run(params, paths)
    return paths


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> Paths:
    params = small(list(WORDS), evaluate={"resamples": 200})
    return learned(tmp_path_factory.mktemp("small"), params, short_texts(8))


def test_each_document_is_predicted_by_a_model_that_did_not_learn_from_it(paths: Paths) -> None:
    measured = tables.read_json(paths.evaluated / "metrics.json")
    documents = folds.measured(paths)
    assert measured["documents"] == documents.height > 40 and measured["folds"] == 8
    answers = tables.read_table(paths.evaluated / "predictions.parquet")
    assert answers["id"].to_list() == documents["id"].to_list()
    # The final model learned from all of them and knows them by heart; the folds' models do not.
    assert (answers["final"] == answers["actual"]).mean() == 1.0
    assert answers["confidence"].mean() < answers["final_confidence"].mean()
    accuracy = measured["accuracy"]
    assert 0.5 < accuracy["value"] < 1 and accuracy["low"] < accuracy["value"] < accuracy["high"]
    assert measured["baseline"]["documents" if False else "accuracy"]["value"] > 0.4
