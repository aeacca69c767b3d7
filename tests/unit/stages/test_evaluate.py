"""What evaluate says of confidence."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from components import evaluate
from components.core import bundle, params
from components.core.bundle.reference import ACTUAL, PROBABILITIES
from tests import tiny

PARAMS = params.load(Path(__file__).parents[3] / "params.yaml")
SETTINGS = PARAMS.evaluate


def rows(abstained: list[bool]) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "actual": ["a", "a", "b", "b"],
            "predicted": ["a", "a", "b", "a"],
            "confidence": [1.0, 1.0, 1.0, 0.5],
            "abstained": abstained,
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
    reference, _ = evaluate.known(model, validation, test, said, settings)
    held = pl.concat([validation, test])
    every = model.predict(held["text"].to_list())
    signals = every.signals()
    assert reference.select(signals.columns).equals(signals[chosen])
    assert reference[PROBABILITIES].to_list() == every.probabilities[chosen].tolist()
    assert reference[ACTUAL].to_list() == held["label"][chosen].to_list()
