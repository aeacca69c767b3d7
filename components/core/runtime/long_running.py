"""Long-running processes: recognized, listed and ended, whatever died and whatever the clock says.

A process is recognized by the boot and the clock tick in which it started: a process id is given
again, and a start time moves with each step of the wall clock. What a process starts inherits its
mark by the environment, in any session, and keeps it when its parent has died.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil

from components.core import tables
from components.core.errors import DataError, StackError

MARK = "NEWSLOOP_PROCESS"  # environment variable: name and home
STOP_SECONDS = 30  # to finish what was begun, such as the answers to accepted requests
_KILL_SECONDS = 5  # for the kernel to remove what was killed
_ROUNDS = 4  # of kills: a process may start another one while it is looked for
_BOOT = Path("/proc/sys/kernel/random/boot_id")
_STARTED = 19  # place of the start tick in /proc/PID/stat, behind the name: see proc(5)


@dataclass(frozen=True)
class Process:
    """The first process of a name, which starts the others.

    Attributes:
        name: such as "service".
        pid: its process id.
        started: boot and tick of its start, see `start_of`.
        url: where it answers.
    """

    name: str
    pid: int
    started: str
    url: str

    def alive(self) -> bool:
        return start_of(self.pid) == self.started


def start_of(pid: int) -> str | None:
    """Identifies the start of a living process: boot id and clock tick since the boot.

    Returns:
        The identity; None if there is no such process, or only its exit status is left.
    """
    try:
        # The name, in brackets, may hold anything.
        fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
        return None if fields[0] in "ZX" else f"{_BOOT.read_text().strip()}:{fields[_STARTED]}"
    except OSError:
        return None if _BOOT.exists() else _start_elsewhere(pid)


def _start_elsewhere(pid: int) -> str | None:
    """As `start_of`, where the kernel keeps the start's time itself, such as macOS."""
    try:
        process = psutil.Process(pid)
        zombie = process.status() == psutil.STATUS_ZOMBIE
        return None if zombie else str(process.create_time())
    except psutil.NoSuchProcess:
        return None


def environment(folder: Path, name: str) -> dict[str, str]:
    """The mark of the processes of `name` whose record lies in `folder`."""
    return {MARK: f"{name} {folder.resolve()}"}


def record(folder: Path, name: str, pid: int, url: str) -> Process:
    """Writes down a process that was just started with the mark."""
    process = Process(name, pid, start_of(pid) or "ended", url)
    tables.write_json(asdict(process), folder / f"{name}.json")
    return process


def find(folder: Path, name: str) -> Process | None:
    """The recorded process of that name, if it lives."""
    try:
        fields = tables.read_json(folder / f"{name}.json")
        process = Process(**(_of_earlier_version(fields) if "created" in fields else fields))
    except (DataError, TypeError):
        return None
    return process if process.alive() else None


def _of_earlier_version(fields: dict[str, Any]) -> dict[str, Any]:
    """The record of a newsloop that went by the time of the start."""
    created = fields.pop("created")
    with contextlib.suppress(psutil.NoSuchProcess):
        if psutil.Process(fields["pid"]).create_time() == created:
            return {**fields, "started": start_of(fields["pid"])}
    return {**fields, "started": "ended"}


def members(folder: Path, name: str) -> list[psutil.Process]:
    """All living processes of that name, the recorded one first if it lives."""
    (mark,) = environment(folder, name).values()
    first = find(folder, name)
    group = {}
    if first is not None:
        with contextlib.suppress(psutil.NoSuchProcess):
            leader = psutil.Process(first.pid)
            group = {process.pid: process for process in (leader, *leader.children(recursive=True))}
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):  # it has ended, or is somebody else's
            if process.environ().get(MARK) == mark:
                group.setdefault(process.pid, process)
    group.pop(os.getpid(), None)
    return list(group.values())


def stopped(processes: Sequence[psutil.Process]) -> list[psutil.Process]:
    """Those of the processes that a signal (SIGSTOP, SIGTSTP) holds up."""
    return [process for process in processes if _status(process) == psutil.STATUS_STOPPED]


def wake(processes: Sequence[psutil.Process]) -> bool:
    """Lets stopped processes go on; True if there was one."""
    asleep = stopped(processes)
    for process in asleep:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(signal.SIGCONT)
    return bool(asleep)


def end(folder: Path, name: str, seconds: float = STOP_SECONDS) -> bool:
    """Ends all processes of that name: asked first, killed if they take longer than `seconds`.

    Only the first process is asked, which ends the others in order; all are, if it is dead.

    Returns:
        True if there was one.

    Raises:
        StackError: one lives on after SIGKILL, such as in a read from a network drive that is away.
    """
    first, group = find(folder, name), members(folder, name)
    for process in group:
        if first is None or process.pid == first.pid:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.terminate()
    wake(group)
    psutil.wait_procs(group, seconds)
    ended = bool(group)
    for _ in range(_ROUNDS):
        group = members(folder, name)
        for process in group:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(group, _KILL_SECONDS)
    if group := members(folder, name):
        raise StackError(
            f"Expected the {name} to end within {_ROUNDS * _KILL_SECONDS} s of SIGKILL, process "
            f"{group[0].pid} lives on. The kernel waits for a disk or a network drive: see that it "
            "answers, then run `newsloop down` again."
        )
    (folder / f"{name}.json").unlink(missing_ok=True)
    return ended


def _status(process: psutil.Process) -> str:
    try:
        return process.status()
    except psutil.NoSuchProcess:
        return psutil.STATUS_DEAD
