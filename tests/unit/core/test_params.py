"""params.yaml -> settings: what is refused, and with which words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from components.core import params
from components.core.errors import ParamsError

PROJECT = Path(__file__).parents[3] / "params.yaml"


def changed(*keys: str, value: Any) -> dict[str, Any]:
    values: dict[str, Any] = yaml.safe_load(PROJECT.read_text())
    place = values
    for key in keys[:-1]:
        place = place[key]
    place[keys[-1]] = value
    return values


def test_the_projects_own_settings_are_valid() -> None:
    settings = params.load(PROJECT)
    assert settings.train.candidates[0] == "textcnn"
    assert settings.train.architecture("bilstm").units == 128  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("keys", "value", "words"),
    [
        (
            ("train", "epoch"),
            3,
            "train.epoch is no key that newsloop knows, the nearest is train.epochs.",
        ),
        (
            ("train", "crop"),
            0.5,
            "train.crop is no key that newsloop knows, the nearest is train.fitting.crop.",
        ),
        (("trains",), {}, "trains is no key that newsloop knows, the nearest is train."),
        (("train", "xyz"), 1, "train.xyz is no key that newsloop knows."),
        (("train", "epochs"), "3", "train.epochs: Input should be a valid integer, got '3'"),
        (("train", "epochs"), 0, "train.epochs: Input should be greater than 0, got 0"),
        (("train", "candidates"), ["svm"], "train.candidates.0"),
        (("train", "candidates"), [], "train.candidates"),
        (("gate", "min_accuracy"), 1.5, "gate.min_accuracy"),
        (("ingest", "labels"), ["one"], "ingest.labels"),
        (("ingest", "labels"), ["a", "a"], "labels must differ"),
        (("ingest", "labels"), ["a", "b\nRUN x"], "label 2 must have 1 to 200 characters"),
        (("ingest", "labels"), ["", "b"], "label 1 must have 1 to 200 characters"),
        (("ingest", "labels"), ["a", "b "], "no space at its ends"),
        (("ingest", "labels"), ["x" * 201, "b"], "label 1 must have"),
        (("ingest", "labels"), ["a", True], "label 2 is no text for YAML, but true"),
        (("ingest", "labels"), [0, "a"], "label 1 is no text for YAML, but 0: put it in quotes"),
        (("ingest", "sources"), [{"name": "x", "kind": "csv"}], "needs a path"),
        (("ingest", "sources"), [{"name": "x", "kind": "F T P", "path": "y"}], "kind"),
        (("serve", "port"), 70000, "serve.port"),
        (("serve", "port"), True, "serve.port"),
    ],
)
def test_a_wrong_key_is_named(keys: tuple[str, ...], value: Any, words: str) -> None:
    with pytest.raises(ParamsError, match="Mend these keys") as caught:
        params.parse(changed(*keys, value=value), "params.yaml")
    assert words in str(caught.value)
    assert caught.value.exit_status == 2


def test_a_missing_section_is_named() -> None:
    values = yaml.safe_load(PROJECT.read_text())
    del values["ingest"]
    with pytest.raises(ParamsError, match="ingest is missing"):
        params.parse(values, "params.yaml")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("train: [", "Expected YAML"),
        ("gate: 1\ngate: 2\n", "the key gate stands twice"),
        ("- 1\n", "Input should be a valid dictionary"),
        ("", "Input should be a valid dictionary"),
    ],
)
def test_a_broken_file_is_one_paragraph(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(text)
    with pytest.raises(ParamsError) as caught:
        params.load(path)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(ParamsError, match="No such file"):
        params.load(tmp_path / "params.yaml")


def test_settings_cannot_be_changed() -> None:
    settings = params.load(PROJECT)
    with pytest.raises(ValueError, match="frozen"):
        settings.train.epochs = 1


def test_prefect_can_look_into_every_section() -> None:
    """It takes whatever has an attribute `keys` for a mapping."""
    project = params.load(Path(__file__).parents[3] / "params.yaml")
    for name in type(project).model_fields:
        assert dict(getattr(project, name))
