"""The dialect of a CSV file: delimiter, quotes, line ends, encoding, header; found by a sample.

All candidates parse the sample, and the one wins under which the most lines are rows of one
length, the length of the first row. Unlike a count of characters, that is not misled by delimiters
inside quotes. The result depends on the sample alone.
"""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

from components.formats import charsets
from components.sources.tabular.columns import looks_like_name

SAMPLE = 1024 * 1024  # bytes from the beginning of a file
_COMPARED = 256 * 1024  # characters of it that all candidates parse
_DELIMITERS = ("\t", ";", ",", "|", ":")  # the rarer one in texts first: it wins a draw
# In texts without quotes these rarely occur, so files with them may have no quotes at all.
_UNQUOTED = ("\t", "|", ":")
_HEADER_ROWS, _SURE_ROWS = 200, 8
_MARGIN = 1e-9  # of two shares that differ
_USUAL = {
    "text", "label", "id", "title", "body", "class", "category", "content", "message", "subject",
    "sentence", "comment", "review", "description", "name", "target", "topic", "type", "date",
    "time", "author", "sentiment", "intent", "query", "question", "answer", "summary", "headline",
    "tag", "tags", "tweet", "document", "source", "language",
}  # fmt: skip
_SEPARATOR = re.compile(r"sep=(.) *(\n|$)", re.IGNORECASE)
QUOTES: dict[str, dict[str, Any]] = {
    "double": {"quotechar": '"', "doublequote": True},
    "backslash": {"quotechar": '"', "doublequote": True, "escapechar": "\\"},
    "single": {"quotechar": "'", "doublequote": True},
    "none": {"quoting": csv.QUOTE_NONE, "quotechar": None},
}


class Dialect(NamedTuple):
    """Dialect of a CSV file.

    Attributes:
        encoding: codec of Python.
        delimiter: between two fields.
        quote: a key of QUOTES.
        header: True if the first row holds the names of the columns.
        separator_line: True if a line such as `sep=;` comes before the first row.
        old_lines: True if lines end with a carriage return only.
        spaced: True if a space follows each delimiter.
        columns: number of fields in most rows.
        sure: True if the header is one beyond doubt.
    """

    encoding: str = "utf-8"
    delimiter: str = ","
    quote: str = "double"
    header: bool = True
    separator_line: bool = False
    old_lines: bool = False
    spaced: bool = False
    columns: int = 0
    sure: bool = False

    @property
    def format(self) -> dict[str, Any]:
        """Arguments of `csv.reader`."""
        return {
            "delimiter": self.delimiter,
            "skipinitialspace": self.spaced,
            "strict": True,
            **QUOTES[self.quote],
        }


def detect(
    sample: bytes,
    complete: bool = True,
    *,
    encoding: str | None = None,
    delimiter: str | None = None,
    quote: str | None = None,
) -> Dialect:
    r"""Detects the dialect of a CSV file.

    Args:
        sample: its beginning, at most SAMPLE bytes.
        complete: True if the sample is all of it.
        encoding, delimiter, quote: known; None to detect them.

    >>> detect(b"text;label\r\n\"one; two\";a\r\n")[:4]
    ('utf-8', ';', 'double', True)
    """
    encoding = encoding or charsets.detect(sample, complete)
    text = sample.decode(encoding, "replace").lstrip("\ufeff")
    old_lines = "\r" in text and "\n" not in text
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if not complete:
        text = text[: text.rfind("\n") + 1] or text
    separator = _SEPARATOR.match(text)
    if separator:
        text = text[separator.end() :]
    given = delimiter or (separator and separator[1])
    first = text.lstrip("\n").partition("\n")[0]
    marks = [given] if given else [mark for mark in _DELIMITERS if mark in first]
    compared = text[:_COMPARED]
    best, highest = Dialect(delimiter=given or ",", quote=quote or "double", columns=1), 0.0
    if marks and not given:
        # Where no row is like the first one, the delimiter is the one that the first row has most.
        best = best._replace(delimiter=max(marks, key=first.count))
    for mark in marks:
        parts = first.split(mark)[1:]
        spaced = bool(parts) and all(part.startswith(" ") for part in parts)
        for name in [quote] if quote else _quotes(mark, compared):
            candidate = Dialect(delimiter=mark, quote=name, spaced=spaced)
            covered, columns = _covered(compared, candidate)
            if columns > 1 and covered > highest + _MARGIN:
                best, highest = candidate._replace(columns=columns), covered
    if not quote and best.quote == "double" and best.delimiter in _UNQUOTED:
        # A quote that is never closed may come late; then all to the end would be one field.
        unquoted = best._replace(quote="none")
        if len(text) > _COMPARED and _covered(text, unquoted)[0] > _covered(text, best)[0]:
            best = unquoted
    rows = [row for row in _rows(compared, best)[0][:_HEADER_ROWS] if row]
    return best._replace(
        encoding=encoding,
        separator_line=bool(separator),
        old_lines=old_lines,
        header=has_header(rows),
        sure=has_header(rows) and is_sure(rows),
    )


