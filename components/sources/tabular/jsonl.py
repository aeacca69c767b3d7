"""Rows of a JSON lines file (one object a line, UTF-8), plain or packed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import IO, Any, ClassVar

import orjson

from components.formats import charsets
from components.sources.budget import JSON_MARKS
from components.sources.row_files import FileReader, Table
from components.sources.rows import Columns
from components.sources.streams import lines
from components.sources.tabular import recoding

_HEAD = 4096  # bytes that show the encoding


class JsonlReader(FileReader):
    """A line is a document. Text and label keys must occur in the file; bad lines are marked.

    A key may be a dotted path into nested objects and lists.
    """

    suffixes: ClassVar[tuple[str, ...]] = (".jsonl", ".ndjson")

    def _table(self, file: IO[bytes], wanted: Columns | None) -> Table:
        del wanted
        encoding = charsets.detect_wide(file.peek(_HEAD))  # type: ignore[attr-defined]
        if encoding not in (None, "utf-8-sig"):
            file = recoding.as_utf8(file, encoding)
        return Table(self._objects(file))

    def _objects(self, file: IO[bytes]) -> Iterator[tuple[int, dict[str, Any] | str]]:
        for number, line in enumerate(lines(file, self._longest), start=1):
            self._budget.values(line or b"", JSON_MARKS)
            row = _parsed(line)
            if row is not None:
                yield number, row


def _parsed(line: bytes | None) -> dict[str, Any] | str | None:
    """The object in `line`, or why there is none; None for an empty line."""
    if line is None:
        return "the line is too long"
    try:
        row = orjson.loads(line)
    except ValueError:
        if not line.strip():
            return None
        try:
            # Slower, and takes what orjson does not: a byte order mark, halves of characters.
            row = json.loads(line.decode("utf-8-sig"))
        except UnicodeDecodeError:
            return "the line is not valid UTF-8"
        except (ValueError, RecursionError):
            return "the line is no JSON"
    return row if isinstance(row, dict) else "the line is no JSON object"
