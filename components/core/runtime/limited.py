"""Calls to other processes and servers that end, whatever the other side does."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, TypeVar

T = TypeVar("T")
_LOOK_EVERY = 0.2  # seconds between two tries to get a lock
_GONE_SECONDS = 5.0  # for the last output of processes that were killed


def run(
    command: Sequence[str], folder: Path, env: Mapping[str, str], seconds: float
) -> tuple[int, str, str]:
    """Runs a command that asks nobody; returns its exit status, output and errors.

    It leads a session: it has no terminal to ask at, and whatever ends the call early also kills
    what the command started (ssh, a helper).

    Raises:
        OSError: it cannot be started.
        subprocess.TimeoutExpired: it did not end within the limit, and was killed.
    """
    process = subprocess.Popen(
        command, cwd=folder, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, errors="replace", start_new_session=True,
    )  # fmt: skip
    try:
        output, errors = process.communicate(timeout=seconds)
    except BaseException:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        with contextlib.suppress(subprocess.TimeoutExpired):  # somebody else holds its pipes
            process.communicate(timeout=_GONE_SECONDS)
        raise
    return process.returncode, output, errors


def call(work: Callable[[], T], seconds: float) -> T:
    """Returns what `work` returns, for libraries whose own calls may wait for ever.

    It runs in a thread of its own, which is left behind if it is late: nothing ends a thread from
    outside. The process does not wait for it when it ends.

    Raises:
        TimeoutError: it did not end within the limit.
        BaseException: whatever `work` raises.
    """
    results: list[T] = []
    errors: list[BaseException] = []

    def keep() -> None:
        try:
            results.append(work())
        except BaseException as error:  # noqa: BLE001 - the caller raises it
            errors.append(error)

    thread = threading.Thread(target=keep, name="limited call", daemon=True)
    thread.start()
    thread.join(seconds)
    if errors:
        raise errors[0]
    if not results:
        raise TimeoutError(f"no answer within {seconds:g} s")
    return results[0]


def lock(file: IO[Any], seconds: float) -> None:
    """Takes the exclusive lock (flock) of an open file; it ends when the file is closed.

    Raises:
        TimeoutError: another process holds it for longer.
    """
    deadline = time.monotonic() + seconds
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise TimeoutError(f"the lock is held for {seconds:g} s") from None
            time.sleep(_LOOK_EVERY)
        else:
            return
