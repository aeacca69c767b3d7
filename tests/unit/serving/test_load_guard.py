"""A bundle that ends the process while it is loaded is not loaded for ever."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from components.core.errors import BundleError
from serving.models.load_guard import attempt

CRASH = (
    "import os, sys; from pathlib import Path; from serving.models.load_guard import attempt\n"
    "attempt(Path(sys.argv[1]), 'bad', lambda name: os._exit(9))\n"
)


def test_what_kills_the_process_twice_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "loading"
    for _ in range(2):
        done = subprocess.run([sys.executable, "-c", CRASH, str(folder)], check=False)
        assert done.returncode == 9
    with pytest.raises(BundleError, match="ended 2 times while it tried"):
        attempt(folder, "bad", str.upper)
    assert attempt(folder, "good", str.upper) == "GOOD"  # others are loaded
    next(folder.glob("bad-*")).unlink()
    assert attempt(folder, "bad", str.upper) == "BAD"


def test_an_error_that_is_told_does_not_count(tmp_path: Path) -> None:
    def refuse(name: str) -> str:
        raise BundleError("It was altered.")

    for _ in range(5):
        with pytest.raises(BundleError, match="It was altered"):
            attempt(tmp_path, "bad", refuse)
    assert list(tmp_path.iterdir()) == []


def test_one_kill_is_forgiven(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", CRASH, str(tmp_path)], check=False)
    assert attempt(tmp_path, "bad", str.upper) == "BAD"
    assert list(tmp_path.iterdir()) == []


def test_without_room_on_the_disk_it_is_loaded_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert attempt(tmp_path / "file" / "loading", "good", str.upper) == "GOOD"
