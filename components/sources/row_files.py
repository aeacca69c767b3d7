"""Base class of connectors to files of rows: one file, a zip or folder of files, or a pattern."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from functools import cached_property
from typing import IO, Any, ClassVar, NamedTuple

from components.core.errors import SourceError
from components.core.progress import say
from components.sources.budget import Budget
from components.sources.files import UNREADABLE, PinnedFile
from components.sources.packed import PACKED, Zip, ending, unpacked
from components.sources.reader import Pin, RawDocument, fingerprint
from components.sources.rows import Columns, document, faulty
from components.sources.stores import DIGEST_BYTES, Store
from components.sources.tabular.columns import Fit, is_there, missing_column, paths_of
from components.sources.tabular.file_types import other_type

_SURVEYED = 100_000  # rows that decide whether the columns fit that nobody named
_SHOWN_KEYS = 50
_HEAD = 4096  # bytes that show the type of a file


class Table(NamedTuple):
    """The rows of one file, before any of them becomes a document.

    Attributes:
        rows: number of each row, and the row: column -> value as the file has it, nested values as
            they are (`rows.at_path` looks into them); a text instead of a row that cannot be
            read: the reason, without any of the row's content.
        columns: names of the columns; None where each row has keys of its own.
        repeated: name that the header holds several times -> the names of its columns in `rows`.
        unnamed: True for a file without a header.
        sure: False if the names of the columns may be values, which no message shows.
        lists: columns of `columns` whose values are lists.
        class_names: column -> names of its classes by their number, as the file states them.
    """

    rows: Iterator[tuple[int, Mapping[str, Any] | str]]
    columns: Sequence[str] | None = None
    repeated: Mapping[str, Sequence[str]] = {}
    unnamed: bool = False
    sure: bool = True
    lists: Sequence[str] = ()
    class_names: Mapping[str, Sequence[str]] = {}

    def has(self, name: str) -> bool:
        """Tests that there is a column, or a list that the dotted path `name` leads into."""
        inside = any(name.startswith(f"{column}.") for column in self.lists)
        return inside or name in (self.columns or ())


class FileReader(PinnedFile):
    """Base of the connectors to files of rows.

    The path names one file, plain or packed, a zip of such files, a folder of them, or several by
    a pattern such as `data/part-*.csv`. Subclasses give `_table`, and may set `suffixes`.

    Attributes:
        suffixes: of the files that are wanted of a zip or folder, in small letters.
    """

    suffixes: ClassVar[tuple[str, ...]] = ("",)
    _member = ""  # the file of an archive or folder that is read at the moment
    _columns: Columns | None = None

    @abstractmethod
    def _table(self, file: IO[bytes], wanted: Columns | None) -> Table:
        """Opens the rows of one file in its own order.

        Args:
            file: unpacked; it seeks, unless `streams` is set.
            wanted: columns that are used; None for all.
        """

    def records(self, limit: int | None = None) -> Iterator[Mapping[str, Any]]:
        count = 0
        for _, table in self._tables(None) if limit != 0 else ():
            for _, row in table.rows:
                if not isinstance(row, str):
                    yield row
                    count += 1
                    if count == limit:
                        return

    def _tables(self, wanted: Columns | None) -> Iterator[tuple[str, Table]]:
        """Opens the tables of all files again, with a budget of their own."""
        budget = self._budget
        try:
            with self._reading():
                names = self._parts()[0] if self._is_many else [""]
                size = sum(self._file_of(name).size(name) for name in names)
            self._budget = Budget(self.source.limits, packed=size)
            with self._within_limits(), self._reading():
                for name in names:
                    with self._file_of(name).open(name) as file:
                        for member, content in self._members(file, name):
                            yield member, self._table(content, wanted)
        finally:
            self._budget = budget

    def _state(self) -> Pin:
        if not self._is_many:
            return super()._state()
        with self._reading():
            names, marks = self._parts()
        starts = range(0, len(marks), DIGEST_BYTES)
        digests = [marks[start : start + DIGEST_BYTES].hex() for start in starts]
        return {
            "files": len(names),
            "fingerprint": fingerprint(dict(zip(names, digests, strict=True))),
        }

    def _documents(self, pin: Mapping[str, Any]) -> Iterator[RawDocument]:
        self._columns = self._fitting()
        if not self._is_many:
            yield from super()._documents(pin)
            return
        self._compare(self._state()["fingerprint"], pin)
        with self._reading():
            names, _ = self._parts()
            self._budget = Budget(
                self.source.limits, packed=sum(self._store.size(name) for name in names)
            )
            for name in names:
                with self._store.open(name) as file:
                    yield from self._unpacked(file, name)
        self._compare(self._state()["fingerprint"], pin)

    def _unpacked(self, file: IO[bytes], name: str = "") -> Iterator[RawDocument]:
        columns = self._columns or Columns.of(self.source)
        for member, content in self._members(file, name):
            table = self._table(content, columns)
            yield from self._mapped(table, columns, f"{member}/" if member else "")

    def _mapped(self, table: Table, columns: Columns, prefix: str) -> Iterator[RawDocument]:
        """Converts the rows of a table to documents; checks that the required columns are there."""
        missing = dict(columns.needed)
        if table.columns is not None:
            for name, key in missing.items():
                if not table.has(name) or name in table.repeated:
                    raise self._without_column(key, name, table)
            missing = {}
        if names := table.class_names.get(columns.label or ""):
            columns = columns._replace(class_names=tuple(names))
        keys: dict[str, None] = {}
        for number, row in table.rows:
            if isinstance(row, str):
                yield faulty(f"{prefix}{number}", row, self.source)
                continue
            if missing:
                for name in [name for name in missing if is_there(row, name)]:
                    del missing[name]
                if len(keys) < _SHOWN_KEYS:
                    keys |= dict.fromkeys(paths_of(row))
            yield document(row, number, self.source, prefix, columns)
        for name, key in missing.items() if keys else ():
            raise self._without_column(key, name, table._replace(columns=list(keys)))

    def _fitting(self) -> Columns:
        """Chooses the optional columns: without those that nobody named and that do not fit.

        A file that cannot be read is reported when its documents are read.
        """
        fits = [Fit(key, self.source) for key in Columns.of(self.source).lenient]
        try:
            seen = 0
            for member, table in self._tables(Columns.of(self.source)) if fits else ():
                here = [fit for fit in fits if table.columns is None or table.has(fit.column)]
                for number, row in table.rows if here else ():
                    seen += 1
                    if not isinstance(row, str):
                        for fit in here:
                            fit.add(row, f"{member}, row {number}" if member else f"row {number}")
                    if seen >= _SURVEYED or all(fit.misfit for fit in here):
                        break
        except (SourceError, *UNREADABLE):
            return Columns.of(self.source)
        for fit in fits:
            if fit.misfit:
                say(f"source {self.source.name}: {fit.misfit}")
        return Columns.of(self.source, [fit.key for fit in fits if fit.misfit])

    def _members(self, file: IO[bytes], name: str) -> Iterator[tuple[str, IO[bytes]]]:
        """Yields (name, content) of each file of rows in a stored file; "" for a plain one."""
        source, stored = self.source, (name or self._store.name).lower()
        if stored.endswith(".zip"):
            member = None
            for member, _, content in Zip(
                file, source.inside or "", ending(self.suffixes), self._budget
            ):
                self._member = f"{name}/{member}" if name else member
                yield self._member, self._of_kind(content)
            self._member = ""
            if member is None:
                raise self._nothing_inside(" or ".join(f"*{end}" for end in self.suffixes))
            return
        if source.inside:
            raise self._error(
                "`inside` for a zip only", self._shown, "Take `inside` away in params.yaml."
            )
        self._member = name
        yield name, self._of_kind(unpacked(file, stored, self._budget))
        self._member = ""

    def _of_kind(self, file: IO[bytes]) -> IO[bytes]:
        """Returns `file`, unless its first bytes are those of another kind of file."""
        head: bytes = file.peek(_HEAD)  # type: ignore[attr-defined]
        if (other := other_type(head, self.source.kind)) is not None:
            todo = "Export the rows as CSV or JSON Lines."
            if other.kind is not None:
                todo = f"Set `kind: {other.kind}` for this source in params.yaml."
            raise self._error(
                f"a readable {self.source.kind} file at {self._shown}", other.description, todo
            )
        return file

    @property
    def _shown(self) -> str:
        return f"{self._store.shown}, {self._member}" if self._member else self._store.shown

    @cached_property
    def _is_many(self) -> bool:
        """True for a folder or a pattern."""
        with self._reading():
            return self._pattern is not None or self._store.what() == "folder"

    @cached_property
    def _pattern(self) -> str | None:
        """The part of the path from the first wildcard on; None for a path of a file or folder."""
        path = self.source.path or ""
        head, tail = _divided(path)
        is_literal = "://" not in path and (self.paths.sources / path).exists()
        return tail if head != path and not is_literal else None

    def _find_store(self) -> Store:
        if self._pattern is None:
            return super()._find_store()
        return self._store_at(_divided(self.source.path or "")[0] or ".")

    def _file_of(self, name: str) -> Store:
        return self._store if name else self._file()

    def _parts(self) -> tuple[list[str], bytearray]:
        """Lists the files of a folder or pattern, and the marks of their content.

        Raises:
            SourceError: no such file.
        """
        ends = ("",) if self._pattern else _with_packed(self.suffixes)
        names, marks = self._store.names(ending(ends), Budget(self.source.limits))
        chosen = [
            place
            for place, name in enumerate(names)
            if self._pattern is None or _matches(name, self._pattern)
        ]
        if not chosen:
            wanted = self._pattern or " or ".join(f"*{end}" for end in self.suffixes)
            raise self._error(
                f"a file at {self._store.shown}, or files {wanted} in it",
                "none",
                "Put them there, or mend `path` in params.yaml.",
            )
        parts = bytearray()
        for place in chosen:
            parts += marks[place * DIGEST_BYTES : (place + 1) * DIGEST_BYTES]
        return [names[place] for place in chosen], parts

    def _nested(self, name: str) -> SourceError:
        return self._error(
            f"single values, or lists of them, in the column {name!r} of {self._shown}",
            "lists inside of lists or objects",
            "Name another column in this source's entry in params.yaml.",
        )

    def _without_column(self, key: str, name: str, table: Table) -> SourceError:
        return self._error(
            f"a column {name!r} in {self._shown}",
            *missing_column(key, name, self.source.text_columns, table),
        )


def _divided(path: str) -> tuple[str, str]:
    """Divides a path before the first part with a wildcard.

    >>> _divided("data/2024-*/a.csv"), _divided("data/a.csv")
    (('data', '2024-*/a.csv'), ('data/a.csv', ''))
    """
    parts = path.split("/")
    for place, part in enumerate(parts):
        if any(mark in part for mark in "*?["):
            return "/".join(parts[:place]), "/".join(parts[place:])
    return path, ""


def _matches(name: str, pattern: str) -> bool:
    """Tests a relative path by a pattern, in which `**` stands for folders at any depth.

    >>> _matches("a.csv", "*.csv"), _matches("x/a.csv", "*.csv"), _matches("x/y/a.csv", "**/*.csv")
    (True, False, True)
    """
    parts = pattern.split("/")
    while "**" in parts[:-1]:
        place = parts.index("**")
        depth = name.count("/") - len(parts) + 2
        parts[place : place + 1] = ["*"] * max(0, depth)
    names = name.split("/")
    return len(names) == len(parts) and all(map(fnmatchcase, names, parts))


def _with_packed(suffixes: tuple[str, ...]) -> tuple[str, ...]:
    """Ends of the names of wanted files, plain and packed, in small and capital letters."""
    plain = [end for suffix in suffixes for end in (suffix, suffix.upper())]
    packed = ["", *PACKED, *(end.upper() for end in PACKED)]
    return tuple(dict.fromkeys(end + pack for end in plain for pack in packed))
