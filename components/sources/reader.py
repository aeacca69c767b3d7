"""The base class of connectors, which pin the content of a source and read the pinned content."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any, ClassVar, NamedTuple

from pydantic import ValidationError

from components.core.errors import ParamsError, SourceError
from components.core.params import Settings, Source
from components.core.paths import Paths
from components.sources.budget import Budget, NotAllowed

Pin = dict[str, Any]


class RawDocument(NamedTuple):
    """One text as the source holds it: not scrubbed, so it must not reach a disk or a log.

    A tuple, because millions of them are made, and a batch of tuples turns into columns at once.

    Attributes:
        id: "<source>/<name in the source>".
        text: raw; empty where `fault` is set.
        label: None where unknown.
        time: of publication, UTC; None where unknown.
        author: as the source names them; None where unknown.
        fault: why this row could not be read, without any of its content; None for a good row.
        part: side of an official split, one of components.sources.rows.PARTS' values; None where
            the source has none.
    """

    id: str
    text: str
    label: str | None = None
    time: datetime | None = None
    author: str | None = None
    fault: str | None = None
    part: str | None = None


class SourceReader(ABC):
    """Base of all connectors.

    A connector with settings of its own names their class as `Options`; `options` of the source's
    entry holds the values, and `self.options` the settings.

    Args:
        source: its entry in params.yaml.
        paths: of the project; relative paths of `source` begin at its root.
    """

    Options: ClassVar[type[Settings]] = Settings

    def __init__(self, source: Source, paths: Paths) -> None:
        self.source = source
        self.paths = paths
        self._budget = Budget(source.limits)
        try:
            self.options: Any = self.Options.model_validate(source.options)
        except ValidationError as error:
            fault = error.errors()[0]
            raise ParamsError(
                f"ingest.sources: {source.name}: options.{'.'.join(map(str, fault['loc']))}: "
                f"{fault['msg']}. Correct it and run again."
            ) from error

    def pin(self) -> Pin:
        """Pins the current content for the snapshot: name, kind, and a fingerprint or a watermark.

        The same content gives the same pin on any machine: no absolute path, no file time.

        Raises:
            SourceError: the source is missing or unreadable, or holds more than its limits allow.
        """
        self._budget = Budget(self.source.limits)
        with self._within_limits():
            return {"name": self.source.name, "kind": self.source.kind, **self._state()}

    def read(self, pin: Mapping[str, Any]) -> Iterator[RawDocument]:
        """Yields the documents of `pin`, always in the same order.

        Raises:
            SourceError: the current content differs from the pin, cannot be read, or is more than
                the limits allow. A source that changes while it is read raises at the latest after
                the last document.
        """
        for key in ("name", "kind"):
            if pin.get(key) != getattr(self.source, key):
                raise self._not_as_pinned(f"{key} {getattr(self.source, key)}", pin.get(key))
        self._budget = Budget(self.source.limits)
        with self._within_limits():
            fixed = self.source.fixed_part
            for document in self._documents(pin):
                yield self._counted(document if fixed is None else document._replace(part=fixed))

    def records(self, limit: int | None = None) -> Iterator[Mapping[str, Any]]:
        """Yields the rows as the source has them, before any of them becomes a document.

        Needs no settings of columns or labels. Rows that cannot be read are left out.

        Args:
            limit: number of rows; None for all.

        Returns:
            Column -> value. Objects and lists of JSON, Parquet and Arrow stay nested:
            `components.sources.rows.at_path(row, "data.text")` looks into them. A file without a
            header has the columns `column_1`, `column_2`, ... Of a column whose name stands
            several times in a header, each has its number as name, too. A source without columns
            gives the fields of its documents.

        Raises:
            SourceError: missing, unreadable, or more than its limits allow.
        """
        documents = self.read(self.pin())
        for place, raw in enumerate(raw for raw in documents if raw.fault is None):
            if place == limit:
                return
            yield raw._asdict()

    @abstractmethod
    def _state(self) -> Pin:
        """Computes the part of the pin that depends on the content."""

    @abstractmethod
    def _documents(self, pin: Mapping[str, Any]) -> Iterator[RawDocument]:
        """Yields the documents as `read` does, for a pin of this source."""

    def _counted(self, document: RawDocument) -> RawDocument:
        """Adds `document` to the budget, and returns it."""
        _, text, label, _, author, *_ = document
        self._budget.document(len(text) + len(label or "") + len(author or ""))
        return document

    @contextmanager
    def _within_limits(self) -> Iterator[None]:
        """Turns what the settings do not allow into a SourceError."""
        try:
            yield
        except NotAllowed as error:
            raise self._error(error.expected, str(error), error.todo) from error

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
    """SHA-256 over documents in order, for sources that are no files.

    Attributes:
        documents: number of added documents.
    """

    def __init__(self) -> None:
        self._digest, self.documents = hashlib.sha256(), 0

    def add(self, document: RawDocument) -> RawDocument:
        """Adds `document` to the hash and returns it."""
        time = document.time.isoformat() if document.time else None
        parts = [document.id, document.text, document.label, time, document.author, document.fault]
        if document.part is not None:  # an addition must not change the pins of older versions
            parts.append(document.part)
        # The lengths distinguish ("ab", "c") from ("a", "bc"), and null from an empty text.
        for part in parts:
            content = b"" if part is None else part.encode("utf-8", "surrogatepass")
            self._digest.update(b"%d:" % (-1 if part is None else len(content)))
            self._digest.update(content)
        self.documents += 1
        return document

    def hexdigest(self) -> str:
        return self._digest.hexdigest()


def fingerprint(hashes: Mapping[str, str]) -> str:
    """Hashes sorted pairs of relative name and SHA-256 of content by SHA-256, in hexadecimal."""
    digest = hashlib.sha256()
    for name, content in sorted(hashes.items()):
        digest.update(f"{content}  {name}\n".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def printable(name: str, most: int = 40) -> str:
    """Formats `name` for a message: on one line, cut to `most` characters.

    >>> printable("tit\\nle")
    "'tit\\\\nle'"
    """
    return ascii(name if len(name) <= most else name[: most - 3] + "...")
