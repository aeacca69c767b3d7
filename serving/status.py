"""State of a running service, in a small file for the process that started it.

The log is for people, and its wording may change. The file has a code for programs, and a sentence
that they may print.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path

from components.core import tables
from components.core.errors import DataError

LOG = logging.getLogger("newsloop.serving")
FILE = "NEWSLOOP_STATUS_FILE"  # environment variable with the path; unset: no file


class Code(StrEnum):
    SERVING = "serving"
    NO_VERSION = "no version"  # before the first release
    REFUSED = "refused"  # the bundle cannot be loaded; only another file or bundle helps
    LEDGER_AWAY = "ledger away"  # the champion is unknown
    NO_MEMORY = "no memory"  # of the machine, for the bundle
    FAILED = "failed"  # an unexpected error


@dataclass(frozen=True)
class Status:
    """State of a service.

    Attributes:
        code: code of the state.
        reason: a sentence for people; empty for SERVING.
        bundle: bundle that serves or was refused; None for the other codes.
    """

    code: Code
    reason: str = ""
    bundle: str | None = None


def writer(path: Path | None) -> Callable[[Status], None]:
    """Returns a function that writes each state to `path`; without a path it does nothing."""

    def write(status: Status) -> None:
        if path is None:
            return
        try:
            tables.write_json(asdict(status), path)
        except OSError as error:  # a full disk must not keep a model from serving
            LOG.error("Expected to write %s, got: %s.", path, error.strerror)

    return write


def read(path: Path) -> Status | None:
    """Reads the last state; None before the first one."""
    try:
        row = tables.read_json(path)
    except DataError:
        return None
    return Status(Code(row["code"]), row["reason"], row["bundle"])
