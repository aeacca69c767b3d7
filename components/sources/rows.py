"""Converts a row of a file, query or API to a document, with a `fault` for a bad row."""

from __future__ import annotations

import email.utils
import math
import re
from collections.abc import Collection, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple

from components.core.params import Source
from components.core.params.sources import AUTO, OPTIONAL, label_text
from components.sources.budget import MIB
from components.sources.reader import RawDocument

# Names of the sides of an official split, in any case -> side.
PARTS = {
    "train": "train",
    "training": "train",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "dev": "validation",
    "development": "validation",
    "test": "test",
    "testing": "test",
}
_LONGEST_NAME = 10_000  # characters of an id, label or author; thousands are kept at a time
_BETWEEN = "\n\n"  # joins the texts of several columns
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Smallest number that counts as a time since 1970 -> units of it in a second. The ranges are 1973
# to 2286 in each unit, so that no number fits two units.
_EPOCH_UNITS = ((1e17, 1e9), (1e14, 1e6), (1e11, 1e3), (1e8, 1))
_LARGEST_EPOCH = 1e19
_NAMED_UNITS = {"seconds": 1, "milliseconds": 1000}
_TWITTER = "%a %b %d %H:%M:%S %z %Y"


class Columns(NamedTuple):
    """The columns that a source's rows are read from.

    Attributes:
        text: at least one.
        label: None where the source has a fixed label.
        id, time, author, part: None where the column is not read.
        lenient: those of them that nobody named: a value that does not fit is left out there.
        class_names: of labels that are numbers; position of each is its number.
    """

    text: tuple[str, ...]
    label: str | None
    id: str | None
    time: str | None
    author: str | None
    lenient: frozenset[str]
    class_names: tuple[str, ...] = ()
    part: str | None = None

    @classmethod
    def of(cls, source: Source, ignored: Collection[str] = ()) -> Columns:
        """Reads the names in `source`, without the optional keys in `ignored`."""
        names = [None if key in ignored else source.column(key) for key in OPTIONAL]
        label = None if source.fixed_label is not None else source.label
        lenient = frozenset(key for key in OPTIONAL if getattr(source, key) == AUTO)
        return cls(
            source.text_columns, label, names[0], names[1], names[2], lenient, part=source.part
        )

    @property
    def needed(self) -> dict[str, str]:
        """Name of each required column -> the key that names it."""
        names = dict.fromkeys(self.text, "text")
        for key in ("label", "part"):
            if (name := getattr(self, key)) is not None:
                names[name] = key
        return names

    @property
    def all(self) -> tuple[str, ...]:
        """Names of all columns, each once."""
        names = (*self.text, self.label, self.id, self.time, self.author, self.part)
        return tuple(dict.fromkeys(name for name in names if name is not None))


def needed(source: Source) -> dict[str, str]:
    """Returns the name of each required column -> the key of `source` that names it."""
    return Columns.of(source).needed


def named_label(label: str | None, source: Source) -> str | None:
    """Maps a label of the source to a class by `fixed_label` and `label_names`."""
    if source.fixed_label is not None:
        return source.fixed_label
    return source.label_names.get(label, label) if label is not None else None


def at_path(row: Any, path: str) -> Any:
    """Looks up the value at the dotted `path`; None if missing. Numbers index lists, from 0.

    A key that is the whole path wins.

    >>> at_path({"a": {"b": [10, 20]}}, "a.b.1"), at_path({"a.b": 1}, "a.b"), at_path({}, "a.b")
    (20, 1, None)
    """
    if isinstance(row, dict) and path in row:
        return row[path]
    for part in path.split("."):
        if isinstance(row, dict):
            row = row.get(part)
        elif isinstance(row, list) and part.isdecimal() and int(part) < len(row):
            row = row[int(part)]
        else:
            return None
    return row


def document(
    row: Mapping[str, Any],
    number: int,
    source: Source,
    prefix: str = "",
    columns: Columns | None = None,
) -> RawDocument:
    """Converts `row` to a document.

    Args:
        row: column -> value; absent, null and empty mean the same, except in the text.
        number: of the row in its file, from 1; the id of a row without id.
        source: settings of labels, limits and times.
        prefix: of that number.
        columns: None for those that `source` names.

    Returns:
        A document; with `fault` and without text where the row has no text that is a string, or
        another column that cannot be read. No fault repeats a value.
    """
    columns = columns or Columns.of(source)
    name = None
    try:
        name = _optional(row, "id", columns, source)
        label = None
        if columns.label is not None:
            label = _label(row, columns.label, source, columns.class_names)
        author = _optional(row, "author", columns, source)
        time = _optional(row, "time", columns, source)
        part = None if columns.part is None else _part(row, columns.part)
        text = _text(row, columns.text)
        fault = _too_long(text, source) or text_fault(text)
        if fault:
            raise RowError(fault)
    except RowError as bad:
        return faulty(name or f"{prefix}{number}", str(bad), source)
    if source.fixed_label is not None:
        label = source.fixed_label
    name = name or f"{prefix}{number}"
    return RawDocument(f"{source.name}/{name}", text, label, time, author, part=part)


def faulty(name: str, fault: str, source: Source) -> RawDocument:
    """Makes the document of an unreadable row, which goes to quarantine."""
    return RawDocument(f"{source.name}/{name}", text="", fault=fault)


def text_fault(text: str) -> str | None:
    """Returns the reason why `text` is invalid; None for a valid text.

    >>> text_fault("a good text"), text_fault("\\ud800 half a character")
    (None, 'the text is not valid UTF-8')
    """
    if not text:
        return "the text is empty"
    if "\0" in text:
        return "the text holds NUL characters: it is binary or UTF-16"
    return None if _encodable(text) else "the text is not valid UTF-8"


