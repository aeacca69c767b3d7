"""A trial of the search is an experiment that DVC itself reads, and nothing else has changed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from components.core.errors import ReleaseError
from components.core.paths import Paths
from components.experiments import dvc_experiment

PARAMS = "train:\n  dropout: 0.5\n"
TRIED = "train:\n  dropout: 0.3\n"
STAGE = "stages:\n  train:\n    cmd: 'true'\n    params: [train]\n"
TITLE = dvc_experiment.name("textcnn-0a1b2c3d", 7)


def run(root: Path, *command: str) -> str:
    return subprocess.run(command, cwd=root, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    """A repository with one commit, an edit that is not committed, and a recorded trial."""
    found = Paths(tmp_path, tmp_path / ".newsloop")
    found.home.mkdir()
    run(tmp_path, "git", "init", "--quiet")
    (tmp_path / ".dvc").mkdir()
    (tmp_path / ".dvc/config").write_text("[core]\n    analytics = false\n")
    (tmp_path / ".gitignore").write_text("/.newsloop/\n/.dvc/tmp/\n/.dvc/cache/\n")
    (tmp_path / "params.yaml").write_text(PARAMS)
    (tmp_path / "dvc.yaml").write_text(STAGE)
    run(tmp_path, "git", "add", ".")
    identity = ("-c", "user.name=a test", "-c", "user.email=test@localhost")
    run(tmp_path, "git", *identity, "commit", "--quiet", "-m", "begin")
    (tmp_path / "dvc.yaml").write_text(STAGE + "# an edit\n")
    curve = found.home / "trial" / "plots/metrics/validation/accuracy.tsv"
    curve.parent.mkdir(parents=True)
    curve.write_text("step\taccuracy\n0\t0.8\n1\t0.9\n")
    return found


def state(root: Path) -> list[str]:
    return [
        run(root, "git", *words)
        for words in (["status", "--porcelain"], ["log"], ["stash", "list"])
    ]


def save(paths: Paths, accuracy: float | None = 0.9, state: str = "complete") -> str:
    result = {"state": state, "accuracy": accuracy}
    return dvc_experiment.save(paths, TITLE, TRIED, paths.home / "trial", result)


def shown(root: Path) -> dict[str, dict[str, object]]:
    """Experiment -> what `dvc exp show` says of it."""
    revisions = json.loads(run(root, sys.executable, "-m", "dvc", "exp", "show", "--json"))
    return {
        one["name"]: one["revs"][0]["data"] for rev in revisions for one in rev["experiments"] or []
    }


def test_dvc_shows_its_settings_and_its_result(paths: Paths) -> None:
    before = state(paths.root)
    save(paths)
    assert state(paths.root) == before
    assert (paths.root / "params.yaml").read_text() == PARAMS
    found = shown(paths.root)[TITLE]
    assert found["params"] == {"params.yaml": {"data": {"train": {"dropout": 0.3}}}}
    assert found["metrics"] == {
        "tune/result.json": {"data": {"trial": {"state": "complete", "accuracy": 0.9}}}
    }


def test_its_curves_are_plots(paths: Paths) -> None:
    save(paths)
    told = run(
        paths.root, sys.executable, "-m", "dvc", "plots", "diff", TITLE, "--json", "--split"
    )  # fmt: skip
    assert "tune/plots/metrics/validation/accuracy.tsv" in told


def test_a_trial_that_was_ended_has_no_accuracy(paths: Paths) -> None:
    commit = save(paths, None, "pruned")
    told = run(paths.root, "git", "show", f"{commit}:tune/result.json")
    assert json.loads(told) == {"trial": {"state": "pruned"}}


def test_done_again_it_is_replaced(paths: Paths) -> None:
    save(paths, 0.8)
    commit = save(paths, 0.9)
    refs = run(paths.root, "git", "for-each-ref", "--format=%(objectname)", "refs/exps").split()
    assert refs == [commit]


def test_without_a_commit_there_is_none(tmp_path: Path) -> None:
    run(tmp_path, "git", "init", "--quiet")
    with pytest.raises(ReleaseError, match="rev-parse"):
        dvc_experiment.save(Paths(tmp_path, tmp_path), TITLE, TRIED, tmp_path, {})
