"""Ctrl-C, SIGTERM and a closed terminal end each command within two seconds, with a message.

The signal comes as it does to a person: Ctrl-C and the hangup from a pseudo-terminal to its
foreground process group, SIGTERM to the process alone.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import select
import signal
import struct
import sys
import termios
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import psutil
import pytest

from components import ingest, snapshot
from components.core import params as parameters
from components.core import tables
from components.core.paths import Paths
from components.core.runtime import stale_processes
from flows import stack
from tests import tiny
from tests.project import LABELS, QUICKEST, Project, empty_database

LIMIT_SECONDS = 2.0
PATIENCE_SECONDS = 240  # until a command is at the work in which it is interrupted
INT, TERM, HUP = signal.SIGINT, signal.SIGTERM, signal.SIGHUP
LONG = 100_000  # epochs: no command of these ends by itself
NEWSLOOP = (sys.executable, "-m", "flows.cli")
# This environment is installed already, whatever the times of its files.
MAKE = ("make", f"VENV={sys.prefix}", "-o", f"{sys.prefix}/.installed", "run")


@dataclass
class Ended:
    """An interrupted command.

    Attributes:
        status: its exit status, below 0 for a signal.
        printed: on the terminal.
        seconds: from the signal until the command and its child processes were gone.
        serving: the servers of the stack that go on.
    """

    status: int
    printed: str
    seconds: float
    serving: set[str]


class Terminal:
    """A command as the foreground process group of a new pseudo-terminal."""

    def __init__(self, command: tuple[str, ...], project: Project, home: Path) -> None:
        self._ours, theirs = pty.openpty()
        fcntl.ioctl(self._ours, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 200, 0, 0))

        def foreground() -> None:
            os.setsid()
            fcntl.ioctl(theirs, termios.TIOCSCTTY, 0)

        self._servers = Paths(project.root, home)
        self._process = psutil.Popen(
            command, cwd=project.root, stdin=theirs, stdout=theirs, stderr=theirs,
            env=project.environment(NEWSLOOP_HOME=str(home), PYTHONPATH=str(project.root)),
            preexec_fn=foreground,
        )  # fmt: skip
        os.close(theirs)
        self.printed = ""

    def read(self) -> None:
        """Takes what is printed within a moment."""
        while select.select([self._ours], [], [], 0.05)[0]:
            try:
                more = os.read(self._ours, 65536)
            except OSError:  # EIO: nobody has the terminal open any more
                time.sleep(0.05)
                return
            self.printed += more.decode(errors="replace")

    def wait_for(self, text: str) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while text not in self.printed:
            assert self._process.poll() is None, self.printed[-3000:]
            assert time.monotonic() < deadline, self.printed[-3000:]
            self.read()

    def send(self, number: signal.Signals) -> Ended:
        """Sends the signal as it comes to a person, and waits for the end."""
        below = self._process.children(recursive=True)
        sent = time.monotonic()
        if number == signal.SIGINT:
            os.write(self._ours, b"\x03")  # the terminal makes it a signal to the group
        elif number == signal.SIGHUP:
            os.killpg(self._process.pid, number)
        else:
            self._process.send_signal(number)
        while self._process.poll() is None or self._left(below):
            assert time.monotonic() < sent + 10 * LIMIT_SECONDS, (self._left(below), self.printed)
            self.read()
        seconds = time.monotonic() - sent
        self.read()
        return Ended(self._process.returncode, self.printed, seconds, set(self._serving()))

    def close(self) -> None:
        os.close(self._ours)
        if self._process.poll() is None:
            for process in (*self._process.children(recursive=True), self._process):
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.kill()
            self._process.wait()

    def _serving(self) -> dict[str, int]:
        """The stack's servers that live, with their process ids."""
        names = (stack.SERVER, stack.RUNNER, stack.SERVICE)
        found = {name: stack.find(self._servers, name) for name in names}
        return {name: process.pid for name, process in found.items() if process}

    def _left(self, below: list[psutil.Process]) -> list[psutil.Process]:
        """The child processes that work on, without the stack's servers."""
        spared = set(self._serving().values())
        left = []
        for child in below:
            with contextlib.suppress(psutil.NoSuchProcess):
                ancestors = {child.pid, *(parent.pid for parent in child.parents())}
                if child.status() != psutil.STATUS_ZOMBIE and not ancestors & spared:
                    left.append(child)
        return left


