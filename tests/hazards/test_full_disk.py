"""The disk is full in the middle of a publication: the champion stays, the next run ends it."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from components.core import bundle
from components.core.paths import Paths
from tests import full_disk, killing

ORIGIN_BYTES = 150_000  # a bundle large enough not to fit in the smaller rooms
UNSHARE = ["unshare", "--mount", *(["--map-root-user"] if os.geteuid() else [])]


def allowed() -> bool:
    """Whether this kernel lets us have a file system of our own."""
    try:
        command = [*UNSHARE, "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


@pytest.fixture(scope="module")
def packaged(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, str]:
    """A project with a version, a larger bundle that is not released yet; both bundles' names."""
    root = tmp_path_factory.mktemp("full") / "project"
    killing.make_project(root)
    for name in killing.NAMES:
        killing.by_hand(root, name)
    killing.commit(root)
    assert killing.start(root).wait(full_disk.MOST_SECONDS) == 0
    paths = Paths(root, root / ".newsloop")
    old = bundle.verify(paths.bundle, paths.keys)
    shutil.rmtree(paths.bundle)
    new = killing.bundle_of(paths.bundle, paths.keys, secrets.token_hex(ORIGIN_BYTES))
    killing.commit(root, "package")
    return root, old, new


@pytest.mark.skipif(not allowed(), reason="this machine allows no file system of our own")
def test_a_full_disk_in_the_middle_of_a_release(
    packaged: tuple[Path, str, str], tmp_path: Path
) -> None:
    root, old, new = packaged
    command = [*UNSHARE, sys.executable, "-m", "tests.full_disk", root, tmp_path, old, new]
    done = subprocess.run(
        command, env=killing.environment(root), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    ended = json.loads(done.stdout)
    failed = [one for one in ended if one["status"]]
    assert len(failed) >= 2, ended
    for one in failed:
        assert any(words in one["said"].lower() for words in ("no space left", "is full")), one
    assert ended[-1]["status"] == 0, ended[-1]
