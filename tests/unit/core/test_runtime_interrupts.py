"""Signals to a process that hears none: a restarted read, C code that does not return."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

import psutil
import pytest

from components.core.runtime.interrupts import GRACE_SECONDS

START = """
import ctypes, os, subprocess, sys
from components.core.runtime import interrupts
interrupts.install()
interrupts.keeps("a test is kept")
import polars  # its SIGINT handler lets a read go on
null = subprocess.DEVNULL
command = ["sleep", "60"]
children = [
    subprocess.Popen(command, start_new_session=True, stdout=null, stderr=null) for _ in range(2)
]
interrupts.spare(children[1].pid)
print(*(child.pid for child in children), flush=True)
try:
    {work}
except KeyboardInterrupt:
    sys.exit(interrupts.conclude())
"""
READ = "os.read(os.pipe()[0], 1)"
# Holds the only lock that it waits for: C code which Python's handlers do not end.
STUCK = """libc = ctypes.CDLL(None)
    lock = ctypes.create_string_buffer(64)
    libc.pthread_mutex_lock(lock)
    libc.pthread_mutex_lock(lock)"""


@pytest.mark.parametrize(
    ("work", "number", "at_once"),
    [
        (READ, signal.SIGINT, True),
        (READ, signal.SIGTERM, True),
        (READ, signal.SIGHUP, True),
        (STUCK, signal.SIGINT, False),
    ],
    ids=["read-int", "read-term", "read-hup", "c-code"],
)
def test_it_ends_with_its_children_but_not_with_a_server(
    work: str, number: signal.Signals, at_once: bool
) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", START.format(work=work)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    child, server = (psutil.Process(int(pid)) for pid in process.stdout.readline().split())
    time.sleep(0.3)  # until it is inside the work
    try:
        sent = time.monotonic()
        process.send_signal(number)
        _, printed = process.communicate(timeout=20)
        seconds = time.monotonic() - sent
        assert (process.returncode, printed) == (
            128 + number, "newsloop: interrupted; a test is kept.\n",
        )  # fmt: skip
        assert seconds < (GRACE_SECONDS if at_once else 2.0)
        assert not child.is_running()
        assert server.is_running()
    finally:
        server.kill()
        process.kill()


def test_an_ignored_signal_stays_ignored() -> None:
    """As `nohup newsloop run` asks for."""
    code = (
        "import signal; from components.core.runtime import interrupts; interrupts.install(); "
        "print(signal.getsignal(signal.SIGHUP) == signal.SIG_IGN)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True,
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN),
    )  # fmt: skip
    assert done.stdout == "True\n"
