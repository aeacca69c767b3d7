"""The exception tree. Each message says what was expected, what came, and what to do next."""

from __future__ import annotations

import errno
from typing import Any

NO_ROOM = "The disk is full or damaged: make room on it, or have it checked."
_RIGHTS = (
    "Give this user the right to read and write there; NEWSLOOP_HOME moves what newsloop keeps."
)
_REMEDIES = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT, errno.EIO), NO_ROOM),
    **dict.fromkeys((errno.EACCES, errno.EPERM, errno.EROFS), _RIGHTS),
}


def cause_and_remedy(error: OSError) -> str:
    """The end of a message about a file that cannot be read or written."""
    place = f" ({error.filename})" if error.filename else ""
    remedy = _REMEDIES.get(error.errno or 0, "See that it can be read and written.")
    return f"{error.strerror or error}{place}. {remedy}"


class NewsloopError(Exception):
    """Base of all errors that newsloop raises on purpose.

    Attributes:
        exit_status: what the command line exits with: 1 refused or failed, 2 wrong usage.
    """

    exit_status = 1


class ParamsError(NewsloopError):
    """params.yaml is missing, unreadable, or holds an unknown or ill-typed key."""

    exit_status = 2


class UsageError(NewsloopError):
    """A command was called in a way that cannot be meant."""

    exit_status = 2


class MissingPackage(NewsloopError):
    """A package that not everybody needs is not installed."""


class SourceError(NewsloopError):
    """A source of documents is missing, unreadable, or not what the snapshot pinned."""


class DataError(NewsloopError):
    """The documents cannot be learned from: none, one class, too many bad rows."""


class ScrubError(NewsloopError):
    """The scrubber could not do its work; nothing passes unscrubbed."""


class BundleError(NewsloopError):
    """A bundle is incomplete, altered, unsigned, or signed by another key."""


class LedgerError(NewsloopError):
    """The ledger cannot be reached, or does not hold what was asked for."""


class NoWayBack(LedgerError):
    """No earlier version may serve again."""


class ChampionChanged(LedgerError):
    """Another process changed the champion first."""


class NotReleased(NewsloopError):
    """A learning run ended without a release.

    Attributes:
        summary: what the run did, as flows.learning.Summary has it; None if it is unknown.
    """

    summary: dict[str, Any] | None = None


class GateRefused(NotReleased):
    """No candidate passed the gate; the champion stays."""


class RehearsalUndecided(NotReleased):
    """The rehearsal had no result, for a reason other than the candidate."""


class ReleaseError(NewsloopError):
    """A release could not be published; the champion stays."""


class GitError(ReleaseError):
    """Git is missing, refused, or ran past its time limit."""


class StackError(NewsloopError):
    """A server or process of the stack could not be started, reached or stopped."""


class LeakFound(NewsloopError):
    """An audit found personal data, or an erasure left something of its subject."""


class DrillFailed(NewsloopError):
    """A drill found a promise broken."""


class Busy(NewsloopError):
    """Another learning run holds the lock."""
