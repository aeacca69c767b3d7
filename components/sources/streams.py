"""Byte streams: observers, limits, lines of limited length. Nothing is buffered beyond a block."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterator
from functools import partial
from typing import IO, Any, cast

BLOCK = 1024 * 1024  # bytes of one read


class Tap(io.RawIOBase):
    """Reads `inner`, and passes each block that is read to `watch`.

    Args:
        inner: an open binary file.
        watch: called with the bytes of a read and the position after them.
        owns: close `inner` with this stream.
    """

    def __init__(
        self, inner: IO[bytes], watch: Callable[[memoryview, int], object], owns: bool = False
    ) -> None:
        self._inner, self._watch, self._owns = cast("Any", inner), watch, owns
        self._place = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return bool(self._inner.seekable())

    def readinto(self, buffer: Any) -> int:
        count = int(self._inner.readinto(buffer) or 0)
        self._place += count
        self._watch(memoryview(buffer)[:count], self._place)
        return count

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        self._place = int(self._inner.seek(offset, whence))
        return self._place

    def tell(self) -> int:
        return self._place

    def close(self) -> None:
        if self._owns and not self.closed:
            self._inner.close()
        super().close()


def tapped(
    inner: IO[bytes], watch: Callable[[memoryview, int], object], owns: bool = False
) -> io.BufferedReader:
    """Wraps `inner` in a `Tap` that reads large blocks."""
    return io.BufferedReader(Tap(inner, watch, owns), BLOCK)


class _Joined(io.RawIOBase):
    """Bytes that were read already, and the rest of their stream."""

    def __init__(self, head: bytes, rest: IO[bytes]) -> None:
        self._head, self._rest = memoryview(head), cast("Any", rest)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self._head:
            return int(self._rest.readinto(buffer) or 0)
        count = min(len(buffer), len(self._head))
        buffer[:count] = self._head[:count]
        self._head = self._head[count:]
        return count


def rewound(head: bytes, rest: IO[bytes]) -> io.BufferedReader:
    """Puts bytes back that were read from the beginning of `rest`."""
    return io.BufferedReader(_Joined(head, rest), BLOCK)


def drain(file: IO[bytes]) -> None:
    """Reads `file` to its end."""
    while file.read(BLOCK):
        pass


def lines(file: IO[bytes], most: int) -> Iterator[bytes | None]:
    """Yields the lines of `file`; None for a line of more than `most` bytes, which is skipped.

    >>> list(lines(io.BytesIO(b"a\\nlong\\nb"), most=3))
    [b'a\\n', None, b'b']
    """
    most = min(most, sys.maxsize - 1)
    for line in iter(partial(file.readline, most + 1), b""):
        if len(line) <= most:
            yield line
            continue
        rest = line
        while rest and not rest.endswith(b"\n"):
            rest = file.readline(BLOCK)
        yield None
