"""Converts text in any encoding to UTF-8, as a stream."""

from __future__ import annotations

import codecs
import io
from typing import IO, Any

from components.sources.streams import BLOCK


class Utf8(io.RawIOBase):
    """A stream of text in any encoding, converted to UTF-8.

    Bytes that the encoding does not have stay as they are, so that they are not valid UTF-8.

    Args:
        file: is read from front to end.
        encoding: a codec of Python.
        old_lines: lines end with a carriage return only, as on old Macintosh computers.
    """

    def __init__(self, file: IO[bytes], encoding: str, old_lines: bool = False) -> None:
        self._file, self._old_lines, self._rest = file, old_lines, b""
        wide = encoding.replace("_", "-").lower().startswith(("utf-16", "utf-32"))
        self._errors = "surrogatepass" if wide else "surrogateescape"
        self._decoder = codecs.getincrementaldecoder(encoding)(self._errors)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._rest:
            content = self._file.read(BLOCK)
            text = self._decoder.decode(content, final=not content)
            if self._old_lines:
                text = text.replace("\r", "\n")
            self._rest = text.encode("utf-8", self._errors)
            if not content:
                break
        count = min(len(buffer), len(self._rest))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count


def as_utf8(file: IO[bytes], encoding: str, old_lines: bool = False) -> IO[bytes]:
    """Opens `file` as UTF-8; see `Utf8`."""
    return io.BufferedReader(Utf8(file, encoding, old_lines), BLOCK)
