"""Reads the texts of a file in pieces: text, JSON, HTML, tables, databases, archives.

Each piece is a text and a function from a character's offset in the text to a location in the
file, such as a line or a row and column.
"""

from __future__ import annotations

import gzip
import html
import io
import json
import re
import sqlite3
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

import polars as pl

from components.core.scrub import pseudonyms

Locate = Callable[[int], str]
CHUNK = 8 * 1024 * 1024  # bytes read at a time
_BLOCK = 4000  # characters of lines searched together
_LARGEST_JSON = 64 * 1024 * 1024  # bytes; a longer one is read as lines
_LARGEST_MEMBER = 1024 * 1024 * 1024  # bytes of an archive's member that is opened by itself
_PRINTABLE = re.compile(rb"[\x20-\x7e\xc2-\xf4\x80-\xbf]{6,}")
_WIDE = re.compile(rb"(?:[\x20-\x7e]\x00){6,}")
_NO_TEXT = re.compile(r"<(script|style|svg)\b.*?</\1\s*>|<[^>]*>", re.DOTALL | re.IGNORECASE)
_PLACEHOLDER = re.compile(r"<[A-Z][A-Z_]+(?:_[0-9a-f]{12})?>")
SQLITE, GZIP, ZIP = b"SQLite format 3\0", b"\x1f\x8b", b"PK\x03\x04"
PARQUET, NUMPY = b"PAR1", b"\x93NUMPY"


@dataclass(frozen=True)
class Piece:
    """A text, and a function that locates its characters in the file.

    Attributes:
        certain: false for printable bytes of a binary file, where names of persons do not count.
        pseudonym: true for a pseudonym in an author column. One pseudonym in twenty thousand has
            sixteen digits that pass for a card number.
    """

    text: str
    locate: Locate
    certain: bool = True
    pseudonym: bool = False


def at(location: str) -> Locate:
    """Locates every character at the same location."""
    return lambda _: location


def members(name: str, file: IO[bytes]) -> Iterator[tuple[str, IO[bytes]]]:
    """Opens the members of a ZIP or gzip file; yields nothing for other files."""
    head = _head(file)
    if head.startswith(GZIP):
        yield f"{name} unpacked", cast("IO[bytes]", gzip.GzipFile(fileobj=file))
    elif head.startswith(ZIP):
        with zipfile.ZipFile(file) as archive:
            for info in archive.infolist():
                if not info.is_dir():
                    with archive.open(info) as member:
                        inside = f"{name}!{info.filename}"
                        if info.file_size <= _LARGEST_MEMBER:
                            yield inside, io.BytesIO(member.read())
                        else:
                            yield inside, member


def pieces(path: Path | None, name: str, file: IO[bytes]) -> Iterator[Piece]:
    """Yields the texts of a file.

    Args:
        path: of the file itself; None inside an archive.
        name: of the file; its suffix chooses the reader of a text file.
        file: opened at its start; read to its end.
    """
    head = _head(file)
    if head.startswith(PARQUET) and file.seekable():
        yield from _parquet(file)
    elif head.startswith(SQLITE) and path is not None:
        yield from _sqlite(path)
    elif head.startswith(NUMPY):
        yield from _numpy(file)
    elif head[:1] == b"\0" or _is_binary(head):
        yield from binary(file)
    elif name.endswith((".html", ".htm", ".svg")):
        yield from _html(file)
    elif name.endswith(".json"):
        yield from _json(file)
    else:
        yield from _lines(file, as_json=name.endswith((".jsonl", ".ndjson")))


def binary(file: IO[bytes]) -> Iterator[Piece]:
    """Yields runs of printable characters, decoded from UTF-8 and from UTF-16."""
    offset, rest = 0, b""
    while chunk := file.read(CHUNK):
        content = rest + chunk
        # A run at the end of the chunk may continue in the next chunk.
        keep = min(len(content), 4096) if len(chunk) == CHUNK else 0
        for pattern, encoding in ((_PRINTABLE, "utf-8"), (_WIDE, "utf-16-le")):
            for match in pattern.finditer(content, 0, len(content) - keep or len(content)):
                text = match[0].decode(encoding, "replace")
                yield Piece(text, at(f"offset {offset - len(rest) + match.start()}"), certain=False)
        rest = content[len(content) - keep :] if keep else b""
        offset += len(chunk)


def _parquet(file: IO[bytes]) -> Iterator[Piece]:
    table = pl.read_parquet(file)
    values: Iterator[tuple[int, str]]
    for column in table:
        if column.dtype == pl.String:
            values = iter(enumerate(column))
        elif column.dtype.is_nested() or column.dtype in (pl.Binary, pl.Categorical):
            values = iter((i, _plain(value)) for i, value in enumerate(column.to_list()))
        else:
            continue
        for i, value in values:
            if value:
                locate = at(f"row {i}, column {column.name}")
                author = column.name == "author" and pseudonyms.is_pseudonym(value)
                yield Piece(value, locate, pseudonym=author)


