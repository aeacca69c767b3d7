"""Behaviour cases: what counts as passed, and what a wrong file is answered."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pytest

from components.core.errors import ParamsError
from components.evaluate import behaviour
from components.evaluate.behaviour import Cases

TABLE = pl.DataFrame(
    {"id": ["1", "2", "3"], "text": ["a goal", "a bank", "a GOAL"], "label": ["s", "b", "s"]}
)


class Model:
    """Says s where it reads "goal" in this case, surer the more often, else b."""

    labels = ("s", "b")

    def predict(self, texts: Sequence[str]) -> Any:
        likely = np.array([min(text.count("goal"), 3) / 4 for text in texts])
        return SimpleNamespace(
            labels=["s" if share > 0 else "b" for share in likely],
            probabilities=np.stack([likely, 1 - likely], axis=-1),
        )


@pytest.mark.parametrize(
    ("cases", "passed", "of"),
    [
        ({"minimum": [{"label": "s", "text": "goal"}, {"label": "s", "text": "x"}]}, 1, 2),
        ({"minimum": [{"label": "unknown", "text": "goal"}]}, None, None),
        ({"direction": [{"label": "s", "add": " goal"}]}, 1, 1),  # on the one text of b
        ({"direction": [{"label": "b", "add": " bank"}]}, 0, 2),
        ({"invariance": [{"name": "x", "case": "upper"}]}, 2, 3),  # "a goal" becomes b
        ({"invariance": [{"name": "x", "replace": {"zzz": "y"}}]}, None, None),
        ({"invariance": [{"name": "x", "replace": {"bank": "y"}}]}, 1, 1),  # only what changes
        ({"invariance": [{"name": "x", "after": "."}]}, 3, 3),
        ({}, None, None),
    ],
)
def test_what_passes(cases: dict[str, Any], passed: int | None, of: int | None) -> None:
    model: Any = Model()
    found = behaviour.check(model, Cases.model_validate(cases), TABLE, each=5)
    assert (found.get("passed"), found.get("of")) == (passed, of)
    if of:
        assert found["value"] == pytest.approx(passed / of, abs=1e-6)


def test_only_the_first_texts_of_each_class_are_asked() -> None:
    model: Any = Model()
    cases = Cases.model_validate({"invariance": [{"name": "x", "before": "so "}]})
    assert behaviour.check(model, cases, TABLE, each=1)["of"] == 2


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("minimum: [{label: s}]", "minimum.0.text"),
        ("invariance: [{name: x, replace: {'(': y}}]", "no regular expression"),
        ("other: []", "other"),
        ("minimum: [", "Correct that line"),
    ],
)
def test_a_wrong_file_is_named(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "behaviour.yaml").write_text(text)
    with pytest.raises(ParamsError, match=told):
        behaviour.load(tmp_path / "behaviour.yaml")


def test_the_projects_own_cases_can_be_read() -> None:
    found = behaviour.load(Path(__file__).parents[3] / "behaviour.yaml")
    assert (len(found.minimum), len(found.direction)) == (5, 2)
    assert len(found.invariance) >= 8
    assert behaviour.load(Path("nowhere")) == Cases()