def interrupt(
    command: tuple[str, ...], until: str, number: signal.Signals, project: Project, home: Path
) -> Ended:
    """Starts the command, and sends the signal when it has printed `until`."""
    terminal = Terminal(command, project, home)
    try:
        terminal.wait_for(until)
        ended = terminal.send(number)
    finally:
        terminal.close()
    assert re.search(r"(?m)^newsloop: interrupted; .+; the same command .+\.\r$", ended.printed)
    assert "Traceback" not in ended.printed, ended.printed
    assert ended.printed.count("interrupted; ") == 1, ended.printed
    assert ended.seconds < LIMIT_SECONDS, ended.printed
    return ended


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Project, Ended]]:
    """A project with a split, and its `newsloop run` that was interrupted in training."""
    project = Project(tmp_path_factory.mktemp("interrupted") / "project", 12)
    project.settle(
        {
            **QUICKEST,
            "train.epochs": LONG,
            "train.patience": LONG,
            "tune.space.textcnn": {"dropout": {"low": 0.2, "high": 0.7}},
        }
    )
    yield project, interrupt((*NEWSLOOP, "run"), "epoch 2/", INT, project, project.home)
    project.newsloop("down")


def test_a_run_ends_in_training(trained: tuple[Project, Ended]) -> None:
    _, ended = trained
    assert ended.status == 130
    assert "finished stages and epochs are kept; the same command goes on" in ended.printed
    assert ended.serving == {stack.SERVER}


@pytest.mark.parametrize(
    ("command", "number", "statuses"),
    [
        # Make prints its own line and then ends by the signal itself, which shells show as 130.
        (MAKE, INT, {-INT, 130}),
        (MAKE, TERM, {-TERM, 143}),
        ((*NEWSLOOP, "run"), TERM, {143}),
        ((*NEWSLOOP, "run"), HUP, {129}),
    ],
    ids=["make-int", "make-term", "run-term", "run-hup"],
)  # fmt: skip
def test_the_same_command_goes_on_and_ends_as_well(
    trained: tuple[Project, Ended],
    command: tuple[str, ...],
    number: signal.Signals,
    statuses: set[int],
) -> None:
    """It is interrupted again when it has found the checkpoint; ingest is not repeated."""
    project, _ = trained
    ended = interrupt(command, "train: resumes after epoch", number, project, project.home)
    assert ended.status in statuses, ended.printed
    assert "ingest:" not in ended.printed


@pytest.mark.parametrize("number", [INT, TERM])
@pytest.mark.parametrize("command", [("tune", "--trials", "9"), ("evaluate", "--folds", "2")])
def test_experiments_end_in_training(
    trained: tuple[Project, Ended], command: tuple[str, ...], number: signal.Signals
) -> None:
    project, _ = trained
    ended = interrupt((*NEWSLOOP, *command), "epoch 1/", number, project, project.home)
    assert ended.status == 128 + number


@pytest.fixture(scope="module")
def released(
    trained: tuple[Project, Ended], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Project, Path]:
    """The project with another home, in which a tiny model serves; no server runs."""
    project, _ = trained
    project.newsloop("down")
    home = tmp_path_factory.mktemp("released") / "home"
    empty_database(home)
    paths = Paths(project.root, home)
    tiny.make_champion(paths)
    counts = {label: 300 if label == "tech" else 160 for label in LABELS}
    rows = [
        {"text": f"article {i} about {label}", "label": label}
        for label, count in counts.items()
        for i in range(count)
    ]
    pl.DataFrame(rows).write_csv(project.root / "moving.csv")
    source = {"name": "moving", "kind": "csv", "path": "moving.csv"}
    project.settle({"ingest.sources": [source]})
    params = parameters.load(paths.params)
    snapshot.run(params, paths, None)
    documents = ingest.read(params, paths)
    table = pl.DataFrame(
        [{"id": d.id, "text": d.text, "label": d.label} for _, found in documents for d in found]
    )
    tables.write_table(table, paths.ingested / "documents.parquet")
    pl.DataFrame({"text": ["the bank of today"] * 10 * LONG}).write_csv(project.root / "in.csv")
    return project, home


@pytest.mark.parametrize("number", [INT, TERM])
def test_predict_ends_and_writes_nothing(
    released: tuple[Project, Path], number: signal.Signals
) -> None:
    project, home = released
    command = (*NEWSLOOP, "predict", "in.csv", "out.csv")
    ended = interrupt(command, "predict: ", number, project, home)
    assert ended.status == 128 + number
    assert not list(project.root.glob("*out.csv*"))


@pytest.mark.parametrize("number", [INT, TERM])
def test_the_demo_ends_with_its_sandbox(
    released: tuple[Project, Path], number: signal.Signals
) -> None:
    project, home = released
    ended = interrupt((*NEWSLOOP, "demo"), "Prefect server ...", number, project, home)
    assert ended.status == 128 + number
    assert stale_processes.find([home / "demo"]) == []


def test_up_ends_while_it_waits_and_leaves_what_answers(released: tuple[Project, Path]) -> None:
    project, home = released
    ended = interrupt((*NEWSLOOP, "up"), "Prefect server ...", TERM, project, home)
    assert (ended.status, ended.serving) == (143, set())
    try:
        ended = interrupt((*NEWSLOOP, "up"), "deployments ...", INT, project, home)
        assert (ended.status, ended.serving) == (130, {stack.SERVER})
    finally:
        project.newsloop("down", NEWSLOOP_HOME=str(home))
