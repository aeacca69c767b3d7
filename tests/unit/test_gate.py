"""The gate's conditions, one by one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components import gate
from components.core import params

SETTINGS = params.load(Path(__file__).parents[2] / "params.yaml").gate


def measured(**changes: float) -> dict[str, Any]:
    values = {"accuracy": 0.97, "macro_f1": 0.97, "recall": 0.95, "error": 0.02} | changes
    return {
        "accuracy": {"value": values["accuracy"]},
        "macro_f1": {"value": values["macro_f1"]},
        "calibration_error": values["error"],
        "classes": {"a": {"recall": 0.99}, "b": {"recall": values["recall"]}},
    }


@pytest.mark.parametrize(
    ("changes", "failing"),
    [
        ({}, []),
        ({"accuracy": 0.949}, ["accuracy"]),
        ({"accuracy": 0.95}, []),
        ({"macro_f1": 0.5}, ["macro F1"]),
        ({"recall": 0.84}, ["recall of b"]),
        ({"error": 0.05}, []),
        ({"error": 0.051}, ["calibration error"]),
        (
            {"accuracy": 0.1, "macro_f1": 0.1, "recall": 0.1},
            ["accuracy", "macro F1", "recall of b"],
        ),
    ],
)
def test_floors(changes: dict[str, float], failing: list[str]) -> None:
    checks = gate.floors(measured(**changes), SETTINGS)
    assert [check.name for check in checks if not check.passed] == failing


@pytest.mark.parametrize(
    ("better", "worse", "passed"),
    [(0, 0, True), (12, 0, True), (0, 12, False), (2, 14, False), (5, 5, True)],
)
def test_paired_with_the_champion(better: int, worse: int, passed: bool) -> None:
    """Of 400 documents, `better` only the candidate gets right, `worse` only the champion."""
    ours, theirs = np.ones(400), np.ones(400)
    theirs[:better] = 0
    ours[better : better + worse] = 0
    check = gate.against_champion(ours, theirs, SETTINGS)
    assert check.passed is passed
    assert check.limit == -SETTINGS.margin
