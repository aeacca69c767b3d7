"""Rows of a CSV file (RFC 4180 and its relatives), plain or packed."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import IO, Any

from components.core.params.sources import AUTO
from components.sources.row_files import FileReader, Table
from components.sources.rows import Columns
from components.sources.streams import lines, rewound
from components.sources.tabular import dialect, recoding
from components.sources.tabular.columns import named_columns, numbered
from components.sources.tabular.dialect import Dialect

_ROW_FIELDS = 4  # times the longest text that a row may be long
_LONGEST_FIELD = 2**31 - 1  # characters, where no limit is set: the most that the module takes
# Faults that end with their line. After the others (a quote that is never closed) nobody knows
# where the next row begins.
_OF_A_LINE = {
    "expected after": "quotes inside a field",
    "new-line character": "a line break outside of quotes",
}


class CsvReader(FileReader):
    """A row is a document. Text and label columns must be there; bad rows are marked.

    Delimiter, quotes, encoding and header are detected, each file by itself, unless the source
    names them.
    """

    suffixes = (".csv", ".tsv", ".tab")

    def dialect(self, sample: bytes, complete: bool) -> Dialect:
        """Detects the dialect by the beginning of a file; what the source names is taken as is."""
        source = self.source
        return dialect.detect(
            sample,
            complete,
            encoding=source.encoding,
            delimiter=source.delimiter,
            quote=source.quote,
        )

    def _table(self, file: IO[bytes], wanted: Columns | None) -> Table:
        # The module's own limit (128 KiB) is shorter than the longest document that may pass.
        sample = file.read(dialect.SAMPLE)
        found = self.dialect(sample, len(sample) < dialect.SAMPLE)
        csv.field_size_limit(min(self._longest, _LONGEST_FIELD))
        self._row_bytes = 0
        content: IO[bytes] = rewound(sample, file)
        if found.encoding not in ("utf-8", "utf-8-sig") or found.old_lines:
            content = recoding.as_utf8(content, found.encoding, found.old_lines)
        decoded = self._decoded(content, found.delimiter)
        if found.separator_line:
            next(decoded, None)
        rows = csv.reader(decoded, **found.format)
        first = self._first(rows)
        names = [name.strip("\ufeff") for name in first or []]
        header = self._has_header(names, found, wanted)
        columns, repeated = named_columns(names) if header else (numbered(names), {})
        return Table(
            self._rows_of(rows, columns, None if header else first),
            columns,
            repeated,
            unnamed=not header and self.source.header in (None, AUTO),
            sure=self.source.header is not None or found.sure,
        )

    def _has_header(self, names: Sequence[str], found: Dialect, wanted: Columns | None) -> bool:
        if isinstance(self.source.header, bool):
            return self.source.header
        return found.header or (wanted is not None and wanted.needed.keys() <= set(names))

    def _first(self, rows: Any) -> list[str] | None:
        try:
            return next((fields for fields in rows if fields), None)
        except csv.Error as error:
            raise self._unreadable(error, f", line {rows.line_num}") from error

    def _rows_of(
        self, rows: Any, columns: Sequence[str], first: list[str] | None
    ) -> Iterator[tuple[int, Mapping[str, Any] | str]]:
        """Yields the rows after the header, or from `first` on; empty rows have a number only.

        Empty fields behind the last column are left out: some programs end rows with a delimiter.
        """
        number = 0
        self._row_bytes = 0
        try:
            for fields in chain([first] if first else [], _until_end(rows)):
                self._row_bytes = 0
                number += 1
                if isinstance(fields, str):
                    yield number, fields
                elif len(fields) < len(columns) or any(fields[len(columns) :]):
                    yield number, f"expected {len(columns)} fields, got {len(fields)}"
                elif any(fields):
                    yield number, dict(zip(columns, fields, strict=False))
        except csv.Error as error:
            raise self._unreadable(error, f", line {rows.line_num}") from error

    def _decoded(self, file: IO[bytes], delimiter: str) -> Iterator[str]:
        """Lines; bytes that are not UTF-8 become lone surrogates, and `document` marks their rows.

        Raises:
            csv.Error: a line or row is too long. Nobody knows then where the next row begins.
        """
        mark = (delimiter.encode(),)
        for line in lines(file, self._longest):
            if line is None:
                raise csv.Error(f"a line of more than {self._longest:,} bytes")
            # A quoted field may hold lines, and a row any number of fields.
            self._row_bytes += len(line)
            if self._row_bytes > _ROW_FIELDS * self._longest:
                raise csv.Error(f"a row of more than {_ROW_FIELDS * self._longest:,} bytes")
            self._budget.values(line, mark)
            yield line.decode("utf-8", "surrogateescape")


def _until_end(rows: Iterator[list[str]]) -> Iterator[list[str] | str]:
    """Yields the rows that are not empty lines, or the fault of a row that is no CSV."""
    while True:
        try:
            fields = next(rows)
        except StopIteration:
            return
        except csv.Error as error:
            fault = next((of for part, of in _OF_A_LINE.items() if part in str(error)), None)
            if fault is None:
                raise
            yield fault
        else:
            if fields:
                yield fields
