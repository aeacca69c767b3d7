"""Columns of a table: which of them fit a key of the source, and which one a person may mean."""

from __future__ import annotations

import difflib
import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

import yaml

from components.core.params import Source
from components.sources.reader import printable
from components.sources.rows import RowError, at_path, read_name, read_time, value_of

_DEEPEST = 4  # levels of nested objects whose keys are listed
_LISTED = 20  # names of columns in a message
_NAME_CHARACTERS, _NAME_WORDS = 40, 3  # of what may be the name of a column, not a value
_ABBREVIATION = re.compile(r"^(\S{1,8})\.$")  # such as "No."
_SIMILAR = 0.75  # of two names, by difflib
_DIGEST = 8  # bytes of an id that is remembered: two of 100,000 ids rarely share one


class TableShape(Protocol):
    """Part of `row_files.Table` that `missing_column` reads."""

    @property
    def columns(self) -> Sequence[str] | None: ...
    @property
    def repeated(self) -> Mapping[str, Sequence[str]]: ...
    @property
    def unnamed(self) -> bool: ...
    @property
    def sure(self) -> bool: ...


class Fit:
    """Tests row by row that a column, which nobody named, holds what its name promises.

    Attributes:
        key: id, time or author.
        column: name of the column.
        misfit: sentence for a person, once a value does not fit; empty before.
    """

    def __init__(self, key: str, source: Source) -> None:
        self.key, self.column, self.misfit = key, source.column(key) or key, ""
        self._form, self._ids = source.time_format, set[bytes]()

    def add(self, row: Mapping[str, Any], place: str) -> None:
        """Tests the value in `row`; `place` names the row."""
        if self.misfit:
            return
        try:
            value = value_of(row, self.column)
            if self.key == "time":
                read_time(value, self.column, self._form)
                return
            name = read_name(value, self.column)
        except RowError:
            kind = "time" if self.key == "time" else "text or whole number"
            self._refuse(f"{place} has no {kind} there")
            return
        if self.key == "id" and name is not None:
            digest = hashlib.blake2b(name.encode(), digest_size=_DIGEST).digest()
            if digest in self._ids:
                self._refuse(f"{place} has the same value as a row before")
            self._ids.add(digest)

    def _refuse(self, reason: str) -> None:
        self.misfit = (
            f"the column {self.column!r} is not used: {reason}. To use it, write "
            f"`{self.key}: {self.column}` in this source's entry in params.yaml; `{self.key}: "
            "null` ends this message."
        )
        self._ids.clear()


def is_there(row: Mapping[str, Any], column: str) -> bool:
    """Tests that a row has a column, or a value at a dotted path."""
    return column in row or at_path(row, column) is not None


def paths_of(row: Mapping[str, Any], prefix: str = "", depth: int = 1) -> Iterator[str]:
    """Yields the keys of a row, and the dotted paths of nested objects.

    >>> list(paths_of({"id": 1, "data": {"text": "t"}}))
    ['id', 'data', 'data.text']
    """
    for key, value in row.items():
        yield f"{prefix}{key}"
        if isinstance(value, dict) and depth < _DEEPEST:
            yield from paths_of(value, f"{prefix}{key}.", depth + 1)


def nearest_column(name: str, columns: Iterable[str]) -> str | None:
    """Returns the column whose name is most like `name`; None if none is.

    >>> nearest_column("Text", ["text", "label"]), nearest_column("text", ["id", "data.text"])
    ('text', 'data.text')
    >>> nearest_column("text", ["id", "body"])
    """
    plain = {re.sub(r"[\W_]+", "", column).casefold(): column for column in reversed([*columns])}
    wanted = re.sub(r"[\W_]+", "", name).casefold()
    if wanted in plain:
        return plain[wanted]
    for column in plain.values():
        if name.casefold() in re.split(r"[.\s_-]+", column.casefold()):
            return column
    matches = difflib.get_close_matches(wanted, plain, n=1, cutoff=_SIMILAR)
    return plain[matches[0]] if matches else None


