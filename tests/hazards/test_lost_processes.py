"""Row 43 on the real stack: whatever is killed or stopped, `status` is true, and `up` mends it.

The tests tell one story on one stack, in the order of this file.
`benchmarks/operations/lost_processes.py` kills each process at random moments, with predictions and
labels sent meanwhile.
"""

from __future__ import annotations

import errno
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from components.core.runtime import long_running
from flows import stack
from serving.client import Client
from tests import tiny
from tests.project import Project
from tests.running_stack import RUNS, Stack
from tests.served import wait_for

NOBODY = 65534
# What a stranger may try to get the port of a dead server: its results, as errno.
STRANGER = """
import itertools, socket, sys
options = (socket.SO_REUSEADDR, socket.SO_REUSEPORT)
for host in ("127.0.0.1", "0.0.0.0", "::", "::ffff:127.0.0.1"):
    for chosen in itertools.product((0, 1), repeat=2):
        probe = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
        if ":" in host:
            probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        for option, value in zip(options, chosen):
            probe.setsockopt(socket.SOL_SOCKET, option, value)
        try:
            probe.bind((host, int(sys.argv[1])))
            print(0)
        except OSError as error:
            print(error.errno)
        probe.close()
"""


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    project = Project(tmp_path_factory.mktemp("lost") / "project", per_class=3)
    made = Stack(project)
    tiny.make_champion(made.paths)
    try:
        # Two at once, as two people do it: each process is started once.
        command = [sys.executable, "-m", "flows.cli", "up", "--json"]
        both = [
            subprocess.Popen(command, cwd=project.root, env=project.environment(),
                             stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
            for _ in range(2)
        ]  # fmt: skip
        for process in both:
            errors = process.communicate(timeout=240)[1]
            assert process.returncode == 0, errors[-3000:]
        yield made
    finally:
        project.newsloop("down")


def test_two_commands_at_once_start_each_process_once(ours: Stack) -> None:
    # Supervisor, worker and its scrubber; a second one would be marked as well.
    count = {name: len(long_running.members(ours.paths.processes, name)) for name in stack.NAMES}
    assert count == {"server": 1, "runner": 1, "service": 3}
    assert ours.status() == RUNS


@pytest.mark.parametrize("seconds", [1, -86_400])
def test_a_step_of_the_clock_changes_nothing(ours: Stack, seconds: float) -> None:
    before = ours.pids()
    said = ours.stepped(seconds, "status", "--json").json["processes"]
    assert {name: process and process["pid"] for name, process in said.items()} == before


def test_up_after_a_step_of_the_clock_starts_nothing(ours: Stack) -> None:
    before = ours.pids()
    assert ours.stepped(86_400, "up", "--json").status == 0
    assert ours.pids() == before
    assert ours.status() == RUNS


def test_stopped_processes_go_on(ours: Stack) -> None:
    before = ours.pids()
    for name in stack.NAMES:
        for process in long_running.members(ours.paths.processes, name):
            process.suspend()
    assert ours.status() == dict.fromkeys(stack.NAMES, "stopped")
    ours.up()
    assert ours.pids() == before


def test_a_killed_worker_comes_back_by_itself(ours: Stack) -> None:
    _, *below = long_running.members(ours.paths.processes, stack.SERVICE)
    for process in below:
        process.kill()
    assert ours.status() == RUNS | {"service": "silent"}
    with Client(ours.project.service) as client:
        wait_for("a new worker", client.ready)


def test_whatever_is_killed_up_takes_over(ours: Stack) -> None:
    _, worker, scrubber = long_running.members(ours.paths.processes, stack.SERVICE)
    for pid in ours.pids().values():
        os.kill(pid, signal.SIGKILL)
    assert ours.status() == {"server": "dead", "runner": "dead", "service": "left 2"}
    ours.up()
    assert not worker.is_running()
    assert not scrubber.is_running()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may start a process of another user")
def test_while_the_runner_lives_nobody_gets_the_port_of_a_dead_server(ours: Stack) -> None:
    """The runner's next request carries the password to whoever listens there."""
    port = urlsplit(ours.project.server).port
    os.kill(ours.pids()["server"], signal.SIGKILL)
    wait_for("its end", lambda: "server" not in ours.pids())
    assert ours.pids().keys() == {"runner", "service"}
    python = "/usr/bin/python3" if Path("/usr/bin/python3").exists() else sys.executable
    tried = subprocess.run(
        [python, "-c", STRANGER, str(port)], user=NOBODY, group=NOBODY, extra_groups=[], cwd="/",
        capture_output=True, text=True, check=True,
    ).stdout.split()  # fmt: skip
    assert tried == [str(errno.EADDRINUSE)] * 16
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) == errno.ECONNREFUSED


def test_down_ends_what_was_left_over(ours: Stack) -> None:
    os.kill(ours.pids()["service"], signal.SIGKILL)
    assert ours.status() == {"server": "dead", "runner": "runs", "service": "left 2"}
    assert ours.project.newsloop("down", "--json").json["ended"] == ["service", "runner"]
    assert [long_running.members(ours.paths.processes, name) for name in stack.NAMES] == [[]] * 3
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", urlsplit(ours.project.service).port))
    assert ours.status() == dict.fromkeys(stack.NAMES, "dead")
