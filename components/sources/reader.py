"""What every connector is: it pins what is there now, and reads exactly what was pinned."""

from __future__ import annotations

import gzip
import hashlib
import zlib
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import IO, Any, NamedTuple, cast

from components.core import tables
from components.core.errors import SourceError
from components.core.params import Source
from components.core.paths import Paths

Pin = dict[str, Any]

# What reading a damaged or forbidden file raises; a .gz that is cut short is an EOFError.
UNREADABLE = (OSError, EOFError, zlib.error)


class RawDocument(NamedTuple):
    """One text as the source holds it: not scrubbed, so it must not reach a disk or a log.

    A tuple, because millions of them are made, and a batch of tuples turns into columns at once.

    Attributes:
        id: "<source>/<name in the source>".
        text: raw; empty where `fault` is set.
        label: None where nobody has said.
        time: when it was published, UTC; None where unknown.
        author: as the source names them; None where unknown.
        fault: why this row could not be read, without any of its content; None for a good row.
    """

    id: str
    text: str
    label: str | None = None
    time: datetime | None = None
    author: str | None = None
    fault: str | None = None


class SourceReader(ABC):
    """Base of all connectors.

    Args:
        source: its entry in params.yaml.
        paths: of the project; relative paths of `source` begin at its root.
    """

    def __init__(self, source: Source, paths: Paths) -> None:
        self.source = source
        self.paths = paths

    def pin(self) -> Pin:
        """What is there now, for the snapshot: name, kind, and a fingerprint or a watermark.

        The same content gives the same pin on any machine: no absolute path, no time of a file.

        Raises:
            SourceError: the source is missing or unreadable.
        """
        return {"name": self.source.name, "kind": self.source.kind, **self._state()}

    def read(self, pin: Mapping[str, Any]) -> Iterator[RawDocument]:
        """The documents of `pin`, one by one, always in the same order.

        Raises:
            SourceError: what is there now is not what the pin says, or cannot be read. A source
                that changes while it is read raises at the latest after the last document.
        """
        for key in ("name", "kind"):
            if pin.get(key) != getattr(self.source, key):
                raise self._not_as_pinned(f"{key} {getattr(self.source, key)}", pin.get(key))
        yield from self._documents(pin)

    @abstractmethod
    def _state(self) -> Pin:
        """The part of the pin that depends on the content."""

    @abstractmethod
    def _documents(self, pin: Mapping[str, Any]) -> Iterator[RawDocument]:
        """As `read`, for a pin of this source."""

    def _path(self) -> Path:
        """Where the files lie."""
        return self.paths.sources / (self.source.path or "")

    def _id(self, name: str) -> str:
        return f"{self.source.name}/{name}"

    def _error(self, expected: str, came: str, todo: str) -> SourceError:
        return SourceError(f"Source {self.source.name}: expected {expected}, got {came}. {todo}")

    def _not_as_pinned(self, came: str, pinned: object) -> SourceError:
        return self._error(
            f"what the snapshot pinned ({pinned})",
            came,
            "Put the pinned content back, or run `newsloop run` to take a new snapshot.",
        )


class FileReader(SourceReader):
    """Base of the connectors to one file of rows.

    Subclasses give `_rows`. The file is hashed before and after it is read.
    """

    def _state(self) -> Pin:
        path = self._path()
        if not path.is_file():
            raise self._error(
                f"a file at {path}",
                "a folder" if path.is_dir() else "none",
                "Put it there, or mend `path` in params.yaml.",
            )
        try:
            return {"files": 1, "fingerprint": fingerprint({path.name: tables.file_hash(path)})}
        except OSError as error:
            raise self._unreadable(error) from error

    def _documents(self, pin: Mapping[str, Any]) -> Iterator[RawDocument]:
        self._compare(pin)
        yield from self._rows()
        self._compare(pin)

    def _compare(self, pin: Mapping[str, Any]) -> None:
        found = self._state()["fingerprint"]
        if found != pin.get("fingerprint"):
            raise self._not_as_pinned(found, pin.get("fingerprint"))

    @abstractmethod
    def _rows(self) -> Iterator[RawDocument]:
        """The file's rows in its own order."""

    def _unreadable(self, error: object, where: str = "") -> SourceError:
        place = f"{self._path()}{where}"
        return self._error(
            f"a readable {self.source.kind} file at {place}",
            f"{error}" or type(error).__name__,
            "Mend the file and run `newsloop run`.",
        )

    def _without_column(self, key: str, found: list[str] | None = None) -> SourceError:
        name = getattr(self.source, key)
        shown = "none of that name"
        if found is not None:
            shown = f"only {', '.join(printable(column) for column in found) or 'none'}"
        return self._error(
            f"a column {name!r} in {self._path()}",
            shown,
            f"Name the right column by `{key}:` in this source's entry in params.yaml.",
        )


def open_binary(path: Path) -> IO[bytes]:
    """The bytes of the file at `path`, unpacked where its name ends in .gz."""
    if path.suffix.lower() == ".gz":
        return cast("IO[bytes]", gzip.open(path, "rb"))
    return path.open("rb")


def fingerprint(hashes: Mapping[str, str]) -> str:
    """SHA-256 over the sorted pairs of relative name and SHA-256 of content, in hexadecimal."""
    digest = hashlib.sha256()
    for name, content in sorted(hashes.items()):
        digest.update(f"{content}  {name}\n".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def printable(name: str, most: int = 40) -> str:
    """`name` on one line, at most `most` characters, fit for a message.

    >>> printable("tit\\nle")
    "'tit\\\\nle'"
    """
    return ascii(name if len(name) <= most else name[: most - 3] + "...")
