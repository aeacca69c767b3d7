"""What every connector is: it pins what is there now, and reads exactly what was pinned."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from components.core.errors import SourceError
from components.core.params import Source
from components.core.paths import Paths

Pin = dict[str, Any]


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

    def _id(self, name: str) -> str:
        return f"{self.source.name}/{name}"

    def _error(self, expected: str, came: str, todo: str) -> SourceError:
        return SourceError(f"Source {self.source.name}: expected {expected}, got {came}. {todo}")

    def _not_as_pinned(self, came: object, pinned: object) -> SourceError:
        return self._error(
            f"what the snapshot pinned ({pinned})",
            str(came),
            "Put the pinned content back, or run `newsloop run` to take a new snapshot.",
        )


class Fingerprint:
    """SHA-256 over documents in their order, for sources that have no bytes of their own to hash.

    Attributes:
        documents: how many were added.
    """

    def __init__(self) -> None:
        self._digest, self.documents = hashlib.sha256(), 0

    def add(self, document: RawDocument) -> RawDocument:
        """Takes `document` in and gives it back."""
        time = document.time.isoformat() if document.time else None
        parts = (document.id, document.text, document.label, time, document.author, document.fault)
        # Lengths keep ("ab", "c") and ("a", "bc") apart, and a null from an empty text.
        for part in parts:
            content = b"" if part is None else part.encode("utf-8", "surrogatepass")
            self._digest.update(b"%d:" % (-1 if part is None else len(content)))
            self._digest.update(content)
        self.documents += 1
        return document

    def hexdigest(self) -> str:
        return self._digest.hexdigest()


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