def _too_long(text: str, source: Source) -> str | None:
    """Returns the fault of a text with more characters than the source's limit has bytes."""
    most = source.limits.document_mib * MIB if source.limits else len(text)
    return f"the text is longer than {most:,} bytes" if len(text) > most else None


class RowError(ValueError):
    """A column of a row that cannot be read; the message repeats no value."""


def value_of(row: Mapping[str, Any], column: str) -> Any:
    """Looks up a column, or a dotted path in columns that are nested."""
    return row[column] if column in row else at_path(row, column) if "." in column else None


def _text(row: Mapping[str, Any], columns: tuple[str, ...]) -> str:
    """Joins the texts of `columns`; of several columns those that are empty are left out."""
    texts = []
    for column in columns:
        text = value_of(row, column)
        if isinstance(text, str):
            if text or len(columns) == 1:
                texts.append(text)
        elif text is not None:
            raise RowError(f"{column!r} must be a text, got a value of type {type(text).__name__}")
    if not texts:
        names = " or ".join(repr(column) for column in columns)
        raise RowError(f"{names} must be a text, got none")
    return _BETWEEN.join(texts)


def _optional(row: Mapping[str, Any], key: str, columns: Columns, source: Source) -> Any:
    column = getattr(columns, key)
    if column is None:
        return None
    try:
        if key == "time":
            return read_time(value_of(row, column), column, source.time_format)
        return read_name(value_of(row, column), column)
    except RowError:
        if key in columns.lenient:
            return None
        raise


def _label(
    row: Mapping[str, Any], column: str, source: Source, class_names: tuple[str, ...]
) -> str | None:
    value = value_of(row, column)
    if isinstance(value, list | tuple):
        if len(value) > 1:
            raise RowError(
                f"{column!r} holds {len(value)} labels, a document has one: several labels for a "
                "document are not supported"
            )
        value = value[0] if value else None
    number = value
    if isinstance(value, bool | float):
        value = None if math.isnan(value) else label_text(value)  # pandas writes null as NaN
    label = read_name(value, column)
    if label is None:
        return None
    label = label.strip() or None
    if label in source.label_names:
        return source.label_names[str(label)]
    if class_names and type(number) is int:
        if number == -1:  # how datasets without labels are written
            return None
        if not 0 <= number < len(class_names):
            raise RowError(f"{column!r} is no number of a class that the file names")
        return source.label_names.get(class_names[number], class_names[number])
    return label


def read_name(value: Any, column: str) -> str | None:
    """Reads an id, label or author as text; whole numbers are allowed.

    Raises:
        RowError: a value of another type, too long, or not valid UTF-8.
    """
    if value is None or value == "":
        return None
    if type(value) is str and len(value) > _LONGEST_NAME:
        raise RowError(f"{column!r} is longer than {_LONGEST_NAME:,} characters")
    # The fast path for nearly all values: further tests cost as much as parsing the row.
    if type(value) is str and value.isascii() and "\0" not in value:
        return value
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise RowError(f"{column!r} must be a text or a whole number, got {type(value).__name__}")
    value = str(value)
    if "\0" in value or not _encodable(value):
        raise RowError(f"{column!r} is not valid UTF-8")
    return str(value)


def _part(row: Mapping[str, Any], column: str) -> str | None:
    """Reads the side of an official split."""
    value = read_name(value_of(row, column), column)
    part = PARTS.get((value or "").strip().casefold())
    if value is not None and part is None:
        raise RowError(
            f"{column!r}, the column of the key `part`, must be train, validation (valid, val, "
            "dev) or test, got another text"
        )
    return part


def read_time(value: object, column: str, form: str | None = None) -> datetime | None:
    """Reads a time in UTC, which is the default zone.

    Args:
        value: a time, date, text or number.
        column: for the message.
        form: `time_format` of the source.

    Raises:
        RowError: no time in that format; without a format, no time of an unambiguous form.
    """
    if value is None or value == "":
        return None
    try:
        if isinstance(value, datetime):
            time = value
        elif isinstance(value, date):
            time = datetime(value.year, value.month, value.day)
        else:
            time = _parsed_time(value, form)
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except (ValueError, OverflowError, TypeError):
        came = "another text" if isinstance(value, str) else type(value).__name__
        wanted = f"a time of the format {form}" if form else "an ISO 8601 time"
        raise RowError(f"{column!r} must be {wanted}, got {came}") from None


def _parsed_time(value: Any, form: str | None) -> datetime:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise TypeError
    text = str(value).strip() if isinstance(value, str) else value
    if form in _NAMED_UNITS:
        return _since_1970(float(text), _NAMED_UNITS[form])
    if form:
        return datetime.strptime(str(text), form)
    if not isinstance(text, str) or re.fullmatch(r"\d{9,19}(\.\d+)?", text):
        number = float(text)
        unit = next((unit for least, unit in _EPOCH_UNITS if number >= least), None)
        if unit is None or number >= _LARGEST_EPOCH:
            raise ValueError
        return _since_1970(number, unit)
    try:
        return datetime.fromisoformat(re.sub(r" ?(UTC|GMT)$", "Z", text))
    except ValueError:
        if re.match(r"[A-Za-z]{3}, ", text):
            return email.utils.parsedate_to_datetime(text)
        return datetime.strptime(text, _TWITTER)


def _since_1970(number: float, unit: float) -> datetime:
    if not math.isfinite(number):
        raise ValueError
    return _EPOCH + timedelta(seconds=number / unit)


def _encodable(text: str) -> bool:
    """Tests that `text` has no lone surrogates: halves of characters, or undecoded bytes."""
    if text.isascii():  # CPython stores this as a flag
        return True
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
