"""Finds and kills processes that a killed learning run left behind.

Each child process that works on a project's data has the project's folder in its environment, and
so have its own children, in any process group. For the holder of the learning lock, a process with
this mark belongs to a dead run.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import psutil

from components.core.errors import NewsloopError

MARK = "NEWSLOOP_WORKS_IN"
_PATIENCE_SECONDS = 10  # for the kernel to remove a killed process
_ROUNDS = 5  # of kills: a process may start another one during the search


def marked(root: Path) -> dict[str, str]:
    """Returns this process's environment with the mark of the project at `root`."""
    return {**os.environ, MARK: str(root)}


def find(roots: Sequence[Path]) -> list[psutil.Process]:
    """Lists live processes with the mark of a project, without this process and its parents."""
    return list(_find({str(root) for root in roots}))


def end(roots: Sequence[Path]) -> list[str]:
    """Kills the processes of `find` until there is none; returns their command lines.

    The loop also kills a process that started during the previous search.

    Raises:
        NewsloopError: one lives on, such as in a read from a network drive that is away.
    """
    ended: list[str] = []
    for _ in range(_ROUNDS):
        if not (processes := find(roots)):
            return ended
        for process in processes:
            ended.append(_command(process))
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(processes, _PATIENCE_SECONDS)
    raise NewsloopError(
        f"Expected process {processes[0].pid} of an earlier run to end within "
        f"{_ROUNDS * _PATIENCE_SECONDS} s of SIGKILL, it lives on. The kernel waits for a disk or "
        "a network drive: see that it answers, then run again."
    )


def _find(marks: set[str]) -> Iterator[psutil.Process]:
    ancestry = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
    for process in psutil.process_iter():
        if process.pid in ancestry:
            continue
        try:
            if process.environ().get(MARK) in marks:
                yield process
        except (psutil.Error, OSError):  # it has ended, or belongs to somebody else
            continue


def _command(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline()[:4])
    except psutil.Error:
        return f"process {process.pid}"
