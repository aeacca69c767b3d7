"""Publishing in real git and DVC repositories: order, idempotence, nothing moved under anybody."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from components import release
from components.core import bundle, tables
from components.core import ledger as ledgers
from components.core.errors import BundleError, ReleaseError
from components.core.ledger import Ledger, deployments
from components.core.paths import Paths
from components.release import journal
from flows import versions
from flows.versions import repair
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
        "[core]\n    remote = local\n    analytics = false\n    check_update = false\n"
        "['remote \"local\"']\n    url = ../.newsloop/remote\n"
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


def test_tags_of_a_colleague_take_numbers_and_move_nothing(paths: Paths, ledger: Ledger) -> None:
    """An annotated one on the champion's commit, a lightweight one, and names of other forms."""
    first = publish(paths, ledger)
    git(paths, "tag", "-a", "newsloop@v9.0.0", first.commit, "-m", "the same commit once more")
    git(paths, "tag", "newsloop@v4.0.0", "HEAD")
    for name in ("newsloop@v12.1.0", "newsloop@v13.0.0-rc1", "other@v14.0.0"):
        git(paths, "tag", name, "HEAD")
    assert [line.split()[0] for line in versions.disagreements(paths, ledger)] == [
        "newsloop@v4.0.0",
        "newsloop@v9.0.0",
    ]
    bundle.write(paths.bundle, {"second": True}, pl.DataFrame({"a": [1]}), paths.keys)
    later = NOW + timedelta(hours=1)
    second = release.publish(paths, ledger, {"id": "d"}, 17, later, "a test")
    assert (second.version, second.tag) == (10, "newsloop@v10.0.0")
    # The ledger says what served and where the way back leads; a tag is not asked.
    for moment, tag in ((NOW, first.tag), (later, second.tag)):
        served = deployments.at(ledger, moment)
        assert served is not None
        assert served["tag"] == tag
    champion, back = deployments.way_back(ledger)
    assert (champion.tag, back["tag"]) == (second.tag, first.tag)
    assert git(paths, "rev-parse", "newsloop@v9.0.0^{commit}") == first.commit


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


# A git remote that several machines release to


@pytest.fixture
def remote(paths: Paths, tmp_path: Path) -> Path:
    """A bare repository, `origin` of the project."""
    git(paths, "init", "--quiet", "--bare", str(tmp_path / "origin.git"))
    git(paths, "remote", "add", "origin", str(tmp_path / "origin.git"))
    git(paths, "push", "--quiet", "origin", "main")
    return tmp_path / "origin.git"


def public(paths: Paths, remote: Path) -> dict[str, str]:
    """Tag -> commit, as the remote has them."""
    form = "--format=%(refname:short) %(*objectname)"
    listed = git(paths, f"--git-dir={remote}", "tag", "--list", form).splitlines()
    return dict(line.split(" ") for line in listed)


def share(paths: Paths, ledger: Ledger) -> ledgers.Champion:
    return release.publish(paths, ledger, {"id": "d"}, 17, NOW, "a test", "origin")


def test_the_tag_goes_to_the_remote_with_its_commit(
    paths: Paths, ledger: Ledger, remote: Path
) -> None:
    champion = share(paths, ledger)
    assert public(paths, remote) == {champion.tag: champion.commit}
    assert git(paths, f"--git-dir={remote}", "log", "-1", "--format=%s", "main") == "start"


def test_numbers_that_others_published_are_passed(
    paths: Paths, ledger: Ledger, remote: Path
) -> None:
    git(paths, "tag", "-a", "newsloop@v3.0.0", "-m", "bundle of somebody else")
    git(paths, "push", "--quiet", "origin", "newsloop@v3.0.0")
    git(paths, "tag", "--delete", "newsloop@v3.0.0")
    theirs = public(paths, remote)
    champion = share(paths, ledger)
    assert champion.version == 4
    assert public(paths, remote) == theirs | {champion.tag: champion.commit}


