"""Publishing in real git and DVC repositories: order, idempotence, nothing moved under anybody."""

from __future__ import annotations

import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from components import release
from components.core import bundle, tables
from components.core import ledger as ledgers
from components.core.errors import BundleError, ReleaseError
from components.core.ledger import Ledger
from components.core.paths import Paths
from tests.tiny import make_bundle

NOW = datetime(2026, 1, 5, 3, tzinfo=UTC)
METRICS = {"architecture": "textcnn", "accuracy": {"value": 0.98}, "macro_f1": {"value": 0.98}}


VALIDATION = {"rows": 9, "by_class": {"a": 3, "b": 5}, "by_source": {"news": 8}}
SPLIT = {"sides": {"test": {"documents": 2, "by_class": {"a": 1, "b": 1}}}, "test_hash": "f" * 64}


def git(paths: Paths, *arguments: str) -> str:
    command = ["git", "-c", "user.name=t", "-c", "user.email=t@localhost", *arguments]
    return subprocess.run(
        command, cwd=paths.root, check=True, capture_output=True, text=True
    ).stdout.strip()


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with a packaged bundle, before its first release."""
    root = tmp_path_factory.mktemp("project")
    paths = Paths(root, root / ".newsloop")
    make_bundle(paths.bundle, paths.keys)
    for name, text in (("params", "a: 1"), ("dvc", "stages: {}")):
        (root / f"{name}.yaml").write_text(f"{text}\n")
    (root / "dvc.lock").write_text("schema: '2.0'\n")
    (root / ".gitignore").write_text(
        "/data/*\n/.newsloop/\n!/data/sources.json\n!/data/baseline.json\n"
    )
    tables.write_json({"sources": [{"name": "news", "kind": "csv"}]}, paths.snapshot)
    tables.write_json({"architecture": "textcnn"}, paths.candidate)
    tables.write_json({"snapshot": None, "release": None, "taken": None}, paths.baseline)
    tables.write_json(VALIDATION, paths.validated / "validation.json")
    tables.write_json(SPLIT, paths.split / "split.json")
    tables.write_json(METRICS, paths.evaluated / "metrics.json")
    git(paths, "init", "--quiet", "--initial-branch", "main")
    subprocess.run([sys.executable, "-m", "dvc", "init", "--quiet"], cwd=root, check=True)
    (root / ".dvc" / "config").write_text(
        "[core]\n    remote = local\n['remote \"local\"']\n    url = ../.newsloop/remote\n"
    )
    (paths.home / "remote").mkdir()
    git(paths, "add", "--all")
    git(paths, "commit", "--quiet", "-m", "start")
    return root


@pytest.fixture
def paths(template: Path, tmp_path: Path) -> Paths:
    shutil.copytree(template, tmp_path / "project")
    return Paths(tmp_path / "project", tmp_path / "project" / ".newsloop")


@pytest.fixture
def ledger(paths: Paths) -> Ledger:
    return Ledger(ledgers.url(paths.ledger))


def publish(paths: Paths, ledger: Ledger) -> ledgers.Champion:
    return release.publish(paths, ledger, {"id": "d"}, 17, NOW, "a test")


def test_a_release_is_a_tagged_commit_a_stored_bundle_and_a_row(
    paths: Paths, ledger: Ledger
) -> None:
    (paths.root / "params.yaml").write_text("changed: but not committed\n")
    head, status = git(paths, "rev-parse", "HEAD"), git(paths, "status", "--porcelain")
    champion = publish(paths, ledger)
    assert (champion.version, champion.tag) == (1, "newsloop@v1.0.0")
    assert champion == ledger.champion()
    assert champion.decision == {"id": "d", "feedback_watermark": 17}
    assert git(paths, "cat-file", "-t", champion.tag) == "tag"
    assert git(paths, "rev-parse", f"{champion.tag}^{{commit}}") == champion.commit
    assert git(paths, "show", f"{champion.tag}:params.yaml") == "changed: but not committed"
    assert git(paths, "show", f"{champion.tag}:data/candidate.json")
    # The person's branch, index and files are as they were.
    assert git(paths, "rev-parse", "HEAD") == head
    assert git(paths, "status", "--porcelain") == status
    assert bundle.verify(paths.bundles / champion.bundle, paths.keys) == champion.bundle


def test_a_release_leaves_what_later_data_are_compared_with(paths: Paths, ledger: Ledger) -> None:
    champion = publish(paths, ledger)
    assert release.left_by(paths, champion) == {
        "rows": 9,
        "by_class": {"a": 3, "b": 5},
        "by_source": {"news": 8},
        "sources": ["news"],
        "eras": [],
        "test": {"documents": 2, "by_class": {"a": 1, "b": 1}, "hash": "f" * 64},
    }
    assert not (paths.data / "released.json").exists()


def test_a_champion_of_another_installation_left_nothing_here(paths: Paths, ledger: Ledger) -> None:
    champion = publish(paths, ledger)
    git(paths, "tag", "--delete", champion.tag)
    assert release.left_by(paths, champion) is None


def test_the_same_bundle_again_is_deployed_not_released_again(paths: Paths, ledger: Ledger) -> None:
    publish(paths, ledger)
    assert publish(paths, ledger).version == 1
    assert [row["version"] for row in ledger.versions()] == [1]
    assert len(ledger.deployments()) == 2


def test_a_tag_that_a_killed_run_left_is_taken_up(paths: Paths, ledger: Ledger) -> None:
    first = publish(paths, ledger)
    ledger.close()
    for name in ("", "-wal", "-shm"):
        Path(f"{paths.ledger}{name}").unlink(missing_ok=True)
    shutil.rmtree(paths.bundles)
    again = publish(paths, Ledger(ledgers.url(paths.ledger)))
    assert (again.version, again.tag, again.commit) == (1, first.tag, first.commit)
    assert git(paths, "tag", "--list") == "newsloop@v1.0.0"


def test_versions_count_on_past_tags_of_others(paths: Paths, ledger: Ledger) -> None:
    git(paths, "tag", "-a", "newsloop@v7.0.0", "-m", "bundle of somebody else")
    git(paths, "tag", "-a", "unrelated", "-m", "x")
    assert publish(paths, ledger).version == 8


def test_an_altered_bundle_is_not_released(paths: Paths, ledger: Ledger) -> None:
    (paths.bundle / "bundle.json").write_text("{}")
    with pytest.raises(BundleError):
        publish(paths, ledger)
    assert ledger.champion() is None
    assert git(paths, "tag", "--list") == ""


def test_what_dvc_says_is_in_the_error_and_the_champion_stays(paths: Paths, ledger: Ledger) -> None:
    (paths.root / ".dvc" / "config").write_text("[core]\n    remote = nowhere\n")
    with pytest.raises(ReleaseError, match=r"dvc push.*nowhere"):
        publish(paths, ledger)
    assert ledger.champion() is None
