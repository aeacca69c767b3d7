"""A stage runs again exactly when a value that it reads changes, however that came."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.core import params as parameters
from components.core.params import edit, effective
from components.core.paths import Paths
from flows.dvc import pipeline, process

ROOT = Path(__file__).parents[3]
PROJECT = parameters.load(ROOT / "params.yaml")


def trimmed() -> dict[str, Any]:
    """dvc.yaml with the stage `settings` as it is; the others depend on its files alone."""
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
    made: dict[str, Any] = {pipeline.SETTINGS: stages[pipeline.SETTINGS]}
    for name in pipeline.STAGES[1:]:
        (file,) = (one for one in stages[name]["deps"] if one.startswith("data/00_settings/"))
        made[name] = {"cmd": f"echo {name} > {name}.txt", "deps": [file], "outs": [f"{name}.txt"]}
    return {"stages": made}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Paths]:
    root = tmp_path_factory.mktemp("project")
    code = shutil.ignore_patterns("__pycache__", "*.npz")
    shutil.copytree(ROOT / "components" / "core", root / "components" / "core", ignore=code)
    for name in ("components/__init__.py", "components/settings.py", "params.yaml"):
        shutil.copy(ROOT / name, root / name)
    (root / "dvc.yaml").write_text(yaml.safe_dump(trimmed(), sort_keys=False))
    (root / "data").mkdir()
    (root / "data" / "candidate.json").write_text('{"architecture": "textcnn"}')
    git = ["git", "-c", "user.name=t", "-c", "user.email=t@localhost"]
    subprocess.run(["git", "init", "--quiet"], cwd=root, check=True)
    subprocess.run([sys.executable, "-m", "dvc", "init", "--quiet"], cwd=root, check=True)
    subprocess.run([*git, "add", "--all"], cwd=root, check=True)
    subprocess.run([*git, "commit", "--quiet", "-m", "start"], cwd=root, check=True)
    paths = Paths(root, root / ".newsloop")
    with process.shared(paths):
        yield paths


def ran(paths: Paths) -> set[str]:
    """The stages that plain `dvc repro` runs."""
    return set(re.findall(r"Running stage '(\w+)'", process.ask(paths, "repro")))


def test_exactly_the_stages_that_read_a_changed_value_run_again(project: Paths) -> None:
    file, code = project.params, project.root / "components/core/params/architectures/textcnn.py"
    assert ran(project) == set(pipeline.STAGES)
    file.write_text(file.read_text() + "# a remark\n")
    assert pipeline.changed_stages(project) == set()
    # Defaults that are written out, another candidate, a number of another architecture.
    edit.set_values(file, {"train.textcnn.word_dropout": 0.1, "validate.max_volume_growth": 10})
    edit.set_values(file, {"train.candidates": ["textcnn", "linear"], "train.linear.grams": 1})
    assert ran(project) == {"settings"}
    # What DVC shows of settings is what stands in the file.
    shown = json.loads(process.ask(project, "params", "diff", "--json"))["params.yaml"]
    assert shown["train.linear.grams"] == {"new": 1, "old": None}
    found = json.loads(process.ask(project, "exp", "show", "--json"))[0]["data"]["params"]
    assert found["params.yaml"]["data"]["gate"]["min_accuracy"] == PROJECT.gate.min_accuracy
    # Values in the file; and one that it does not name, whose default changes.
    edit.set_values(file, {"split.seed": 4, "ingest.limits.pages": 9})
    text = code.read_text()
    code.write_text(re.sub(r"dropout: Share = Field\(\s*0\.5", "dropout: Share = Field(0.45", text))
    assert code.read_text() != text
    assert ran(project) == {"settings", "split", "ingest", "train", "package"}
    # The numbers of an ensemble's members count.
    project.candidate.write_text('{"architecture": "ensemble"}')
    assert ran(project) == {"settings", "train", "package"}
    edit.set_values(file, {"train.linear.grams": 2})
    assert ran(project) == {"settings", "train", "package"}
    whole = json.loads(project.resolved.read_text())
    assert whole["train"]["textcnn"]["dropout"] == 0.45
    assert whole["split"]["seed"] == 4


def test_every_stage_has_a_file_that_it_depends_on() -> None:
    assert set(effective.READ_BY) == set(pipeline.STAGES) - {pipeline.SETTINGS}
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
    for name in effective.READ_BY:
        assert f"data/00_settings/{name}.json" in stages[name]["deps"]
        assert "params" not in stages[name]
