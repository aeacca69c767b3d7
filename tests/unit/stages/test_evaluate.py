"""What evaluate says of confidence."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
import yaml

from components import evaluate
from components.core import bundle, params
from components.core.bundle.reference import ACTUAL, PROBABILITIES
from components.core.target import SingleLabel, calibration
from components.evaluate import baselines
from tests import tiny

ROOT = Path(__file__).parents[3]
PARAMS = params.load(ROOT / "params.yaml")
SETTINGS = PARAMS.evaluate


def rows(abstained: list[bool]) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "actual": ["a", "a", "b", "b"],
            "predicted": ["a", "a", "b", "a"],
            "confidence": [1.0, 1.0, 1.0, 0.5],
            "abstained": abstained,
            "right": [True, True, True, False],
        }
    )


def test_only_answers_that_are_given_count_as_answered() -> None:
    found = evaluate.trust(rows([False, False, False, True]), SETTINGS)
    assert found["answered"]["share"] == 0.75
    assert found["answered"]["accuracy"]["value"] == 1.0
    assert found["calibration_error"] == pytest.approx(0.125)  # 0.5 in one of four


def test_where_nothing_is_answered_nothing_is_claimed() -> None:
    found = evaluate.trust(rows([True] * 4), SETTINGS)
    assert found["answered"] == {"share": 0.0, "accuracy": None}


def test_few_documents_have_a_large_calibration_error_by_chance() -> None:
    """A perfectly calibrated model exceeds it in 1 of 20 cases, with few documents or many."""
    generator = np.random.default_rng(1)
    for count, noise in ((20, 0.45), (2000, 0.05)):
        confidence = generator.uniform(0.5, 1, count)
        limit = calibration.calibration_noise(confidence, 15, seed=2)
        assert 0.5 * noise < limit < noise
        right = [generator.random(count) < confidence for _ in range(300)]
        errors = [calibration.expected_calibration_error(confidence, each, 15) for each in right]
        assert 0.01 < np.mean(np.array(errors) > limit) < 0.1
    assert calibration.calibration_noise(np.array([]), 15, seed=2) == 0.0


TRAIN = pl.DataFrame(
    {
        "text": ["the club won", "a goal in the cup", "the match", "shares fell", "the bank"],
        "label": ["sport", "sport", "sport", "business", "business"],
    }
)
TEST = pl.DataFrame({"text": ["shares of the bank", "a cup"], "label": ["business", "sport"]})


def test_the_simplest_models_answer_each_test_document() -> None:
    answers, problem = baselines.predict(TRAIN, TEST)
    assert answers.to_dict(as_series=False) == {
        "majority": ["sport", "sport"], "baseline": ["business", "sport"],
    }  # fmt: skip
    assert problem is None
    table = pl.concat([TEST.select(actual="label"), answers], how="horizontal")
    found = baselines.measure(table, None, SingleLabel(["business", "sport"]), SETTINGS)
    assert found["majority"]["label"] == "sport"
    assert found["majority"]["accuracy"]["value"] == 0.5
    assert (found["baseline"]["accuracy"]["value"], found["baseline"]["errors"]) == (1.0, 0)


@pytest.mark.parametrize(
    ("train", "problem"),
    [
        (TRAIN.filter(pl.col("label") == "sport"), "Expected two classes"),
        (TRAIN.with_columns(text=pl.lit("1 2 !")), "Expected words of two letters"),
    ],
)
def test_a_linear_baseline_that_cannot_be_trained_is_said_and_no_failure(
    train: pl.DataFrame, problem: str
) -> None:
    answers, reason = baselines.predict(train, TEST)
    assert reason is not None
    assert problem in reason
    assert answers["baseline"].null_count() == 2
    table = pl.concat([TEST.select(actual="label"), answers], how="horizontal")
    found = baselines.measure(table, reason, SingleLabel(["business", "sport"]), SETTINGS)
    assert found["baseline"] == {"name": "TF-IDF + LinearSVC", "problem": reason}
    assert found["majority"]["accuracy"]["value"] == 0.5


def test_dvc_shows_one_flat_row_of_metrics() -> None:
    """`dvc metrics show` prints a column for each leaf of the files that dvc.yaml names."""
    found = evaluate.summary(
        {"architecture": "textcnn", "accuracy": {"value": 0.98, "low": 0.9}, "errors": 2,
         "macro_f1": {"value": 0.97}, "calibration_error": 0.01, "answered": {"share": 0.95},
         "documents": 100, "slices": {"class": {}}}
    )  # fmt: skip
    assert (found["accuracy"], found["answered"], len(found)) == (0.98, 0.95, 7)
    assert not [key for key, value in found.items() if isinstance(value, dict)]
    pipeline = yaml.safe_load((ROOT / "dvc.yaml").read_text("utf-8"))
    assert pipeline["metrics"] == ["data/05_evaluated/summary.json"]


def side(*labels: str) -> pl.DataFrame:
    texts = [f"the {tiny.WORDS[label][i % 3]} of {label}" for i, label in enumerate(labels)]
    return pl.DataFrame({"text": texts, "label": labels})


@pytest.mark.parametrize(("most", "chosen"), [(100, [0, 1, 2, 3, 4]), (3, [0, 2, 4]), (1, [4])])
def test_monitoring_compares_with_both_sides_that_nothing_was_learned_from(
    tmp_path: Path, most: int, chosen: list[int]
) -> None:
    tiny.make_bundle(tmp_path / "bundle", tmp_path / "keys")
    model = bundle.load(tmp_path / "bundle", tmp_path / "keys")
    validation, test = side("tech", "sport"), side("tech", "business", "politics")
    settings = PARAMS.model_copy(
        update={"evaluate": SETTINGS.model_copy(update={"reference_rows": most})}
    )
    said = model.predict(test["text"].to_list())
    reference, _ = evaluate.build_reference(model, validation, test, said, settings)
    held = pl.concat([validation, test])
    every = model.predict(held["text"].to_list())
    signals = every.signals()
    assert reference.select(signals.columns).equals(signals[chosen])
    assert reference[PROBABILITIES].to_list() == every.probabilities[chosen].tolist()
    assert reference[ACTUAL].to_list() == held["label"][chosen].to_list()
