"""Reads the page headers of a Parquet file: what its pages unpack to, before one is unpacked.

The footer's sizes and counts may lie, and Arrow allocates what a page's own header says. So the
headers are walked, which reads some bytes of each page. Format: Thrift's compact protocol,
https://github.com/apache/parquet-format (PageHeader in parquet.thrift).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO, Any, NamedTuple

from components.sources.streams import BLOCK

_DICTIONARY_PAGE, _DELTA_BYTE_ARRAY = 2, 7  # of the enums PageType and Encoding
_HEADERS = {5: 2, 7: 2, 8: 4}  # field of a page's inner header -> the field of its encoding there
_LONGEST_HEADER = 16 * BLOCK  # bytes; it holds the lowest and highest value of the page
_DEEPEST = 8  # structs within structs
_VARINT_BITS = 64


class DamagedPage(ValueError):
    """A page header that cannot be read."""


class Page(NamedTuple):
    """The header of one page.

    Attributes:
        unpacked: bytes.
        values: number of values, nulls included.
        is_dictionary: whether it holds the entries of a dictionary.
        repeats: whether a value may be made of fewer bytes than it has: it stands in a dictionary,
            or shares its beginning with the value before.
    """

    unpacked: int
    values: int
    is_dictionary: bool
    repeats: bool


def pages(file: IO[bytes], column: Any) -> Iterator[Page]:
    """Yields the headers of a column chunk's pages.

    Args:
        file: seekable.
        column: `pyarrow.parquet.ColumnChunkMetaData`; its offsets are those that Arrow reads from.

    Raises:
        DamagedPage: a header is cut short, or has an impossible size.
    """
    place = column.data_page_offset
    if column.has_dictionary_page and 0 < column.dictionary_page_offset < place:
        place = column.dictionary_page_offset
    end = place + column.total_compressed_size
    while place < end:
        file.seek(place)
        header = _Compact(file)
        fields = header.struct()
        packed, unpacked = fields.get(3, -1), fields.get(2, -1)
        values, encoding = 0, None
        for key, at in _HEADERS.items():
            if isinstance(inner := fields.get(key), dict):
                values, encoding = inner.get(1, 0), inner.get(at)
        if packed < 0 or unpacked < 0 or values < 0:
            raise DamagedPage("a page header without sizes")
        is_dictionary = fields.get(1) == _DICTIONARY_PAGE
        repeats = is_dictionary or encoding == _DELTA_BYTE_ARRAY
        yield Page(unpacked, values, is_dictionary, repeats)
        place += header.length + packed


class _Compact:
    """A reader of Thrift's compact protocol.

    Attributes:
        length: bytes that were read.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self.length = file, 0

    def struct(self, depth: int = 0) -> dict[int, Any]:
        """Reads a struct: number of each field -> integer or struct; other values are skipped."""
        if depth > _DEEPEST:
            raise DamagedPage("a page header with too many levels")
        fields: dict[int, Any] = {}
        number = 0
        while head := self._byte():
            delta, kind = head >> 4, head & 15
            number = number + delta if delta else self._integer()
            fields[number] = self._value(kind, depth)
        return fields

    def _value(self, kind: int, depth: int) -> Any:
        match kind:
            case 1 | 2:
                return kind == 1
            case 3:
                return self._byte()
            case 4 | 5 | 6:
                return self._integer()
            case 7:
                return self._bytes(8)
            case 8:
                return self._bytes(self._varint())
            case 12:
                return self.struct(depth + 1)
        raise DamagedPage("a page header with a field of unknown type")

    def _integer(self) -> int:
        number = self._varint()
        return (number >> 1) ^ -(number & 1)

    def _varint(self) -> int:
        number = 0
        for shift in range(0, _VARINT_BITS, 7):
            byte = self._byte()
            number |= (byte & 127) << shift
            if byte < 128:  # noqa: PLR2004 - the highest bit says that more follow
                return number
        raise DamagedPage("a page header with too long a number")

    def _byte(self) -> int:
        return self._bytes(1)[0]

    def _bytes(self, count: int) -> bytes:
        self.length += count
        if self.length > _LONGEST_HEADER:
            raise DamagedPage("a page header of more than 16 MiB")
        content = self._file.read(count)
        if len(content) < count:
            raise DamagedPage("a page header that is cut short")
        return content
