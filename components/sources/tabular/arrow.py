"""Rows of an Arrow file or stream (also called Feather, version 2), read batch by batch.

Both formats hold the same messages: a stream one after another, a file where its footer says. Each
message is measured before Arrow unpacks it.
Format: https://arrow.apache.org/docs/format/Columnar.html#serialization-and-interprocess-communication-ipc
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from typing import IO, Any

from flatbuffers import number_types  # type: ignore[import-untyped]
from flatbuffers.table import Table as FlatTable  # type: ignore[import-untyped]

from components.core.errors import SourceError
from components.sources.budget import MIB
from components.sources.row_files import FileReader, Table
from components.sources.rows import Columns
from components.sources.tabular import arrow_schema

_MAGIC = b"ARROW1"
_GOES_ON = 0xFFFFFFFF  # before the length of a message
_LONGEST_METADATA = 16 * MIB  # bytes
_LONGEST_BATCH = 1024 * MIB  # bytes that one message may unpack to
_ROWS = 256  # that become Python objects at a time
_BYTES = 64 * MIB  # that they may take, where each value is the longest
_DICTIONARY_BATCH, _RECORD_BATCH = 2, 3  # kinds of messages
# Places of fields in the tables of Message.fbs.
_KIND, _HEADER, _BODY, _DATA, _BUFFERS, _COMPRESSION = 6, 8, 10, 6, 8, 10
_FOOTER_BLOCKS = (8, 10)  # of dictionaries and of batches, in the table Footer of File.fbs
_BUFFER_BYTES, _BLOCK_BYTES, _LENGTH_PREFIX, _FOOTER_LENGTH = 16, 24, 8, 4
_NOT_PACKED = -1


class ArrowReader(FileReader):
    """A row is a document. Columns and names of classes are those of `ParquetReader`."""

    suffixes = (".arrow", ".feather", ".ipc")
    streams = False

    def _table(self, file: IO[bytes], wanted: Columns | None) -> Table:
        import pyarrow as pa

        try:
            is_file = file.read(len(_MAGIC)) == _MAGIC
            self._check_sizes(file, is_file)
            file.seek(0)
            source = pa.ipc.open_file(file) if is_file else pa.ipc.open_stream(file)
            schema = source.schema
        except (pa.ArrowException, OSError, struct.error, ValueError, TypeError) as error:
            raise self._damaged() from error
        columns = self._wanted(schema, wanted)
        return Table(
            self._rows_of(_batches(source, is_file), columns),
            arrow_schema.paths_in(schema),
            arrow_schema.repeated(schema),
            lists=sorted(arrow_schema.list_columns(schema, columns)),
            class_names=arrow_schema.class_names(schema),
        )

    def _wanted(self, schema: Any, wanted: Columns | None) -> list[str]:
        """Names of the columns that are read of the wanted ones, or of all."""
        if wanted is None:
            return [name for name in schema.names if arrow_schema.is_readable(schema, name)]
        paths = filter(None, (arrow_schema.column_of(schema, name) for name in wanted.all))
        names = (path if path in schema.names else path.partition(".")[0] for path in paths)
        columns = list(dict.fromkeys(names))
        if bad := next((c for c in columns if not arrow_schema.is_readable(schema, c)), None):
            raise self._nested(bad)
        return columns

    def _rows_of(
        self, batches: Iterator[Any], columns: list[str]
    ) -> Iterator[tuple[int, dict[str, Any]]]:
        import polars as pl

        number = 0
        try:
            for batch in batches:
                batch.validate(full=True)  # offsets that lead out of it would be followed
                chosen = arrow_schema.cut_lists(batch.select(columns))
                longest = max(
                    (arrow_schema.longest(column) for column in chosen.columns), default=1
                )
                size = max(1, min(_ROWS, _BYTES // max(1, longest)))
                for start in range(0, chosen.num_rows, size):
                    frame = pl.DataFrame(pl.from_arrow(chosen.slice(start, size)))
                    for row in frame.iter_rows(named=True):
                        number += 1
                        yield number, row
        except arrow_schema.errors() as error:
            raise self._damaged() from error

    def _check_sizes(self, file: IO[bytes], is_file: bool) -> None:
        """Adds what each message unpacks to, by the lengths before its packed parts.

        Raises:
            TooLarge: that is more than allowed.
            SourceError: it is more than memory may hold at once.
        """
        budget = self._budget.layer()
        for message, body in _blocks(file) if is_file else _stream(file):
            unpacked = 0
            for start, size in message.buffers():
                count = size
                if message.is_packed and size:
                    file.seek(body + start)
                    (count,) = struct.unpack("<q", file.read(_LENGTH_PREFIX))
                    count = size if count == _NOT_PACKED else count
                if count < 0:
                    raise ValueError("a negative length")
                unpacked += count
                budget.take(count)
            if unpacked > _LONGEST_BATCH:
                raise self._error(
                    f"batches of at most {_LONGEST_BATCH:,} bytes in {self._shown}",
                    "a longer one",
                    "Write it in smaller batches, or as Parquet.",
                )

    def _damaged(self) -> SourceError:
        return self._unreadable("a damaged one, or one of a version before 0.15")


def _batches(source: Any, is_file: bool) -> Iterator[Any]:
    if not is_file:
        yield from source
        return
    for number in range(source.num_record_batches):
        yield source.get_batch(number)


def _stream(file: IO[bytes]) -> Iterator[tuple[_Message, int]]:
    """Yields the messages of a stream, and the place of the body of each."""
    place = 0
    while (message := _Message.at(file, place)) is not None:
        yield message, message.body_place
        place = message.body_place + message.body


def _blocks(file: IO[bytes]) -> Iterator[tuple[_Message, int]]:
    """Yields the messages that the footer of a file names, and the place of the body of each."""
    end = file.seek(0, io.SEEK_END) - len(_MAGIC) - _FOOTER_LENGTH
    file.seek(end)
    (length,) = struct.unpack("<i", file.read(_FOOTER_LENGTH))
    if not 0 < length <= min(end, _LONGEST_METADATA) or file.read() != _MAGIC:
        raise ValueError("no footer")
    file.seek(end - length)
    footer = _table(file.read(length))
    for field in _FOOTER_BLOCKS:
        if vector := footer.Offset(field):
            start = footer.Vector(vector)
            for number in range(footer.VectorLen(vector)):
                (place,) = struct.unpack_from("<q", footer.Bytes, start + _BLOCK_BYTES * number)
                if (message := _Message.at(file, place)) is not None:
                    yield message, message.body_place


class _Message:
    """The metadata of a message.

    Attributes:
        body_place: where the bytes begin that follow the metadata.
        body: number of these bytes.
        is_packed: True if its parts are packed.
    """

    def __init__(self, content: bytes, body_place: int) -> None:
        self._content, table = content, _table(content)
        self.body_place = body_place
        kind = _number(table, _KIND, number_types.Uint8Flags)
        self.body = _number(table, _BODY, number_types.Int64Flags)
        self._batch = None
        if kind in (_DICTIONARY_BATCH, _RECORD_BATCH):
            self._batch = _inner(table, _HEADER)
            if kind == _DICTIONARY_BATCH:
                self._batch = _inner(self._batch, _DATA)
        self.is_packed = self._batch is not None and self._batch.Offset(_COMPRESSION) != 0
        if self.body < 0:
            raise ValueError("a negative length")

    @classmethod
    def at(cls, file: IO[bytes], place: int) -> _Message | None:
        """Reads the message at `place`; None at the end of a stream."""
        file.seek(place)
        head = file.read(_LENGTH_PREFIX)
        if not head:
            return None
        mark, length = struct.unpack("<Ii", head)
        if mark != _GOES_ON or not 0 <= length <= _LONGEST_METADATA:
            raise ValueError("no message")
        return cls(file.read(length), place + _LENGTH_PREFIX + length) if length else None

    def buffers(self) -> Iterator[tuple[int, int]]:
        """Yields (place in the body, bytes) of each part."""
        if self._batch is None or not (field := self._batch.Offset(_BUFFERS)):
            return
        start = self._batch.Vector(field)
        for number in range(self._batch.VectorLen(field)):
            place, size = struct.unpack_from("<qq", self._content, start + _BUFFER_BYTES * number)
            if place < 0 or size < 0:
                raise ValueError("a negative length")
            yield place, size


def _table(content: bytes) -> Any:
    (root,) = struct.unpack_from("<I", content)
    return FlatTable(content, root)


def _number(table: Any, field: int, kind: Any) -> int:
    place = table.Offset(field)
    return int(table.Get(kind, place + table.Pos)) if place else 0


def _inner(table: Any, field: int) -> Any:
    place = table.Offset(field)
    if not place:
        raise ValueError("a message without content")
    return FlatTable(table.Bytes, table.Indirect(place + table.Pos))
