"""Keeps log lines of libraries off stderr: of TensorFlow's import, and of requests by httpx."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import sys
import tempfile
from collections.abc import Iterator

_NOISE = re.compile(r"WARNING: All log messages before absl|[IWE]0000 00:00:")
_STDERR = 2  # the file of the process; TensorFlow's C++ does not know sys.stderr


def quiet_http() -> None:
    """Suppresses httpx's lines: they hold complete URLs, whose queries may hold keys."""
    logging.getLogger("httpx").setLevel(logging.WARNING)


def is_noise(line: str) -> bool:
    """Tests if `line` is a log line of TensorFlow.

    >>> is_noise("I0000 00:00:1.2 3 cudart_stub.cc:31] Could not find cuda drivers"), is_noise("x")
    (True, False)
    """
    return bool(_NOISE.match(line))


@contextlib.contextmanager
def left_out() -> Iterator[None]:
    """Drops TensorFlow's lines from this process' stderr; writes other lines when `with` ends."""
    sys.stderr.flush()
    with tempfile.TemporaryFile() as captured:
        stderr = os.dup(_STDERR)
        os.dup2(captured.fileno(), _STDERR)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(stderr, _STDERR)
            os.close(stderr)
            captured.seek(0)
            for line in captured:
                if not is_noise(line.decode(errors="replace")):
                    os.write(_STDERR, line)
