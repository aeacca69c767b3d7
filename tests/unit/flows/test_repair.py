"""What a killed run left is put right; what a living process holds is respected."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import psutil
import pytest

from components.core import keys
from components.core.errors import Busy, ReleaseError
from components.core.ledger import Champion, Ledger
from components.core.paths import Paths
from components.core.runtime import stale_processes
from flows.dvc import lockfile, workspace
from flows.versions import repair

NOW = datetime(2026, 1, 5, 3, tzinfo=UTC)
LOCK = """schema: '2.0'
stages:
  split:
    cmd: python -m components.split
    deps:
    - path: data/02_validated
      hash: md5
      md5: 0123456789abcdef0123456789abcdef.dir
    outs:
    - path: data/03_split
      hash: md5
      md5: abcdef0123456789abcdef0123456789.dir
"""


def git(root: Path, *arguments: str) -> str:
    command = ["git", "-c", "user.name=t", "-c", "user.email=t@localhost", *arguments]
    return subprocess.run(
        command, cwd=root, check=True, capture_output=True, text=True
    ).stdout.strip()


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("repair") / "project"
    (root / ".dvc" / "tmp").mkdir(parents=True)
    (root / ".dvc" / "config").write_text("")
    for name, text in (("params.yaml", "a: 1\n"), ("dvc.yaml", "stages: {}\n")):
        (root / name).write_text(text)
    (root / ".gitignore").write_text(".newsloop\n.dvc/tmp\n/data/*\n")
    git(root, "init", "--quiet", "--initial-branch", "main")
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "-m", "start")
    return root


@pytest.fixture
def paths(template: Path, tmp_path: Path) -> Paths:
    shutil.copytree(template, tmp_path / "project")
    made = Paths(tmp_path / "project", tmp_path / "project" / ".newsloop")
    keys.ensure(made.keys)
    return made


@pytest.fixture
def ledger(paths: Paths) -> Iterator[Ledger]:
    opened = Ledger(f"sqlite:///{paths.ledger}")
    yield opened
    opened.close()


DVC = [sys.executable, "-c", "input()", "dvc"]


@pytest.fixture
def sleeper(paths: Paths) -> Iterator[subprocess.Popen[bytes]]:
    """A living process that calls itself dvc, in the project."""
    with subprocess.Popen(DVC, stdin=subprocess.PIPE, cwd=paths.root) as process:
        yield process
        process.communicate()


@pytest.fixture
def elsewhere() -> Iterator[subprocess.Popen[bytes]]:
    """A living process that calls itself dvc, in no project of ours."""
    with subprocess.Popen(DVC, stdin=subprocess.PIPE, cwd="/") as process:
        yield process
        process.communicate()


def dead() -> int:
    process = subprocess.Popen(["true"])
    process.wait()
    return process.pid


def rwlock(paths: Paths, pid: int) -> Path:
    holder = {"pid": pid, "cmd": "dvc repro train"}
    path = paths.root / ".dvc" / "tmp" / "rwlock"
    path.write_text(json.dumps({"write": {"data/04_trained": holder}, "read": {"data": [holder]}}))
    return path


def test_where_nothing_is_wrong_nothing_is_done(paths: Paths, ledger: Ledger) -> None:
    (paths.root / "dvc.lock").write_text(LOCK)
    (paths.root / ".dvc" / "tmp" / "rwlock").write_text("{}")
    assert repair.run(paths, ledger, NOW) == []
    assert (paths.root / "dvc.lock").read_text() == LOCK


@pytest.mark.parametrize(
    "torn",
    [
        "",
        "\0" * 300,
        LOCK[:150],
        LOCK[:60],
        "schema: '2.0'\nstages: [1]\n",
        "schema: '2.0'\nstages:\n  split: 3\n",
        f"<<<<<<< ours\n{LOCK}=======\n{LOCK}>>>>>>> theirs\n",
        "\x7fELF garbage: [",
    ],
)
@pytest.mark.parametrize("copy", ["kept", "committed", "none"])
def test_a_torn_dvc_lock(paths: Paths, ledger: Ledger, torn: str, copy: str) -> None:
    path = paths.root / "dvc.lock"
    path.write_text(LOCK)
    if copy == "kept":
        lockfile.keep(paths)
    elif copy == "committed":
        git(paths.root, "add", "dvc.lock")
        git(paths.root, "commit", "--quiet", "-m", "lock")
    path.write_text(torn)
    (line,) = repair.run(paths, ledger, NOW)
    assert str(path) in line
    assert (path.read_text() if path.exists() else None) == (None if copy == "none" else LOCK)
    assert repair.run(paths, ledger, NOW) == []


def test_a_torn_dvc_lock_is_never_kept(paths: Paths) -> None:
    path = paths.root / "dvc.lock"
    path.write_text(LOCK)
    lockfile.keep(paths)
    path.write_text(LOCK[:150])
    lockfile.keep(paths)
    assert lockfile.restore(paths, None)
    assert path.read_text() == LOCK


def test_locks_of_the_dead_are_taken_over_in_under_a_second(paths: Paths, ledger: Ledger) -> None:
    tmp = paths.root / ".dvc" / "tmp"
    claim = f"{tmp / 'lock'}|{socket.gethostname()}|{dead()}|17"
    found = {rwlock(paths, dead()), tmp / "lock", tmp / "rwlock.lock"}
    for name in ("lock", "rwlock.lock"):
        (tmp / name).write_text(claim)
    tags = paths.root / ".git" / "refs" / "tags"
    (tags / "newsloop@v1.0.0.lock").touch()
    started = time.monotonic()
    lines = repair.run(paths, ledger, NOW)
    assert time.monotonic() - started < 1
    assert len(lines) == 4
    assert not [path for path in (*found, *tags.glob("*.lock")) if path.exists()]


def test_a_number_that_was_given_to_another_process_holds_nothing(
    paths: Paths, ledger: Ledger, elsewhere: subprocess.Popen[bytes]
) -> None:
    rwlock(paths, elsewhere.pid)
    assert len(repair.run(paths, ledger, NOW)) == 1
    assert len(repair.run(Paths(paths.root, paths.home), ledger, NOW)) == 0
    rwlock(paths, os.getppid() if "dvc" not in _command(os.getppid()) else 1)
    assert len(repair.run(paths, ledger, NOW)) == 1


def _command(number: int) -> str:
    return " ".join(psutil.Process(number).cmdline())


def test_a_torn_table_of_readers_is_removed(paths: Paths, ledger: Ledger) -> None:
    path = paths.root / ".dvc" / "tmp" / "rwlock"
    path.write_text('{"write": {"da')
    assert len(repair.run(paths, ledger, NOW)) == 1
    assert not path.exists()


@pytest.mark.parametrize("kind", ["rwlock", "lock"])
def test_a_living_holder_is_respected(
    paths: Paths, ledger: Ledger, sleeper: subprocess.Popen[bytes], kind: str
) -> None:
    if kind == "rwlock":
        path = rwlock(paths, sleeper.pid)
    else:
        path = paths.root / ".dvc" / "tmp" / "lock"
        path.write_text(f"{path}|{socket.gethostname()}|{sleeper.pid}|17")
    before = path.read_text()
    with pytest.raises(Busy, match=str(sleeper.pid)):
        repair.run(paths, ledger, NOW)
    assert path.read_text() == before


def test_orphans_are_ended_with_what_they_started_and_nobody_else(
    paths: Paths, ledger: Ledger, tmp_path: Path
) -> None:
    """Also a child in a process group of its own, whose parent is gone."""
    script = "import subprocess; subprocess.Popen(['sleep', '600'], start_new_session=True)"
    for root in (paths.root, tmp_path / "another"):
        subprocess.run([sys.executable, "-c", script], env=stale_processes.marked(root), check=True)
    assert len(repair.run(paths, ledger, NOW)) == 1
    assert stale_processes.find([paths.root]) == []
    (other,) = stale_processes.find([tmp_path / "another"])
    other.kill()


def test_half_written_files_go_and_those_of_the_living_stay(paths: Paths, ledger: Ledger) -> None:
    gone, number = [], dead()
    for folder in (paths.data / "01_ingested", paths.home, paths.decisions):
        folder.mkdir(parents=True, exist_ok=True)
        gone.append(folder / f".made.json.{number}.partial")
    for folder in (paths.home / "index-x", paths.home / "build-y", paths.bundles / ".partial-z"):
        folder.mkdir(parents=True)
        gone.append(folder)
    for path in gone[:3]:
        path.write_text("half")
    kept = paths.home / f".made.json.{os.getpid()}.partial"
    kept.write_text("half")
    assert len(repair.run(paths, ledger, NOW)) == 6
    assert not [path for path in gone if path.exists()]
    assert kept.exists()


def champion_of(paths: Paths) -> Champion:
    commit = git(paths.root, "rev-parse", "HEAD")
    return Champion(1, "b" * 64, "newsloop@v1.0.0", commit, NOW, "", {}, {}, "s", "d")


@pytest.mark.parametrize(
    "broken", ["nothing", "no clone", "empty", "no objects", "no HEAD", "locked", "no config"]
)
def test_a_broken_workspace_is_made_anew(paths: Paths, broken: str) -> None:
    champion = champion_of(paths)
    place = workspace.prepare(paths, champion)
    inside = place.root / ".git"
    if broken == "no clone":
        shutil.rmtree(place.root)
    elif broken == "empty":
        shutil.rmtree(inside)
    elif broken == "no objects":
        shutil.rmtree(inside / "objects")
    elif broken == "no HEAD":
        (inside / "HEAD").write_text("")
    elif broken == "locked":
        (inside / "index.lock").touch()
    elif broken == "no config":
        (place.root / ".dvc" / "config.local").unlink()
    place = workspace.prepare(paths, champion)
    assert git(place.root, "rev-parse", "HEAD") == champion.commit
    assert (place.root / "params.yaml").read_text() == "a: 1\n"
    settings = (place.root / ".dvc" / "config.local").read_text()
    assert str(paths.home / "remote") in settings
    assert str(paths.root / ".dvc" / "cache") in settings
    assert [path.name for path in paths.home.glob(".workspace-*")] == []


def test_a_workspace_keeps_the_keys_of_the_checkout(paths: Paths) -> None:
    """Those of an S3 remote stand in config.local, which is not in git."""
    (paths.root / ".dvc" / "config").write_text("['remote \"store\"']\n    url = s3://a/b\n")
    git(paths.root, "commit", "--quiet", "--all", "-m", "a remote")
    champion = champion_of(paths)
    theirs = paths.root / ".dvc" / "config.local"
    theirs.write_text(
        "['remote \"store\"']\n    access_key_id = somebody\n"
        "['remote \"later\"']\n    access_key_id = nobody\n"
    )
    place = workspace.prepare(paths, champion)
    settings = (place.root / ".dvc" / "config.local").read_text()
    assert ("access_key_id = somebody" in settings, "nobody" in settings) == (True, False)
    assert "somebody" in theirs.read_text()


def test_a_commit_that_is_nowhere_is_said(paths: Paths) -> None:
    champion = Champion(1, "b" * 64, "newsloop@v1.0.0", "1" * 40, NOW, "", {}, {}, "s", "d")
    with pytest.raises(ReleaseError, match="champion stays"):
        workspace.prepare(paths, champion)
