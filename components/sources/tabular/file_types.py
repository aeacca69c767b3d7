"""Detects the type of a file by its first bytes, for files that contradict `kind` or their name."""

from __future__ import annotations

import codecs
import json
from typing import NamedTuple

_ARRAY = "a JSON array"
_READ = 4096  # bytes that are looked at
_ZIP = b"PK\x03\x04"
_SIGNATURES: tuple[tuple[bytes, str, str | None], ...] = (
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook or another file of Microsoft Office", "excel"),
    (b"PAR1", "a Parquet file", "parquet"),
    (b"ARROW1", "an Arrow file", "arrow"),
    (b"\xff\xff\xff\xff", "an Arrow stream", "arrow"),
    (b"FEA1", "a Feather file of version 1", None),
    (b"SQLite format 3\0", "a SQLite database", "sql"),
    (b"%PDF-", "a PDF", None),
    (b"{\\rtf", "a text in RTF", None),
    (b"\x1f\x8b", "a file that is packed by gzip", None),
    (b"BZh", "a file that is packed by bzip2", None),
    (b"\xfd7zXZ\0", "a file that is packed by xz", None),
    (b"\x28\xb5\x2f\xfd", "a file that is packed by zstd", None),
    (b"7z\xbc\xaf", "a 7z archive", None),
    (b"Rar!", "a RAR archive", None),
    (b"\x89PNG", "a picture", None),
    (b"\xff\xd8\xff", "a picture", None),
)
_HTML = (b"<!doctype html", b"<html", b"<table", b"<meta")
_KINDS = ("csv", "excel", "json", "jsonl", "parquet", "arrow")
_BINARY = ("excel", "parquet", "arrow")


class FileType(NamedTuple):
    """Type of a file.

    Attributes:
        description: with its article.
        kind: of the source that reads such files; None where none does.
    """

    description: str
    kind: str | None


_ARCHIVE = FileType("a zip archive", None)
_ZIPS = (
    (b"xl/", FileType("a workbook of Excel", "excel")),
    (b"opendocument.spreadsheet", FileType("a workbook of LibreOffice", "excel")),
    (b"word/", FileType("a document of Word", None)),
    (b"[Content_Types].xml", FileType("a file of Microsoft Office", "excel")),
)


def file_type(head: bytes) -> FileType | None:
    r"""Recognizes a file by its beginning; None for CSV, other texts and what is not known.

    >>> file_type(b"PAR1\x15\x04").kind, file_type(b'{"text": "a"}\n').kind, file_type(b"a,b\n")
    ('parquet', 'jsonl', None)
    """
    head = head[:_READ]
    if head.startswith(_ZIP):
        return next((kind for mark, kind in _ZIPS if mark in head), _ARCHIVE)
    for mark, description, kind in _SIGNATURES:
        if head.startswith(mark):
            return FileType(description, kind)
    return _text_type(head.removeprefix(codecs.BOM_UTF8).lstrip())


def _text_type(text: bytes) -> FileType | None:
    if text[:20].lower().startswith(_HTML):
        return FileType("an HTML page", None)
    if text.startswith(b"<?xml"):
        return FileType("an XML file", None)
    if text.startswith((b'{"', b"{\n", b"{\r", b"{ ")):
        return FileType("JSON Lines", "jsonl") if _is_lines(text) else FileType("JSON", "json")
    is_array = text.startswith(b"[") and text[1:].lstrip()[:1] in (b"{", b"[")
    return FileType(_ARRAY, "json") if is_array else None


def other_type(head: bytes, kind: str) -> FileType | None:
    """Returns what the file is if a source of `kind` cannot read it; None if it can, or may."""
    if not head or kind not in _KINDS:
        return None
    found = file_type(head)
    if found is None and kind in _BINARY and b"\0" not in head[:_READ]:
        return FileType("a text, perhaps CSV", "csv")
    if found is None or found.kind == kind or (found is _ARCHIVE and kind == "excel"):
        return None
    if kind == "annotations" and found.kind in ("json", "jsonl"):
        return None
    # JSON and JSON Lines share their first bytes, unless a value goes on in the next line.
    if {found.kind, kind} == {"json", "jsonl"} and found.description != _ARRAY:
        first = head.removeprefix(codecs.BOM_UTF8).lstrip().partition(b"\n")
        return found if kind == "jsonl" and first[1] and first[0].strip() == b"{" else None
    return found


def _is_lines(text: bytes) -> bool:
    first = text.partition(b"\n")[0]
    try:
        json.loads(first)
    except (ValueError, RecursionError):
        return first == text  # a line longer than the head
    return True
