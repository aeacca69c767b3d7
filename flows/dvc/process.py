"""DVC in a separate process that runs one command after the other.

Importing DVC takes longer than most commands, so a caller of several commands keeps the process.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import re
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextvars import ContextVar
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import IO

from components.core.errors import NewsloopError
from components.core.paths import Paths
from components.core.runtime import imports, stale_processes
from components.core.runtime.noise import is_noise
from components.core.scrub.pseudonyms import redact

_ALIASES = Path(__file__).parent / "aliases"  # a folder for each package
_ERROR = "error: "  # start of a stage's paragraph, see core/stage.py
_GRACE_SECONDS = 10  # between asking a stage to end and ending it
STAGE_SECONDS = 7 * 24 * 3600.0  # of one stage: one that takes longer than a week hangs
REMOTE_SECONDS = 3600.0  # the default of release.remote_minutes
LOCAL_SECONDS = 3600.0  # of a local command: a checkout of 100 GB from a slow disk
_LIMITS = {"repro": STAGE_SECONDS, "pull": REMOTE_SECONDS}
_OVER = b"\0"  # ends a command's output, on both streams; on stdout its status follows
_STATUS = re.compile(rb"\0(\d+)\n\Z")
_READ = 65536  # bytes at a time
_POLL_SECONDS = 0.2  # timeout of one wait for output
_INTERRUPTED = 128 + signal.SIGINT
_SHARED: ContextVar[Dvc | None] = ContextVar("_SHARED", default=None)


class StageFailed(NewsloopError):
    """Failure of a stage; the message is the stage's own paragraph."""


def missing_aliases() -> list[str]:
    """Returns folders with the metadata of packages that are not installed.

    Stages of releases up to 0.2 ask for the versions of packages that requirements.txt no longer
    holds, and import none of them: `tensorflow` comes from the package tensorflow-cpu.
    """
    aliases = []
    for folder in sorted(_ALIASES.iterdir()):
        try:
            distribution(folder.name)
        except PackageNotFoundError:
            aliases.append(str(folder))
    return aliases


@contextlib.contextmanager
def shared(paths: Paths) -> Iterator[None]:
    """Runs all commands for this project inside the context in one process."""
    with Dvc(paths) as dvc:
        token = _SHARED.set(dvc)
        try:
            yield
        finally:
            _SHARED.reset(token)


def ask(paths: Paths, *arguments: str, seconds: float | None = None) -> str:
    """Runs `dvc ARGUMENTS` in the project; returns its output. A stage's progress goes to stderr.

    Args:
        seconds: time limit; None: that of the command. After it DVC and its stage are ended.

    Raises:
        StageFailed: with the last error paragraph, a stage's own before DVC's; or it was late.
    """
    limit = seconds or _LIMITS.get(arguments[0], LOCAL_SECONDS)
    dvc = _SHARED.get()
    if dvc is not None and dvc.root == paths.root:
        return dvc.ask(arguments, limit)
    with Dvc(paths) as once:
        return once.ask(arguments, limit)


