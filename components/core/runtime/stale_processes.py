"""Processes that a killed learning run left behind.

Each child process that works on a project's data carries the project's folder in its environment,
and so do the children that it starts, whatever process group they are in. Who holds the learning
lock knows that a process with this mark belongs to a run that is gone.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import psutil

MARK = "NEWSLOOP_WORKS_IN"
_PATIENCE_SECONDS = 10  # for the kernel to take a killed process away


def marked(root: Path) -> dict[str, str]:
    """This process's environment with the mark of the project at `root`."""
    return {**os.environ, MARK: str(root)}


def find(roots: Sequence[Path]) -> list[psutil.Process]:
    """Living processes with the mark of one of the projects, without this one and its parents."""
    return list(_find({str(root) for root in roots}))


def end(roots: Sequence[Path]) -> list[str]:
    """Kills what `find` finds, until nothing is found; the command lines.

    A process may start another one while it is looked at: that one is found the next time.
    """
    ended = []
    while processes := find(roots):
        for process in processes:
            ended.append(_command(process))
            process.kill()
        psutil.wait_procs(processes, _PATIENCE_SECONDS)
    return ended


def _find(marks: set[str]) -> Iterator[psutil.Process]:
    ours = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
    for process in psutil.process_iter():
        if process.pid in ours:
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