def looks_like_name(text: str) -> bool:
    """Tests that `text` may be the name of a column: short, of few words, no number.

    >>> looks_like_name("Product Title"), looks_like_name("Jane owes me 20 pounds")
    (True, False)
    >>> looks_like_name("No."), looks_like_name("Call now.")
    (True, False)
    """
    text = _ABBREVIATION.sub(r"\1", text.strip())
    return (
        0 < len(text) <= _NAME_CHARACTERS
        and len(text.split()) <= _NAME_WORDS
        and any(character.isalpha() for character in text)
        and not re.search(r"[@!?;\n\r\t\"<>]|://|\.\s|,\s|\.$|\d{5}", text)
    )


def numbered(fields: Sequence[object]) -> list[str]:
    """Names the columns of a file without a header.

    >>> numbered(["a", "b"])
    ['column_1', 'column_2']
    """
    return [f"column_{number}" for number in range(1, len(fields) + 1)]


def named_columns(header: Sequence[str]) -> tuple[list[str], dict[str, list[str]]]:
    """Names the columns by a header; one without a name of its own gets its number.

    Returns:
        The names, and for each name that stands several times the names of its columns.

    >>> named_columns(["text", "", "label", "text"])
    (['column_1', 'column_2', 'label', 'column_4'], {'text': ['column_1', 'column_4']})
    """
    repeated: dict[str, list[str]] = {}
    names = []
    for name, number in zip(header, numbered(header), strict=True):
        if name and header.count(name) > 1:
            repeated.setdefault(name, []).append(number)
            name = ""  # noqa: PLW2901
        names.append(name or number)
    return names, repeated


def missing_column(key: str, name: str, texts: Sequence[str], table: TableShape) -> tuple[str, str]:
    """Describes that a column is missing: what came instead, and what to do.

    Names of columns are shown where they look like names. In a file without a header they would be
    values of the first row.

    Args:
        key: of the source: text or label.
        name: that the source gives it.
        texts: all names of `text`.
        table: where it is missing.
    """
    columns = list(table.columns or ())
    many = key == "text" and len(texts) > 1

    def entry(column: str) -> str:
        named = ", ".join(_as_yaml(column if text == name else text) for text in texts)
        return f"`text: [{named}]`" if many else f"`{key}: {_as_yaml(column)}`"

    if name in table.repeated:
        numbered = table.repeated[name]
        if not numbered:
            return "several columns of that name", "Rename all but one of them."
        return f"{len(numbered)} columns of that name", (
            f"Write {' or '.join(entry(column) for column in numbered)} in this source's entry in "
            "params.yaml, or rename one of them."
        )
    if table.unnamed:
        shown = f"{columns[0]} to {columns[-1]}" if len(columns) > 1 else "".join(columns)
        return f"a file that seems to have no header, with {len(columns)} columns", (
            f"If so, set `header: false` and name the columns by their numbers, {shown}: such as "
            f"{entry(columns[-1] if columns else 'column_1')}. If the first row holds names, set "
            "`header: true`."
        )
    if near := nearest_column(name, [column for column in columns if looks_like_name(column)]):
        return f"the column {printable(near)}", (
            f"Names must match exactly: write {entry(near)} in this source's entry in params.yaml."
        )
    listed = _listed(columns, table.sure)
    todo = f"Name the right column by `{key}:` in this source's entry in params.yaml."
    if columns and not listed.startswith("only"):
        todo += (
            " The names are not shown, because they may be values: if the file has no header, set "
            "`header: false` and name the columns column_1, column_2, ..."
        )
    return listed, todo


def _as_yaml(name: str) -> str:
    """Writes a name as params.yaml may hold it: in quotes, unless it is a plain word.

    >>> _as_yaml("text"), _as_yaml(" text"), _as_yaml("1")
    ('text', '" text"', '"1"')
    """
    is_plain = re.fullmatch(r"[^\W\d][\w.-]*( [\w.-]+)*", name) and yaml.safe_load(name) == name
    return name if is_plain else json.dumps(name, ensure_ascii=False)


def _listed(columns: Sequence[str], sure: bool) -> str:
    if not columns:
        return "none"
    if not sure or not all(map(looks_like_name, columns)):
        return f"{len(columns)} columns of other names"
    listed = ", ".join(map(printable, columns[:_LISTED]))
    more = f" and {len(columns) - _LISTED} more" if len(columns) > _LISTED else ""
    return f"only {listed}{more}"
