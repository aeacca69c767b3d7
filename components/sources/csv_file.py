"""Rows of a CSV file (RFC 4180, header first, UTF-8), plain, in .gz or in .zip."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from typing import IO

from components.sources.files import FileReader
from components.sources.reader import RawDocument
from components.sources.rows import document, faulty, needed
from components.sources.streams import lines

_ROW_FIELDS = 4  # times the longest text that a row may be long
_LONGEST_FIELD = 2**31 - 1  # characters, where no limit is set: the most that the module takes


class CsvReader(FileReader):
    """A row is a document. Text and label columns must be there; bad rows are marked."""

    suffixes = (".csv",)

    def _rows(self, file: IO[bytes], prefix: str) -> Iterator[RawDocument]:
        # The module's own limit (128 KiB) is shorter than the longest document that may pass.
        csv.field_size_limit(min(self._longest, _LONGEST_FIELD))
        self._row_bytes = 0
        rows = csv.reader(self._decoded(file), strict=True)
        try:
            header = [name.lstrip("\ufeff") for name in next(rows, [])]
            for key in needed(self.source):
                if getattr(self.source, key) not in header:
                    raise self._without_column(key, header)
            self._row_bytes = 0
            for number, fields in enumerate(_until_end(rows), start=1):
                self._row_bytes = 0
                yield self._document(header, fields, number, prefix)
        except csv.Error as error:
            raise self._unreadable(error, f", {prefix}line {rows.line_num}") from error

    def _decoded(self, file: IO[bytes]) -> Iterator[str]:
        """Lines; bytes that are not UTF-8 become lone surrogates, and `document` marks their rows.

        Raises:
            csv.Error: a line or row is too long. Nobody knows then where the next row begins.
        """
        for line in lines(file, self._longest):
            if line is None:
                raise csv.Error(f"a line of more than {self._longest:,} bytes")
            # A quoted field may hold lines, and a row any number of fields.
            self._row_bytes += len(line)
            if self._row_bytes > _ROW_FIELDS * self._longest:
                raise csv.Error(f"a row of more than {_ROW_FIELDS * self._longest:,} bytes")
            self._budget.values(line, (b",",))
            yield line.decode("utf-8", "surrogateescape")

    def _document(
        self, header: list[str], fields: list[str] | None, number: int, prefix: str
    ) -> RawDocument:
        if fields is None:
            return faulty(f"{prefix}{number}", "quotes inside a field", self.source)
        if len(fields) != len(header):
            fault = f"expected {len(header)} fields, got {len(fields)}"
            return faulty(f"{prefix}{number}", fault, self.source)
        return document(dict(zip(header, fields, strict=True)), number, self.source, prefix)


def _until_end(rows: Iterator[list[str]]) -> Iterator[list[str] | None]:
    """The rows that are not empty lines; None for one whose quotes are wrong."""
    while True:
        try:
            fields = next(rows)
        except StopIteration:
            return
        except csv.Error as error:
            # Only this fault ends with its row. After the others (a quote that is never closed)
            # nobody knows where the next row begins.
            if "expected after" not in str(error):
                raise
            yield None
        else:
            if fields:
                yield fields
