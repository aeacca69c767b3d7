"""Every key has a default and a reason, on paper and by `newsloop params`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from components.core import params
from components.core.errors import UsageError
from components.core.params import documentation
from components.core.paths import Paths
from flows.cli.administer import params as cli_params

ROOT = Path(__file__).parents[3]
TURNED = params.parse(
    {
        "ingest": {
            "labels": ["a", "b"],
            "sources": [{"name": "mine", "kind": "csv", "path": "x.csv"}],
            "scrub": {"entities": {"PERSON": "keep", "SHOE_SIZE": "mask"}},
        },
        "gate": None,
        "train": {"epochs": 9, "pretrained": {"folder": "models/bert"}},
        "tune": {"space": {"linear": {"grams": {"low": 1, "high": 3}}}},
        "validate": {"max_volume_growth": 10},
    },
    "a test",
)


def test_the_page_is_what_the_classes_say() -> None:
    page = (ROOT / "docs" / "params.md").read_text(encoding="utf-8")
    assert page == documentation.markdown(), (
        "python -m components.core.params.documentation makes it anew"
    )


def test_every_key_has_a_unit_or_reason() -> None:
    rows = documentation.in_effect(params.load(ROOT / "params.yaml"))
    assert [row.key for row in rows if not (row.reason or row.about)] == []
    assert len(rows) > 250


def test_the_file_that_people_edit_is_short_and_has_the_defaults() -> None:
    path = ROOT / "params.yaml"
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 120
    changed = [row.key for row in documentation.in_effect(params.load(path)) if row.changed]
    assert changed == ["ingest.labels", "ingest.sources"]


def test_to_name_one_entity_or_architecture_leaves_the_others() -> None:
    entities = TURNED.ingest.scrub.entities
    assert entities == dict.fromkeys(params.ENTITIES, "mask") | {
        "PERSON": "keep",
        "SHOE_SIZE": "mask",
        "SPECIAL_CATEGORY": "keep",
    }
    assert set(TURNED.tune.space) == {"textcnn", "bilstm", "linear"}


def test_another_place_of_the_encoder_replaces_the_whole_default_place() -> None:
    found = TURNED.train.pretrained
    assert (found.package, found.path, found.folder) == (None, None, "models/bert")
    other = params.Train.model_validate({"pretrained": {"package": "another"}}).pretrained
    assert (other.package, other.path) == ("another", None)


def invoke(*argv: str) -> Any:
    app = typer.Typer()
    cli_params.add(app, lambda: (TURNED, Paths(Path("/nowhere"), Path("/nowhere"))))
    return CliRunner().invoke(app, list(argv), catch_exceptions=False, env={"COLUMNS": "200"})


def test_the_command_names_what_differs() -> None:
    told = json.loads(invoke("--changed", "--json").stdout)
    assert {entry["key"]: entry["value"] for entry in told} == {
        "ingest.labels": ["a", "b"],
        "ingest.sources": [{"name": "mine", "kind": "csv", "path": "x.csv"}],
        "ingest.scrub.entities.PERSON": "keep",
        "ingest.scrub.entities.SHOE_SIZE": "mask",
        "train.epochs": 9,
        "train.pretrained.package": None,
        "train.pretrained.path": None,
        "train.pretrained.folder": "models/bert",
        "tune.space.linear": {"grams": {"low": 1, "high": 3, "log": False}},
    }
    (epochs,) = (entry for entry in told if entry["key"] == "train.epochs")
    assert (epochs["default"], epochs["required"], epochs["changed"]) == (30, False, True)
    assert epochs["reason"].startswith("epochs, at most")


def test_the_command_prints_a_section_with_a_star_where_it_differs() -> None:
    lines = invoke("train").stdout.splitlines()
    assert "unit or reason" in lines[0]
    (epochs,) = (line for line in lines if "train.epochs" in line)
    assert epochs.split()[:4] == ["*", "train.epochs", "9", "30"]
    (seed,) = (line for line in lines if "train.seed" in line)
    assert seed.split()[:2] == ["train.seed", "7"]
    assert not any("gate" in line.split()[0] for line in lines if line.strip())
    assert "train.epochs" in invoke("train.epochs").stdout
    assert "has only default values" in invoke("gate", "--changed").stdout
    with pytest.raises(UsageError, match=r"got train.epoch. The nearest is train\.epochs"):
        invoke("train.epoch")
