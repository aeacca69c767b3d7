"""Counts what one read of a source unpacks, and stops it above the source's limits.

Nothing that a file says of its own size is believed: each layer (an archive, a Parquet page, the
documents) is counted as it comes out, and the read ends before the next piece is made.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Iterable
from typing import IO

from components.core.params import Limits
from components.sources.streams import tapped

MIB = 1024 * 1024
JSON_MARKS = (b"{", b"[", b",")
_SMALL = MIB  # bytes; below it the ratio says nothing: one repeated row packs 1000 times
_ROW = 16  # bytes that count for each document beside its text, so that empty ones have an end too


class NotAllowed(Exception):
    """A source is, or leads to, what its settings do not allow; the text says what came.

    Attributes:
        expected, todo: the rest of the message to a person.
    """

    expected: str
    todo: str


class TooLarge(NotAllowed):
    """A source holds more than its limits allow.

    Args:
        came: how much, never what.
        keys: of `limits` that allow more.
    """

    expected = "a source within the limits"

    def __init__(self, came: str, keys: str = "unpacked_mib or unpacked_ratio") -> None:
        super().__init__(came)
        self.todo = (
            f"If you trust it, raise {keys} under `limits` in params.yaml; if not, remove it."
        )


class Layer:
    """One level of what a source unpacks to.

    Args:
        most: bytes that may come out of it.
    """

    def __init__(self, most: int) -> None:
        self._most, self._bytes = most, 0

    def take(self, count: int) -> None:
        """Adds `count` bytes.

        Raises:
            TooLarge: they are more than allowed.
        """
        self._bytes += count
        if self._bytes > self._most:
            raise TooLarge(f"more than {self._most:,} bytes unpacked")


class Budget:
    """The limits of one read of a source.

    Args:
        limits: of the source; None for none.
        packed: bytes of the file that is read; None where nothing is packed, or nobody knows.

    Attributes:
        most: bytes that may come out of one level.
    """

    def __init__(self, limits: Limits | None, packed: int | None = None) -> None:
        self._limits = limits
        self._files = self._rows = 0
        self.most = sys.maxsize
        if limits is not None:
            self.most = limits.unpacked_mib * MIB
            if packed is not None:
                self.most = min(self.most, max(limits.unpacked_ratio * packed, _SMALL))
        self._documents = self.layer()

    def layer(self) -> Layer:
        """Opens the count of one more level."""
        return Layer(self.most)

    def stream(self, file: IO[bytes]) -> io.BufferedReader:
        """Wraps `file`, one level, to raise TooLarge behind its last byte that is allowed."""
        return limited(file, self.most)

    def file(self, count: int = 1) -> None:
        """Adds files of an archive or folder."""
        self._files += count
        if self._limits is not None and self._files > self._limits.files:
            raise TooLarge(f"more than {self._limits.files:,} files", "files")

    def document(self, characters: int) -> None:
        """Adds a document of that size."""
        self._rows += 1
        if self._limits is not None and self._rows > self._limits.documents:
            raise TooLarge(f"more than {self._limits.documents:,} documents", "documents")
        self._documents.take(_ROW + characters)

    def values(self, content: bytes, marks: Iterable[bytes]) -> None:
        """Checks a row or an answer before it is parsed: each value costs an object in memory.

        Args:
            content: not parsed.
            marks: at least one of them stands before each value.
        """
        if self._limits is None or len(content) <= self._limits.values:
            return
        if sum(content.count(mark) for mark in marks) > self._limits.values:
            raise TooLarge(f"more than {self._limits.values:,} values in one piece", "values")


def limited(file: IO[bytes], most: int) -> io.BufferedReader:
    """Wraps `file` to raise TooLarge after byte number `most`."""

    def watch(_bytes: memoryview, place: int) -> None:
        if place > most:
            raise TooLarge(f"more than {most:,} bytes unpacked")

    return tapped(file, watch)
