"""The whole stack of a project in a temporary folder, and what its commands say of it."""

from __future__ import annotations

import os
import sys
import time
from typing import Any

from components.core.paths import Paths
from flows import stack
from tests.project import Answer, Project

RECOVERED_WITHIN = 60  # seconds, with both cores of a small machine for the stack
RUNS = dict.fromkeys(stack.NAMES, "runs")
# A command as it runs after the wall clock was set: psutil's start times move with it.
STEPPED = """
import sys, time
from psutil import _pslinux
step, boot, now = float(sys.argv.pop(1)), _pslinux.boot_time, time.time
_pslinux.boot_time, time.time = lambda: boot() + step, lambda: now() + step
from flows.cli import main
sys.exit(main())
"""


class Stack:
    """The stack of one project, and what its commands say."""

    def __init__(self, project: Project) -> None:
        self.project, self.paths = project, Paths(project.root, project.home)

    def pids(self) -> dict[str, int]:
        """Ids of the first processes that live."""
        found = {name: stack.find(self.paths, name) for name in stack.NAMES}
        return {name: process.pid for name, process in found.items() if process}

    def status(self, step: float = 0) -> dict[str, str]:
        """What `newsloop status` says of each process, in a word.

        Args:
            step: seconds by which the clock was set.
        """
        said = self.stepped(step, "status", "--json").json
        return {name: _word(said, name) for name in stack.NAMES}

    def up(self) -> None:
        """One command that brings everything back, in time; others may have the cores too."""
        share = max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))
        begun = time.monotonic()
        answer = self.project.newsloop("up", "--json")
        assert answer.status == 0, answer.err[-3000:]
        assert time.monotonic() - begun < RECOVERED_WITHIN * share
        assert self.status() == RUNS

    def stepped(self, seconds: float, *arguments: str) -> Answer:
        return self.project.command(sys.executable, "-c", STEPPED, str(seconds), *arguments)


def _word(said: dict[str, Any], name: str) -> str:
    process, left = said["processes"][name], said["left_over"][name]
    if process is None:
        return f"left {len(left)}" if left else "dead"
    answers = {"server": said["prefect"]["answers"], "service": said["service"]["ready"]}
    return "stopped" if process["stopped"] else "runs" if answers.get(name, True) else "silent"
