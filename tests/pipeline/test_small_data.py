"""48 short texts of six classes become a model, measured by cross-validation."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from components import evaluate, folds, gate, split, train
from components.core import params as parameters
from components.core import schema, tables
from components.core import target as targets
from components.core.networks import linear
from components.core.params import Params
from components.core.paths import Paths
from components.evaluate import report

ROOT = Path(__file__).parents[2]
WORDS = {
    "refund": ("refund", "money", "back", "return"),
    "delivery": ("parcel", "late", "courier", "delivery"),
    "login": ("password", "login", "locked", "reset"),
    "invoice": ("invoice", "tax", "billing", "receipt"),
    "fault": ("broken", "crash", "error", "faulty"),
    "praise": ("great", "thanks", "love", "excellent"),
}
VOCABULARY = [f"w{i}" for i in range(3000)]
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
    params = small(list(WORDS), evaluate={"resamples": 200}, split={"folds": 4})
    return learned(tmp_path_factory.mktemp("small"), params, short_texts(8))


def test_each_document_is_predicted_by_a_model_that_did_not_learn_from_it(paths: Paths) -> None:
    measured = tables.read_json(paths.evaluated / "metrics.json")
    documents = folds.measured(paths)
    assert measured["documents"] == documents.height > 40 and measured["folds"] == 4
    answers = tables.read_table(paths.evaluated / "predictions.parquet")
    assert answers["id"].to_list() == documents["id"].to_list()
    # The final model learned from all of them and knows them by heart.
    assert (answers["final"] == answers["actual"]).mean() == 1.0
    assert not answers["final_confidence"].equals(answers["confidence"])
    accuracy, f1 = measured["accuracy"], measured["macro_f1"]
    assert 0.6 < accuracy["value"] <= 1
    assert accuracy["low"] < accuracy["value"]
    assert f1["low"] < f1["value"]  # also where no answer is wrong
    assert measured["baseline"]["problem"] is None
    training = tables.read_json(paths.trained / "training.json")
    assert training["train_documents"] == documents.height
    assert training["temperature"] > 0.1  # a few dozen right answers prove no certainty
    reference = tables.read_table(paths.evaluated / "reference.parquet")
    assert reference.height == documents.height
    assert reference["confidence"].to_list() == pytest.approx(answers["confidence"], abs=2e-6)


def test_a_champion_is_compared_by_the_answers_of_its_folds(paths: Paths) -> None:
    """Its own answers to what it learned from would be right, all of them."""
    answers = tables.read_table(paths.evaluated / "predictions.parquet")
    rows = gate.compared(paths, OneAnswer(), [], [], {}, paths.evaluated)  # type: ignore[arg-type]
    assert rows.height == answers.height
    assert rows["champion"].to_list() == answers["predicted"].to_list()
    # A champion of another way of measuring did not learn from the documents of the test side.
    alone = gate.compared(paths, OneAnswer(), [], [], {}, paths.trained)  # type: ignore[arg-type]
    side = tables.read_table(paths.split / "test.parquet")
    assert alone.height == side.height < rows.height


class OneAnswer:
    """A champion with one answer."""

    def predict(self, texts: list[str]) -> Any:
        return type("Answers", (), {"labels": ["refund"] * len(texts)})


@pytest.mark.parametrize("count", [150, 1000])
def test_many_classes_are_split_scored_and_drawn(count: int) -> None:
    """Three documents of each class; no figure and no resample grows with their square."""
    draws = random.Random(2)
    labels = [f"class {i}" for i in range(count)]
    rows = [
        {
            "id": f"s/{i}", "text": " ".join(draws.choices(VOCABULARY, k=9)),
            "label": labels[i % count], "source": "s",
        }
        for i in range(3 * count)
    ]  # fmt: skip
    params = small(labels, split={"cross_validation": "never", "permutations": 32})
    found = split.split(schema.documents(rows), params.split)
    assert all(side["label"].n_unique() == count for side in found.sides.values())
    actual = found.sides["test"]["label"].to_list()
    predicted = [actual[i - 1] if i % 4 == 0 else label for i, label in enumerate(actual)]
    scores = targets.of(params).score(actual, predicted, params.evaluate)
    assert scores["macro_f1"]["low"] < scores["macro_f1"]["value"] < scores["macro_f1"]["high"]
    answers = pl.DataFrame({"actual": actual, "predicted": predicted})
    confused = report.most_confused(labels, answers)
    assert len(confused) == 20
    wrong = answers.filter(pl.col("actual") != pl.col("predicted"))
    assert set(confused) <= {*wrong["actual"], *wrong["predicted"]}


def test_the_rows_of_a_linear_model_are_bounded_for_many_classes() -> None:
    """131,072 rows of word pairs take 524 MB with 1,000 classes."""
    assert [linear.buckets(131_072, classes) for classes in (5, 128, 1000)] == [
        131_072, 131_072, 16_777,
    ]  # fmt: skip
