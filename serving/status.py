"""The state of a running service, in a small file for the process that started it.

The log is for people; its wording and format may change. The file has a code that programs read and
a sentence that they may show.
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
FILE = "NEWSLOOP_STATUS_FILE"  # the environment variable with the path; unset: no file


class Code(StrEnum):
    SERVING = "serving"
    NO_VERSION = "no version"  # none was released yet
    REFUSED = "refused"  # the bundle cannot be loaded, and will not be unless it is replaced
    LEDGER_AWAY = "ledger away"  # so nobody knows which bundle to serve
    FAILED = "failed"  # an error that nobody foresaw


@dataclass(frozen=True)
class Status:
    """The state of a service.

    Attributes:
        code: of the state.
        reason: a sentence for people; empty while it serves.
        bundle: that the state is about, if it is about one.
    """

    code: Code
    reason: str = ""
    bundle: str | None = None


def writer(path: Path | None) -> Callable[[Status], None]:
    """A function that writes each state to `path`; one that does nothing where there is no path."""

    def write(status: Status) -> None:
        if path is None:
            return
        try:
            tables.write_json(asdict(status), path)
        except OSError as error:  # a full disk must not keep a model from serving
            LOG.error("Expected to write %s, got: %s.", path, error.strerror)

    return write


def read(path: Path) -> Status | None:
    """The state that was written last; None before the first one."""
    try:
        row = tables.read_json(path)
    except DataError:
        return None
    return Status(Code(row["code"]), row["reason"], row["bundle"])
