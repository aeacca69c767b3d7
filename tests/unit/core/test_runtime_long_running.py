"""Long-running processes are recognized without the wall clock, and ended with all they started."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from components.core import tables
from components.core.runtime import long_running
from tests.served import wait_for

NAME, URL = "service", "http://127.0.0.1:1"
# A supervisor whose worker leads a session of its own, as BentoML's does, and ignores SIGTERM.
SUPERVISOR = (
    "import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', "
    "'import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
    " print(1, flush=True); time.sleep(600)'], start_new_session=True); time.sleep(600)"
)


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A recorded process with one below it; what a test leaves of them is killed."""
    with subprocess.Popen(
        [sys.executable, "-c", SUPERVISOR], stdout=subprocess.PIPE,
        env=os.environ | long_running.environment(tmp_path, NAME),
    ) as process:  # fmt: skip
        assert process.stdout is not None
        process.stdout.readline()  # the worker is there
        long_running.record(tmp_path, NAME, process.pid, URL)
        yield process
        for left in long_running.members(tmp_path, NAME):
            left.kill()


@pytest.mark.parametrize("step", [1, -1, 86_400, -86_400])
def test_a_step_of_the_clock_changes_nothing(
    tmp_path: Path, supervisor: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    """The kernel counts from the boot; only the boot's time of day moves with the clock."""
    created = psutil.Process(supervisor.pid).create_time()
    boot = psutil.boot_time()
    monkeypatch.setattr("psutil._pslinux.boot_time", lambda: boot + step)
    assert psutil.Process(supervisor.pid).create_time() == pytest.approx(created + step, abs=0.1)
    process = long_running.find(tmp_path, NAME)
    assert process is not None
    assert (process.pid, process.url) == (supervisor.pid, URL)
    assert len(long_running.members(tmp_path, NAME)) == 2


@pytest.mark.parametrize("part", ["boot", "tick"])
def test_another_process_with_the_same_id_is_not_taken_for_ours(tmp_path: Path, part: str) -> None:
    boot, tick = str(long_running.start_of(os.getpid())).split(":")
    other = f"0{boot[1:]}x:{tick}" if part == "boot" else f"{boot}:{int(tick) + 1}"
    record = {"name": NAME, "pid": os.getpid(), "started": other, "url": URL}
    tables.write_json(record, tmp_path / f"{NAME}.json")
    assert long_running.find(tmp_path, NAME) is None
    assert long_running.members(tmp_path, NAME) == []


def test_the_exit_status_of_a_process_is_no_process() -> None:
    with subprocess.Popen(["true"]) as process:
        wait_for("a zombie", lambda: psutil.Process(process.pid).status() == psutil.STATUS_ZOMBIE)
        assert long_running.start_of(process.pid) is None
    assert long_running.start_of(process.pid) is None


def test_a_record_of_the_version_before_is_read(
    tmp_path: Path, supervisor: subprocess.Popen[bytes]
) -> None:
    created = psutil.Process(supervisor.pid).create_time()
    old = {"name": NAME, "pid": supervisor.pid, "created": created, "url": URL}
    tables.write_json(old, tmp_path / f"{NAME}.json")
    assert long_running.find(tmp_path, NAME) is not None
    tables.write_json({**old, "created": created - 5}, tmp_path / f"{NAME}.json")
    assert long_running.find(tmp_path, NAME) is None


def test_what_outlives_a_killed_process_is_listed_and_ended(
    tmp_path: Path, supervisor: subprocess.Popen[bytes]
) -> None:
    (_, worker) = long_running.members(tmp_path, NAME)
    assert long_running.members(tmp_path, "runner") == []
    assert long_running.members(tmp_path / "another", NAME) == []
    supervisor.kill()
    supervisor.wait()
    assert long_running.find(tmp_path, NAME) is None
    assert long_running.members(tmp_path, NAME) == [worker]
    assert os.getsid(worker.pid) == worker.pid
    assert long_running.end(tmp_path, NAME, seconds=0.5)  # it ignores SIGTERM
    assert not worker.is_running()
    assert not long_running.end(tmp_path, NAME)


@pytest.mark.usefixtures("supervisor")
def test_stopped_processes_are_named_go_on_and_can_be_ended(tmp_path: Path) -> None:
    first, worker = long_running.members(tmp_path, NAME)
    assert long_running.stopped([first, worker]) == []
    os.kill(worker.pid, signal.SIGSTOP)
    wait_for("it to stop", lambda: long_running.stopped([first, worker]) == [worker])
    assert long_running.wake([first, worker])
    assert long_running.stopped([first, worker]) == []
    for process in (first, worker):
        process.suspend()
    assert long_running.end(tmp_path, NAME, seconds=0.5)
    assert not first.is_running()
    assert not worker.is_running()