def test_a_push_that_comes_second_takes_the_next_number(
    paths: Paths, ledger: Ledger, remote: Path, tmp_path: Path
) -> None:
    """Somebody pushes the same tag while our push is under way; nothing is forced."""
    git(paths, "clone", "--quiet", str(remote), str(tmp_path / "other"))
    hook = paths.root / ".git" / "hooks" / "pre-push"
    hook.write_text(
        f"#!/bin/sh\nrm -f {hook}\nunset GIT_DIR\ncd {tmp_path / 'other'}\n"
        "git -c user.name=o -c user.email=o@localhost tag -a newsloop@v1.0.0 -m 'bundle of other' "
        "origin/main\n"
        "git push --quiet origin newsloop@v1.0.0\n"
    )
    hook.chmod(0o755)
    champion = share(paths, ledger)
    assert champion.tag == "newsloop@v2.0.0"
    theirs = git(paths, f"--git-dir={remote}", "rev-parse", "main")
    assert public(paths, remote) == {"newsloop@v1.0.0": theirs, champion.tag: champion.commit}
    assert git(paths, "tag", "--list") == champion.tag


def test_several_machines_at_once_lose_nothing(paths: Paths, remote: Path, tmp_path: Path) -> None:
    found: list[str] = []

    def machine(own: Paths, ledger: Ledger) -> None:
        found.append(share(own, ledger).tag)
        ledger.close()

    machines = []
    for number in range(3):
        root = tmp_path / f"machine-{number}"
        shutil.copytree(paths.root, root)
        own = Paths(root, root / ".newsloop")
        bundle.write(own.bundle, {"machine": number}, pl.DataFrame({"a": [1]}), own.keys)
        machines.append((own, Ledger(ledgers.url(own.ledger))))
    threads = [threading.Thread(target=machine, args=one) for one in machines]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == [f"newsloop@v{number}.0.0" for number in (1, 2, 3)]
    assert sorted(public(paths, remote)) == sorted(found)


def test_a_remote_that_is_away_stops_a_release_and_repair_finishes_it(
    paths: Paths, ledger: Ledger, remote: Path
) -> None:
    remote.rename(remote.with_suffix(".away"))
    with pytest.raises(ReleaseError, match=r"ls-remote.*origin"):
        share(paths, ledger)
    assert ledger.champion() is None
    with pytest.raises(ReleaseError, match="ls-remote"):
        repair.run(paths, ledger, NOW)
    remote.with_suffix(".away").rename(remote)
    assert repair.run(paths, ledger, NOW)[-1].endswith("newsloop@v1.0.0 serves")
    assert list(public(paths, remote)) == ["newsloop@v1.0.0"]
    assert repair.run(paths, ledger, NOW) == []


def test_a_release_is_forgotten_when_the_champion_moved(
    paths: Paths, ledger: Ledger, remote: Path
) -> None:
    """The gate compared it with another one."""
    remote.rename(remote.with_suffix(".away"))
    with pytest.raises(ReleaseError):
        share(paths, ledger)
    entry = journal.read(paths)
    assert entry is not None
    journal.write(replace(entry, champion="c" * 64), paths)
    lines = repair.run(paths, ledger, NOW)
    assert ["forgot" in line for line in lines] == [True], lines
    assert journal.read(paths) is None
    assert (ledger.champion(), git(paths, "tag", "--list")) == (None, "")
    assert not (paths.bundles / entry.bundle).exists()


def test_status_says_where_git_ledger_and_store_disagree(paths: Paths, ledger: Ledger) -> None:
    champion = publish(paths, ledger)
    assert versions.disagreements(paths, ledger) == []
    (paths.bundles / champion.bundle).rename(paths.bundles / ("e" * 64))
    git(paths, "tag", "-a", "newsloop@v7.0.0", "-m", "bundle of somebody else")
    lines = versions.disagreements(paths, ledger)
    assert [line.split()[0] for line in lines] == ["newsloop@v7.0.0", champion.tag, "bundle"]
    git(paths, "tag", "--delete", champion.tag)
    git(paths, "tag", "-a", champion.tag, "-m", "moved", "HEAD")
    assert "is not the commit" in versions.disagreements(paths, ledger)[1]
    git(paths, "tag", "--delete", champion.tag)
    assert "no tag here" in versions.disagreements(paths, ledger)[1]