def _sqlite(path: Path) -> Iterator[Piece]:
    """Yields the cells of all tables; `binary` reads deleted rows that are still in the file."""
    database = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=30)
    try:
        database.text_factory = lambda raw: raw.decode("utf-8", "replace")
        names = database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        for (name,) in names:
            quoted = '"' + str(name).replace('"', '""') + '"'
            cursor = database.execute(f"SELECT * FROM {quoted}")  # noqa: S608 - quoted above
            columns = [description[0] for description in cursor.description]
            for i, row in enumerate(cursor):
                for column, value in zip(columns, row, strict=True):
                    text = _plain(value) if isinstance(value, str | bytes) else ""
                    if text:
                        yield Piece(text, at(f"table {name}, row {i}, column {column}"))
    finally:
        database.close()


def _numpy(file: IO[bytes]) -> Iterator[Piece]:
    import numpy as np

    try:
        array = np.load(io.BytesIO(file.read()), allow_pickle=False)
    except ValueError:  # an array of Python objects, which is never unpickled here
        file.seek(0)
        yield from binary(file)
        return
    if array.dtype.kind in "US":
        for i, value in enumerate(array.ravel().tolist()):
            yield Piece(_plain(value), at(f"element {i}"))


def _json(file: IO[bytes]) -> Iterator[Piece]:
    content = file.read(_LARGEST_JSON + 1)
    try:
        if len(content) > _LARGEST_JSON:
            raise ValueError
        value = json.loads(content)
    except ValueError:
        file.seek(0)
        yield from _lines(file, as_json=False)
        return
    yield from _strings(value, "$")


def _strings(value: Any, location: str) -> Iterator[Piece]:
    """Yields every string in a JSON value, including keys."""
    if isinstance(value, str):
        yield Piece(value, at(location))
    elif isinstance(value, dict):
        for i, (key, inner) in enumerate(value.items()):
            # A key may itself be personal data, so its location is its number.
            yield Piece(str(key), at(f"{location}, key {i}"))
            yield from _strings(inner, f"{location}.{key if str(key).isidentifier() else f'[{i}]'}")
    elif isinstance(value, list):
        for i, inner in enumerate(value):
            yield from _strings(inner, f"{location}[{i}]")


def _html(file: IO[bytes]) -> Iterator[Piece]:
    text = file.read().decode("utf-8", "replace")

    def blank(match: re.Match[str]) -> str:
        return " " + "\n" * match[0].count("\n")

    shown = html.unescape(_NO_TEXT.sub(blank, _PLACEHOLDER.sub(" ", text)))
    yield from _blocks((line for line in shown.splitlines(keepends=True)), 1)


def _lines(file: IO[bytes], *, as_json: bool) -> Iterator[Piece]:
    lines = (line.decode("utf-8", "replace") for line in file)
    if not as_json:
        yield from _blocks(lines, 1)
        return
    for number, line in enumerate(lines, start=1):
        try:
            value = json.loads(line)
        except ValueError:
            yield Piece(line, at(f"line {number}"))
        else:
            for piece in _strings(value, "$"):
                yield Piece(piece.text, at(f"line {number}, {piece.locate(0)}"))


def _blocks(lines: Iterator[str], first: int) -> Iterator[Piece]:
    """Joins lines to blocks, since many short searches cost more than one long search."""
    block: list[str] = []
    start, size = first, 0
    for number, line in enumerate(lines, start=first):
        if block and size + len(line) > _BLOCK:
            yield _block(block, start)
            block, start, size = [], number, 0
        block.append(line)
        size += len(line)
    if block:
        yield _block(block, start)


def _block(lines: list[str], start: int) -> Piece:
    text = "".join(lines)
    return Piece(text, lambda offset: f"line {start + text.count(chr(10), 0, offset)}")


def _plain(value: Any) -> str:
    if isinstance(value, bytes):
        runs = [match[0].decode("utf-8", "replace") for match in _PRINTABLE.finditer(value)]
        return "\n".join(runs)
    return value if isinstance(value, str) else json.dumps(value, default=str, ensure_ascii=False)


def _head(file: IO[bytes]) -> bytes:
    """Reads the first 1024 bytes and seeks back to the start; empty if not seekable."""
    if file.seekable():
        head = file.read(1024)
        file.seek(0)
        return head
    return b""


def _is_binary(head: bytes) -> bool:
    if b"\0" in head:
        return True
    try:
        head.decode("utf-8")
    except UnicodeDecodeError as error:
        return error.start < len(head) - 4
    return False
