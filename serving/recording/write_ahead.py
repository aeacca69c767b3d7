"""Rows that were answered and are not in the ledger yet, in files that outlive a killed service.

A row waits a moment for others, since one transaction costs as much as a hundred rows. It is in the
kernel's memory meanwhile: written, not synced, so it survives the process, but no power cut. The
files have the spool's form: the next service moves what it finds to the spool, which delivers it.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from serving.recording import spool
from serving.recording.spool import Row

LOG = logging.getLogger("newsloop.serving")
SEGMENT_ROWS = 2_000  # of one file, 1 MB; a file goes when all its rows are in the ledger
_PRIVATE, _PRIVATE_FOLDER = 0o600, 0o700


@dataclass
class _Segment:
    """A file, and the numbers of the rows that it holds."""

    path: Path
    descriptor: int
    before: int  # rows that came before its first one
    last: int
    size: int = 0  # bytes


class WriteAhead:
    """Keeps rows until `done` says that they need no keeping; safe to share between threads.

    Rows are done in the order in which they were put. Where the disk takes none, rows are in this
    process's memory only, and the log says so once.

    Args:
        folder: where the files lie; made when it is needed.
        clock: nanoseconds, for the names, which sort as the rows came.
    """

    def __init__(self, folder: Path, clock: Callable[[], int] = time.time_ns) -> None:
        self._folder, self._clock = folder, clock
        self._lock = threading.Lock()
        self._segments: deque[_Segment] = deque()
        self._put = self._done = 0  # rows so far
        self._failed = False

    def put(self, table: str, rows: list[Row]) -> None:
        """Writes rows for `table`; they survive this process from now on."""
        line = spool.line(table, rows)
        with self._lock:
            self._put += len(rows)
            try:
                segment = self._writable(len(rows))
                _append(segment, line)
            except OSError as error:
                if not self._failed:
                    LOG.error("Rows are not kept ahead: %s. A kill loses some.", error.strerror)
                self._failed = True
            else:
                segment.last, self._failed = self._put, False

    def done(self, count: int) -> None:
        """Says that the oldest `count` rows have arrived, or are given up."""
        with self._lock:
            self._done += count
            while len(self._segments) > 1 and self._segments[0].last <= self._done:
                self._remove(self._segments.popleft())
            if self._segments and self._segments[0].last <= self._done:
                self._empty(self._segments[0])

    def close(self) -> None:
        """Lets go of the files; those with rows that did not arrive stay for the next service."""
        with self._lock:
            while self._segments:
                segment = self._segments.popleft()
                if segment.last <= self._done:
                    self._remove(segment)
                else:
                    os.close(segment.descriptor)

    def _writable(self, rows: int) -> _Segment:
        newest = self._segments[-1] if self._segments else None
        if newest is None or newest.last - newest.before >= SEGMENT_ROWS:
            self._folder.mkdir(mode=_PRIVATE_FOLDER, parents=True, exist_ok=True)
            path = self._folder / f"{self._clock():020d}-{os.getpid()}{spool.SUFFIX}"
            descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_APPEND, _PRIVATE)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            before = self._put - rows
            self._segments.append(_Segment(path, descriptor, before, before))
        return self._segments[-1]

    def _empty(self, segment: _Segment) -> None:
        """Uses the newest file again from its start: most of the time all rows have arrived."""
        with contextlib.suppress(OSError):
            os.ftruncate(segment.descriptor, 0)
            segment.size, segment.before = 0, segment.last

    @staticmethod
    def _remove(segment: _Segment) -> None:
        with contextlib.suppress(OSError):
            segment.path.unlink(missing_ok=True)
        os.close(segment.descriptor)


def _append(segment: _Segment, line: bytes) -> None:
    """Writes a line whole or not at all: a disk that fills up takes the beginning."""
    left = line
    try:
        while left:
            left = left[os.write(segment.descriptor, left) :]
    except OSError:
        os.ftruncate(segment.descriptor, segment.size)
        raise
    segment.size += len(line)


def adopt(folder: Path, into: Path) -> int:
    """Moves the files that killed services left to the spool `into`; how many.

    A file whose service lives is locked, and stays.
    """
    count = 0
    for path in sorted(folder.glob(f"*{spool.SUFFIX}")):
        with spool.locked(path) as file:
            if file is None:
                continue
            if not path.stat().st_size:
                path.unlink()
                continue
            into.mkdir(mode=_PRIVATE_FOLDER, parents=True, exist_ok=True)
            path.rename(into / path.name)
            count += 1
    return count
