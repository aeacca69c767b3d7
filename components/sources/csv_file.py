"""Rows of a CSV file (RFC 4180, header first, UTF-8), plain or .gz."""

from __future__ import annotations

import csv
from collections.abc import Iterator

from components.sources.reader import UNREADABLE, FileReader, RawDocument, open_binary
from components.sources.rows import document, faulty

# The module's own limit (128 KiB) is shorter than the longest document that validation lets pass.
_LONGEST_FIELD = 16 * 1024 * 1024  # characters


class CsvReader(FileReader):
    """A row is a document. Text and label columns must be there; bad rows are marked."""

    def _rows(self) -> Iterator[RawDocument]:
        csv.field_size_limit(max(_LONGEST_FIELD, csv.field_size_limit()))
        rows = None
        try:
            with open_binary(self._path()) as binary:
                # Bytes that are not UTF-8 become lone surrogates; `document` marks their rows.
                lines = (part.decode("utf-8", "surrogateescape") for part in binary)
                rows = csv.reader(lines, strict=True)
                header = [name.lstrip("\ufeff") for name in next(rows, [])]
                for key in ("text", "label"):
                    if getattr(self.source, key) not in header:
                        raise self._without_column(key, header)
                for number, fields in enumerate(_until_end(rows), start=1):
                    yield self._document(header, fields, number)
        except (csv.Error, *UNREADABLE) as error:
            line = f", line {rows.line_num}" if rows else ""
            raise self._unreadable(error, line) from error

    def _document(self, header: list[str], fields: list[str] | None, number: int) -> RawDocument:
        if fields is None:
            return faulty(str(number), "quotes inside a field", self.source)
        if len(fields) != len(header):
            fault = f"expected {len(header)} fields, got {len(fields)}"
            return faulty(str(number), fault, self.source)
        return document(dict(zip(header, fields, strict=True)), number, self.source)


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
