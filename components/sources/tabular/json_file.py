"""Rows of a JSON file, in the shapes that people and programs write tables in.

Lists of rows are read as a stream. A table that is written column by column is parsed as a whole,
and must be as short as one row may be.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import Enum
from typing import IO, Any

from components.core.errors import SourceError
from components.formats import charsets
from components.sources.budget import TooLarge
from components.sources.reader import printable
from components.sources.row_files import FileReader, Table
from components.sources.rows import Columns
from components.sources.streams import BLOCK, rewound
from components.sources.tabular import recoding
from components.sources.tabular.columns import looks_like_name, numbered
from components.sources.tabular.json_stream import BadJson, JsonStream

_ROW_TEXTS = 4  # times the longest text that a row may be long
_LISTED = 10  # keys in a message
_JUDGED = 1000  # members of the file's object that its shape is found by
_DEEPEST = 3  # levels at which a list of rows is looked for


class Shape(Enum):
    """Form in which a JSON file holds its rows."""

    LIST = "rows in a list"
    BY_ID = "object of id -> row"
    COLUMNS = "object of column -> values"
    SPLIT = "columns and data, as pandas writes with orient=split"


class JsonReader(FileReader):
    """An item of a list is a document; the list is found where it is the only one.

    Shapes: a list of objects; an object with such a list at the dotted path `items`; an object of
    id -> row; an object of column -> list, or column -> object of index -> value, as pandas
    writes; lists of values, whose columns are column_1, column_2, ...
    """

    suffixes = (".json",)

    def _table(self, file: IO[bytes], wanted: Columns | None) -> Table:
        head = file.read(BLOCK)
        encoding = charsets.detect_wide(head)
        content: IO[bytes] = rewound(head, file)
        if encoding is not None:
            content = recoding.as_utf8(content, encoding)
        return Table(self._rows_of(content, wanted))

    def _rows_of(
        self, file: IO[bytes], wanted: Columns | None
    ) -> Iterator[tuple[int, Mapping[str, Any] | str]]:
        stream = JsonStream(file, _ROW_TEXTS * self._longest, self._budget)
        number = 0
        try:
            for number, row in enumerate(self._values(stream, wanted), start=1):
                if isinstance(row, list):
                    row = dict(zip(numbered(row), row, strict=True))  # noqa: PLW2901
                yield number, row if isinstance(row, dict) else "the item is no object"
        except BadJson as error:
            raise self._unreadable(error, f", after row {number}" if number else "") from error

    def _values(self, stream: JsonStream, wanted: Columns | None) -> Iterator[Any]:
        first = stream.next()
        if not first:
            return
        if path := self.source.items:
            self._go_to(stream, path)
            first = stream.next()
        if first == "[":
            for _ in stream.items():
                yield stream.value()
        elif first == "{":
            yield from self._of_object(stream, wanted)
        else:
            raise self._no_rows("a single value")
        self._is_alone(stream)

    def _is_alone(self, stream: JsonStream) -> None:
        """Checks that another value does not follow the first one."""
        if not self.source.items and stream.next() in tuple("{["):
            raise self._error(
                f"one JSON value in {self._shown}",
                "several, one after another",
                "If each line is a value of its own, set `kind: jsonl` for this source.",
            )

    def _go_to(self, stream: JsonStream, path: str) -> None:
        """Passes over all that stands before the value at the dotted path."""
        for part in path.split("."):
            if stream.next() != "{":
                raise self._no_rows(f"no object on the way to {path!r}")
            for key in stream.members():
                if key == part:
                    break
                stream.skip()
            else:
                raise self._no_rows(f"nothing at {path!r}")

    def _of_object(self, stream: JsonStream, wanted: Columns | None) -> Iterator[Any]:
        """Yields the rows of an object, whose shape its first members show."""
        members: dict[str, Any] = {}
        keys = stream.members()
        for key in keys:
            # A long list need not fit into memory: if it is the only one, its rows pass here.
            if stream.next() == "[":
                rows = _Rows(stream)
                if rows.are_objects and not any(map(_is_list, members.values())):
                    yield from self._only_list(rows, keys, stream, key)
                    return
                members[key] = self._all(rows, stream, members)
            else:
                members[key] = stream.value()
            are_rows = all(map(_is_row, members.values()))
            if are_rows and (len(members) >= _JUDGED or stream.length > self._longest):
                break
            self._all((), stream, members)
        if not self.source.items and stream.next() == "{":  # one object after another
            yield members
            while stream.next():
                yield stream.value()
            return
        yield from self._of_shape(members, keys, stream, wanted)

    def _of_shape(
        self,
        members: dict[str, Any],
        keys: Iterator[str],
        stream: JsonStream,
        wanted: Columns | None,
    ) -> Iterator[Any]:
        """Yields the rows of an object; `keys` and `stream` have the members that follow."""
        shape, value = self._shape(members, wanted)
        if shape is Shape.BY_ID:
            yield from members.values()
            for _ in keys:
                yield stream.value()
        elif shape is Shape.COLUMNS:
            for key in keys:
                members[key] = stream.value()
                self._all((), stream, members)
            yield from self._transposed(members)
        else:
            yield from value
            for _ in keys:
                stream.skip()

    def _all(
        self, rows: Iterable[Any], stream: JsonStream, members: Mapping[str, Any]
    ) -> list[Any]:
        """Collects the values of a list; all that is in memory together stays within the limits."""
        most = self.source.limits.values if self.source.limits else sys.maxsize
        values = sum(len(value) for value in members.values() if isinstance(value, list))
        collected = []
        for value in rows:
            collected.append(value)
            if values + len(collected) > most:
                raise TooLarge(f"more than {most:,} values in one piece", "values")
        if stream.length > (longest := _ROW_TEXTS * self._longest):
            raise TooLarge(f"more than {longest:,} characters in one piece", "document_mib")
        return collected

    def _only_list(
        self, rows: _Rows, keys: Iterator[str], stream: JsonStream, key: str
    ) -> Iterator[Any]:
        yield from rows
        for other in keys:
            if stream.next() != "[":
                stream.skip()
                continue
            more = _Rows(stream)
            if more.are_objects:
                raise self._several([key, other])
            for _ in more:
                pass

    def _shape(self, members: Mapping[str, Any], wanted: Columns | None) -> tuple[Shape, Any]:
        values = list(members.values())
        data, columns = members.get("data"), members.get("columns")
        if isinstance(columns, list) and isinstance(data, list) and all(map(_is_list, data)):
            names = [str(name) for name in columns]
            return Shape.SPLIT, [dict(zip(names, row, strict=False)) for row in data]
        if values and all(map(_is_list, values)):
            return Shape.COLUMNS, None
        needed = set(wanted.needed) if wanted is not None else set()
        if values and all(map(_is_row, values)):
            inner = [set(value) for value in values]
            if needed and any(needed <= keys for keys in inner):
                return Shape.BY_ID, None
            is_indexed = all(key.isdecimal() for keys in inner for key in keys)
            is_indexed = is_indexed and all(inner) and not all(key.isdecimal() for key in members)
            if is_indexed or (needed and needed <= set(members)):
                return Shape.COLUMNS, None
        lists = list(_lists(members))
        if len({path for path, _ in lists}) == 1:
            return Shape.LIST, lists[0][1]
        if values and all(map(_is_row, values)):
            return Shape.BY_ID, None
        if lists:
            raise self._several([path for path, _ in lists])
        raise self._no_rows(f"an object with {_listed(list(members))}")

    def _transposed(self, members: Mapping[str, Any]) -> Iterator[Any]:
        columns = {
            name: dict(enumerate(column)) if isinstance(column, list) else column
            for name, column in members.items()
        }
        places = list(next(iter(columns.values())))
        if any(list(column) != places for column in columns.values()):
            raise self._no_rows("columns of different lengths")
        for place in places:
            yield {name: column[place] for name, column in columns.items()}

    def _several(self, paths: Sequence[str]) -> SourceError:
        return self._no_rows(
            f"several, at {_listed(paths)}",
            "Name the path of one by `items:` in this source's entry in params.yaml; a second "
            "source may read another.",
        )

    def _no_rows(self, came: str, todo: str = "") -> SourceError:
        return self._error(
            f"one list of objects in {self._shown}",
            came,
            todo or "Name its dotted path by `items:` in this source's entry in params.yaml.",
        )


class _Rows:
    """The items of an array, of which the first is read ahead.

    Attributes:
        are_objects: True if the first item is an object.
    """

    def __init__(self, stream: JsonStream) -> None:
        self._stream, self._places = stream, stream.items()
        has_first = next(self._places, self) is not self
        self._first = [stream.value()] if has_first else []
        self.are_objects = bool(self._first) and isinstance(self._first[0], dict)

    def __iter__(self) -> Iterator[Any]:
        yield from self._first
        for _ in self._places:
            yield self._stream.value()


def _is_list(value: Any) -> bool:
    return isinstance(value, list)


def _is_row(value: Any) -> bool:
    return isinstance(value, dict)


def _lists(value: Any, prefix: str = "", depth: int = 1) -> Iterator[tuple[str, list[Any]]]:
    """Yields (path, list) of the lists of objects in nested objects."""
    for key, inner in value.items():
        if isinstance(inner, list) and inner and isinstance(inner[0], dict):
            yield f"{prefix}{key}", inner
        elif isinstance(inner, dict) and depth < _DEEPEST:
            yield from _lists(inner, f"{prefix}{key}.", depth + 1)


def _listed(keys: Sequence[str]) -> str:
    """Formats keys for a message; those that look like values are counted only."""
    if not all(map(looks_like_name, keys)):
        return f"{len(keys)} keys"
    more = f" and {len(keys) - _LISTED} more" if len(keys) > _LISTED else ""
    return ", ".join(printable(key) for key in keys[:_LISTED]) + more or "no keys"
