"""Handles Ctrl-C, SIGTERM and SIGHUP: a command and its processes end within two seconds.

The first signal raises KeyboardInterrupt in the main thread, which unwinds: the Prefect server gets
the state, temporary files are removed. A second thread watches, since the main thread may be inside
C code that no Python handler interrupts. A process that has not unwound within `GRACE_SECONDS` ends
as if killed, together with its child processes; every command can resume after a kill.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import psutil

GRACE_SECONDS = 1.2  # of the two seconds; the rest is for ending child processes
_KICK_SECONDS = 0.1  # between two attempts to wake the main thread
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_STDERR = 2
_STATUS = 128  # plus the number of the signal, the convention of shells


@dataclass
class _State:
    """The interruption of this process."""

    installed: bool = False
    received: int | None = None
    raised: bool = False  # in the main thread
    keeps: str = "what was finished is kept; the same command can be given again"
    spared: set[int] = field(default_factory=set)
    announced: threading.Lock = field(default_factory=threading.Lock)  # locked by the first caller


_state = _State()


def install() -> None:
    """Handles the three signals from now on; an ignored signal (nohup) stays ignored."""
    if _state.installed:
        return
    _state.installed = True
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    for number in _SIGNALS:
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _raise)
    # Python writes the number as soon as the signal comes, also while C code runs.
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    threading.Thread(target=_watch, args=(reader,), name="interrupts", daemon=True).start()


def keeps(what: str) -> None:
    """Sets the second half of "interrupted; ...", such as "nothing is kept; ..."."""
    _state.keeps = what


def spare(process: int) -> None:
    """Lets the child `process`, a server, go on when this command is interrupted."""
    _state.spared.add(process)


def received() -> int | None:
    """Returns the signal that interrupted this process; None without an interruption."""
    return _state.received


def conclude() -> int:
    """Ends the child processes and prints the message; returns the exit status."""
    _announce()
    end(_children())
    return _STATUS + (_state.received or signal.SIGINT)


def end_tree(process: int) -> None:
    """Kills a process with all its descendants, in any session."""
    import psutil

    with contextlib.suppress(psutil.NoSuchProcess):
        root = psutil.Process(process)
        end([root, *root.children(recursive=True)])


def end(processes: Iterable[psutil.Process]) -> None:
    """Kills the processes and waits until they are gone."""
    import psutil

    processes = list(processes)
    for process in processes:
        with contextlib.suppress(psutil.Error):
            process.kill()
    psutil.wait_procs(processes, GRACE_SECONDS / 4)


def _raise(number: int, _: object) -> None:
    """Interrupts the main thread once: a second signal must not interrupt the unwinding."""
    _state.received = _state.received or number
    if not _state.raised:
        _state.raised = True
        raise KeyboardInterrupt


def _watch(reader: int) -> None:
    """Waits for the first signal; ends the process if the main thread does not."""
    while (number := os.read(reader, 1)[0]) not in _SIGNALS:
        continue  # another handler's
    _state.received = _state.received or number
    deadline = time.monotonic() + GRACE_SECONDS
    # Polars installs a C handler with SA_RESTART on import: a blocked read goes on, and Python's
    # handler waits for its end. Without the flag, the next signal interrupts the read.
    signal.siginterrupt(number, True)
    main = threading.main_thread().ident
    while time.monotonic() < deadline:
        # A library's own handler (Prefect's for SIGTERM) gets the first signal only.
        if not _state.raised and signal.getsignal(number) is _raise and main is not None:
            signal.pthread_kill(main, number)
        time.sleep(_KICK_SECONDS)
    _announce()
    end(_children())
    os._exit(_STATUS + number)


def _announce() -> None:
    """Prints the message once; not by sys.stderr, whose lock the main thread may hold."""
    if _state.announced.acquire(blocking=False):
        start = "\n" if os.isatty(_STDERR) else ""  # after the terminal's ^C, or a progress bar
        with contextlib.suppress(OSError):  # the terminal is gone
            os.write(_STDERR, f"{start}newsloop: interrupted; {_state.keeps}.\n".encode())


def _children() -> list[psutil.Process]:
    """Lists the descendants of this process, without the spared servers."""
    import psutil

    children = psutil.Process().children(recursive=True)
    spared = {
        process.pid
        for child in children
        if child.pid in _state.spared
        for process in (child, *child.children(recursive=True))
    }
    return [child for child in children if child.pid not in spared]
