"""Calls to others end in time, with all that they started."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from components.core.runtime import limited

# Starts a child that holds its pipes, says its id, and hangs.
HANGS = (
    "import subprocess, sys, time; child = subprocess.Popen(['sleep', '600']);"
    " open(sys.argv[1], 'w').write(str(child.pid)); time.sleep(600)"
)


def test_what_a_command_says(tmp_path: Path) -> None:
    code = "import os, sys; print(os.getcwd()); print('no', file=sys.stderr); sys.exit(3)"
    found = limited.run([sys.executable, "-c", code], tmp_path, os.environ, 60)
    assert found == (3, f"{tmp_path}\n", "no\n")


def test_a_late_command_is_killed_with_its_children(tmp_path: Path) -> None:
    begun, told = time.monotonic(), tmp_path / "pid"
    with pytest.raises(subprocess.TimeoutExpired):
        limited.run([sys.executable, "-c", HANGS, str(told)], tmp_path, os.environ, 4)
    assert time.monotonic() - begun < 14
    child = int(told.read_text())
    while _runs(child):  # until the kernel has ended it
        assert time.monotonic() - begun < 20


def _runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_a_call_returns_raises_or_is_given_up() -> None:
    assert limited.call(lambda: "answer", 60) == "answer"
    assert limited.call(lambda: None, 60) is None
    with pytest.raises(FileNotFoundError, match="of the call"):
        limited.call(_fail, 60)
    hangs = threading.Event()
    with pytest.raises(TimeoutError, match=r"within 0\.1 s"):
        limited.call(hangs.wait, 0.1)
    hangs.set()


def _fail() -> None:
    raise FileNotFoundError("of the call")


def test_a_lock_is_waited_for_and_given_up(tmp_path: Path) -> None:
    file = tmp_path / "lock"
    with file.open("a") as held, file.open("a") as waiting:
        limited.lock(held, 0)
        with pytest.raises(TimeoutError):
            limited.lock(waiting, 0.1)
        threading.Timer(0.3, held.close).start()
        limited.lock(waiting, 30)
