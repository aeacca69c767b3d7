"""Converts a row of a file, query or API to a document, with a `fault` for a bad row."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

from components.core.params import Source
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


def needed(source: Source) -> tuple[str, ...]:
    """Returns the keys of `source` whose columns are required."""
    keys = ("text",) if source.fixed_label is not None else ("text", "label")
    return keys if source.part is None else (*keys, "part")


def named_label(label: str | None, source: Source) -> str | None:
    """Maps a label of the source to a class by `fixed_label` and `label_names`."""
    if source.fixed_label is not None:
        return source.fixed_label
    return source.label_names.get(label, label) if label is not None else None


def document(row: Mapping[str, Any], number: int, source: Source, prefix: str = "") -> RawDocument:
    """Converts `row` to a document.

    Args:
        row: column -> value; absent, null and empty mean the same, except in the text.
        number: of the row in its file, from 1; the id of a row without id.
        source: settings that name the columns.
        prefix: of that number.

    Returns:
        A document; with `fault` and without text where the row has no text that is a string, or
        another column that cannot be read. No fault repeats a value.
    """
    name = None
    try:
        name = _scalar(row, source.id)
        label = None if source.fixed_label is not None else _scalar(row, source.label)
        author = _scalar(row, source.author)
        time = _time(row, source.time)
        part = None if source.part is None else _part(row, source.part)
        text = row.get(source.text)
        if not isinstance(text, str):
            came = "none" if text is None else f"a value of type {type(text).__name__}"
            raise _RowError(f"{source.text!r} must be a text, got {came}")
        fault = _too_long(text, source) or text_fault(text)
        if fault:
            raise _RowError(fault)
    except _RowError as bad:
        return faulty(name or f"{prefix}{number}", str(bad), source)
    if source.fixed_label is not None or source.label_names:
        label = named_label(label, source)
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


class _RowError(ValueError):
    """A column of a row that cannot be read."""


def _scalar(row: Mapping[str, Any], column: str) -> str | None:
    """Reads an id, label or author as text; whole numbers are allowed."""
    value = row.get(column)
    if value is None or value == "":
        return None
    if type(value) is str and len(value) > _LONGEST_NAME:
        raise _RowError(f"{column!r} is longer than {_LONGEST_NAME:,} characters")
    # The fast path for nearly all values: further tests cost as much as parsing the row.
    if type(value) is str and value.isascii() and "\0" not in value:
        return value
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise _RowError(f"{column!r} must be a text or a whole number, got {type(value).__name__}")
    value = str(value)
    if "\0" in value or not _encodable(value):
        raise _RowError(f"{column!r} is not valid UTF-8")
    return value


def _part(row: Mapping[str, Any], column: str) -> str | None:
    """Reads the side of an official split."""
    value = _scalar(row, column)
    part = PARTS.get((value or "").strip().casefold())
    if value is not None and part is None:
        raise _RowError(
            f"{column!r}, the column of the key `part`, must be train, validation (valid, val, "
            "dev) or test, got another text"
        )
    return part


def _time(row: Mapping[str, Any], column: str) -> datetime | None:
    """Reads a time in UTC, which is the default zone."""
    value = row.get(column)
    if value is None or value == "":
        return None
    try:
        if isinstance(value, str):
            value = datetime.fromisoformat(value.strip())
        elif isinstance(value, date) and not isinstance(value, datetime):
            value = datetime(value.year, value.month, value.day)
        if not isinstance(value, datetime):
            raise _RowError(f"{column!r} must be an ISO 8601 time, got {type(value).__name__}")
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        if isinstance(error, _RowError):
            raise
        raise _RowError(f"{column!r} must be an ISO 8601 time, got another text") from None


def _encodable(text: str) -> bool:
    """Tests that `text` has no lone surrogates: halves of characters, or undecoded bytes."""
    if text.isascii():  # CPython stores this as a flag
        return True
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