def _quotes(delimiter: str, text: str) -> list[str]:
    """The ways of quoting that may make a difference; the most common one first."""
    names = ["double"]
    if '\\"' in text:
        names.append("backslash")
    if re.search(r"(^|['\n" + re.escape(delimiter) + r"])'", text):
        names.append("single")
    if '"' in text and delimiter in _UNQUOTED:
        names.append("none")
    return names


def _covered(text: str, dialect: Dialect) -> tuple[float, int]:
    """Share of the lines in rows of the most common length, and that length in fields.

    The first row must have that length.
    """
    rows, spans = _rows(text, dialect)
    lines = sum(spans) or 1
    lengths: Counter[int] = Counter()
    for row, span in zip(rows, spans, strict=True):
        lengths[len(row)] += span
    del lengths[0]
    if not lengths:
        return 0.0, 0
    length = lengths.most_common(1)[0][0]
    if len(next(row for row in rows if row)) != length:
        return 0.0, length
    return lengths[length] / lines, length


def _rows(text: str, dialect: Dialect) -> tuple[list[list[str]], list[int]]:
    """Rows of `text`, and how many lines each spans; a row that is no CSV has no fields."""
    csv.field_size_limit(max(csv.field_size_limit(), len(text)))
    reader = csv.reader(io.StringIO(text, newline="\n"), **dialect.format)
    rows: list[list[str]] = []
    spans: list[int] = []
    before = 0
    while True:
        is_bad, row = False, []
        try:
            row = next(reader)
        except StopIteration:
            return rows, spans
        except csv.Error:
            is_bad = True
        if row or is_bad:
            rows.append(row)
            spans.append(reader.line_num - before)
        before = reader.line_num


def has_header(rows: Sequence[Sequence[str]]) -> bool:
    """Tests that the first row holds names of columns: short, and no values of their columns.

    >>> has_header([["text", "label"], ["a fine day", "good"]])
    True
    >>> has_header([["ham", "Jane owes me 20 pounds"], ["spam", "Call now"]])
    False
    >>> has_header([["v1", "v2", "", ""], ["ham", "Call me", "", ""]])
    True
    """
    rows = [row for row in rows if row]
    if not rows:
        return True
    first, rest = [cell.strip() for cell in rows[0]], rows[1:]
    if first == [str(number) for number in range(len(first))]:  # how pandas numbers columns
        return True
    # pandas leaves the index without a name, and Excel writes columns that were used once.
    named = [name for name in first if name]
    if len(named) < min(len(first), 2) or not all(map(looks_like_name, named)):
        return False
    if not rest:
        return True
    columns = list(zip(*(row for row in rest if len(row) == len(first)), strict=True))
    return not any(
        name in {value.strip() for value in column}
        for name, column in zip(first, columns, strict=False)
        if name
    )


def is_sure(rows: Sequence[Sequence[str]]) -> bool:
    """Tests that the first row holds names beyond doubt: they may be shown to a person.

    That is so where one of them is the name of a column that everybody uses, or stands above a
    column of few values that are repeated, such as labels.
    """
    first, rest = rows[0] if rows else [], rows[1:]
    if _USUAL & {name.strip().casefold() for name in first}:
        return True
    columns = zip(*(row for row in rest if len(row) == len(first)), strict=True)
    return len(rest) >= _SURE_ROWS and any(2 * len(set(column)) <= len(rest) for column in columns)
