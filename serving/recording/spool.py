"""Spool: rows that wait on disk, in their order, while the ledger is away.

A segment is a file of JSON Lines, one batch of rows a line; it is named by its time, so that names
sort as the rows came. Each line is on the disk (fsync) before `put` returns. Rows are delivered
from the oldest segment on, also those that a service left which was killed: a segment belongs to
whoever holds its lock (flock), which ends with its process. Only scrubbed texts come here.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

import orjson

LOG = logging.getLogger("newsloop.serving")
Row = dict[str, Any]
SUFFIX = ".jsonl"
SEGMENT_BYTES = 4 * 2**20  # of one file: what is delivered and removed at once
_PRIVATE_FOLDER, _TIME = 0o700, "$time"
_OPTIONS = orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_APPEND_NEWLINE  # times: by _encode


class SpoolFull(Exception):
    """No room: the disk is full or broken, or the spool has its largest size."""


class Spool:
    """Keeps rows until they are delivered; for one thread at a time (the caller's lock).

    Args:
        folder: where the segments lie; made when it is needed.
        max_bytes: of all segments.
        segment_bytes: of one.
        clock: nanoseconds, for the names.
    """

    def __init__(
        self,
        folder: Path,
        max_bytes: int,
        segment_bytes: int = SEGMENT_BYTES,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        self._folder, self._max_bytes = folder, max_bytes
        self._segment_bytes, self._clock = segment_bytes, clock
        self._open: BinaryIO | None = None

    @property
    def bytes(self) -> int:
        """Bytes on disk now."""
        return sum(size for _, size in self._segments())

    def put(self, table: str, rows: list[Row]) -> None:
        """Appends rows for `table`.

        Raises:
            SpoolFull: nothing was kept; a line that was begun is taken back.
        """
        written = line(table, rows)
        size = self.bytes
        if size + len(written) > self._max_bytes:
            raise SpoolFull(f"it holds {size} bytes of {self._max_bytes}")
        try:
            file = self._writable()
            before = file.tell()
            try:
                _write_all(file, written)
                os.fsync(file.fileno())
            except OSError:
                file.truncate(before)
                file.seek(before)
                raise
        except OSError as error:
            raise SpoolFull(str(error.strerror)) from error
        if file.tell() >= self._segment_bytes:
            self._end()

    def deliver(self, give: Callable[[str, list[Row]], bool]) -> bool:
        """Gives the rows of the oldest segment, and removes it once all were taken.

        A row is given again if the process ends in between, so `give` must know what it has.

        Args:
            give: a table's name and rows -> True if they arrived.

        Returns:
            True if a segment was delivered; False if there is none, or `give` refused.
        """
        self._end()
        for path, _ in self._segments():
            with locked(path) as file:
                if file is None:  # another service still writes it
                    continue
                try:
                    if not all(give(table, rows) for table, rows in _lines(file)):
                        return False
                except (ValueError, KeyError, TypeError):  # not as it was written
                    LOG.error("%s is damaged; it is kept as %s.damaged.", path, path.name)
                    path.rename(path.with_name(f"{path.name}.damaged"))
                else:
                    path.unlink()
                return True
        return False

    def close(self) -> None:
        """Closes the segment being written; it stays on disk."""
        self._end()

    def _segments(self) -> list[tuple[Path, int]]:
        segments = []
        for path in sorted(self._folder.glob(f"*{SUFFIX}")):
            try:
                segments.append((path, path.stat().st_size))
            except OSError:  # another service has just delivered it
                continue
        return segments

    def _writable(self) -> BinaryIO:
        if self._open is None:
            self._folder.mkdir(mode=_PRIVATE_FOLDER, parents=True, exist_ok=True)
            path = self._folder / f"{self._clock():020d}-{os.getpid()}{SUFFIX}"
            descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            self._open = os.fdopen(descriptor, "r+b", buffering=0)
            _sync_folder(self._folder)
        return self._open

    def _end(self) -> None:
        if self._open is not None:
            self._open.close()  # and with it the lock
            self._open = None


def line(table: str, rows: list[Row]) -> bytes:
    """Formats a line of a segment."""
    return orjson.dumps({"table": table, "rows": rows}, _encode, _OPTIONS)


@contextmanager
def locked(path: Path) -> Iterator[BinaryIO | None]:
    """Opens and locks a file; gives None if another process holds or has removed it."""
    try:
        file = path.open("rb")
    except FileNotFoundError:
        yield None
        return
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield None
            return
        yield file


def _write_all(file: BinaryIO, line: bytes) -> None:
    """Writes the whole line: a disk that fills up takes a part, and refuses the next call."""
    while line:
        line = line[file.write(line) :]


def _lines(file: BinaryIO) -> Iterator[tuple[str, list[Row]]]:
    for line in file:
        if not line.endswith(b"\n"):  # its writer was killed in the middle; it was never promised
            return
        entry = json.loads(line)
        yield entry["table"], [_decode(row) for row in entry["rows"]]


def _encode(value: object) -> dict[str, str]:
    if isinstance(value, datetime):
        return {_TIME: value.isoformat()}
    raise TypeError(f"Expected a row of JSON values and times, got {type(value).__name__}.")


def _decode(row: Row) -> Row:
    return {
        key: datetime.fromisoformat(value[_TIME])
        if isinstance(value, dict) and _TIME in value
        else value
        for key, value in row.items()
    }


def _sync_folder(folder: Path) -> None:
    """Syncs a folder, so that a new file's name survives a power failure."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