class Dvc:
    """DVC process of one project. It leads a process group, so that its children end with it.

    Attributes:
        root: folder of the project.
    """

    def __init__(self, paths: Paths) -> None:
        self.root = paths.root
        self._env = {
            **stale_processes.marked(paths.root),
            "NEWSLOOP_HOME": str(paths.home),
            "NEWSLOOP_CHECKOUT": str(paths.sources),
        }
        # A stage's `python` must be this one, also without an activated environment.
        path = self._env.get("PATH", "")
        self._env["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{path}"
        self._env["PYTHONPATH"] = os.pathsep.join(
            [*filter(None, [self._env.get("PYTHONPATH")]), *missing_aliases()]
        )
        if sys.stderr.isatty():
            self._env["NEWSLOOP_WATCHED"] = "1"
        self._running: _Running | None = None

    def __enter__(self) -> Dvc:
        return self

    def __exit__(self, *error: object) -> None:
        self.end()

    def end(self) -> None:
        """Ends the process and its children; the next command starts a new process."""
        if self._running:
            self._running.end()
            self._running = None

    def ask(self, arguments: Sequence[str], seconds: float = LOCAL_SECONDS) -> str:
        """Runs one command; see the function `ask`."""
        self._running = self._running or _Running(self.root, self._env)
        try:
            answer, paragraph, status = self._running.ask(["--wait-for-lock", *arguments], seconds)
        except TimeoutError:
            self.end()
            raise StageFailed(
                f"Expected `dvc {' '.join(arguments)}` to end within {seconds / 60:g} minutes in "
                f"{self.root}, it did not and was ended. Check the disk and DVC's remote, and run "
                "again: finished work is not repeated."
            ) from None
        except BaseException:
            self.end()
            raise
        if status < 0:  # DVC itself was killed
            self.end()
        if status in (-signal.SIGINT, _INTERRUPTED):
            raise KeyboardInterrupt
        if status:
            raise StageFailed(
                paragraph
                or f"Expected `dvc {' '.join(arguments)}` to work, it exited with {status}."
            )
        return answer


class _Running:
    def __init__(self, root: Path, env: dict[str, str]) -> None:
        # A pipe for the commands, because every stage inherits stdin.
        reader, writer = os.pipe()
        self._process = subprocess.Popen(
            [*imports.dvc_server(), str(reader)], cwd=root, env=env, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, pass_fds=(reader,),
            start_new_session=True,
        )  # fmt: skip
        os.close(reader)
        self._commands = os.fdopen(writer, "w", encoding="utf-8")
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        self._stdout: IO[bytes] = self._process.stdout
        self._paragraphs: queue.SimpleQueue[str] = queue.SimpleQueue()
        relay = (self._process.stderr, self._paragraphs)
        self._relay = threading.Thread(target=_relay, args=relay, daemon=True)
        self._relay.start()

    def ask(self, arguments: Sequence[str], seconds: float) -> tuple[str, str, int]:
        """Standard output, the last error paragraph and the exit status of a command.

        The status is below 0 where DVC itself has ended.

        Raises:
            TimeoutError: it did not end within the limit.
        """
        deadline = time.monotonic() + seconds
        with contextlib.suppress(BrokenPipeError):  # it has ended: its status says how
            self._commands.write(json.dumps(arguments) + "\n")
            self._commands.flush()
        answer = b""
        poll = select.poll()  # select() fails in a process with many open files
        poll.register(self._stdout, select.POLLIN)
        while not (over := _STATUS.search(answer)):
            # Short waits, because Python runs signal handlers between two calls.
            while not poll.poll(_POLL_SECONDS * 1000):
                if time.monotonic() > deadline:
                    raise TimeoutError
            more = os.read(self._stdout.fileno(), _READ)
            if not more:
                break
            answer += more
        status = int(over[1]) if over else -abs(self._ended() or 1)
        try:
            paragraph = self._paragraphs.get(timeout=_GRACE_SECONDS)
        except queue.Empty:  # what outlived DVC holds its stderr
            paragraph = ""
        return answer[: over.start() if over else None].decode(errors="replace"), paragraph, status

    def _ended(self) -> int:
        """The exit status of a DVC that has closed its output."""
        try:
            return self._process.wait(_GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            return 0

    def end(self) -> None:
        """Ends DVC and the stage below it, because a stage that outlives DVC goes on writing."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(_GRACE_SECONDS)
        self._relay.join(_GRACE_SECONDS)
        self._stdout.close()
        with contextlib.suppress(BrokenPipeError):
            self._commands.close()


def _relay(stream: IO[bytes], paragraphs: queue.SimpleQueue[str]) -> None:
    """Forwards a stage's progress, and queues each command's last error, else DVC's own."""
    line, paragraph, of_stage = b"", "", False
    with stream:
        while byte := stream.read(1):
            if byte == _OVER:
                paragraphs.put(paragraph)
                line, paragraph, of_stage = b"", "", False
                continue
            line += byte
            if byte not in b"\r\n":
                continue
            text = line.decode(errors="replace").strip()
            if text.startswith(_ERROR):
                paragraph, of_stage = redact(text.removeprefix(_ERROR)), True
            elif text.startswith("ERROR:"):
                if not of_stage:
                    paragraph = redact(text.removeprefix("ERROR:").strip())
            elif text and not is_noise(text):
                sys.stderr.write(line.decode(errors="replace"))
                sys.stderr.flush()
            line = b""
    paragraphs.put(paragraph)
