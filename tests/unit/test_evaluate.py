"""What evaluate says of confidence."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from components import evaluate
from components.core import params

SETTINGS = params.load(Path(__file__).parents[2] / "params.yaml").evaluate


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
