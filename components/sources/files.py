"""Base classes of connectors to files, on this machine or in an object store, plain, gz or zip."""

from __future__ import annotations

import hashlib
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from typing import IO, Any, ClassVar

from components.core.errors import SourceError
from components.sources.budget import MIB, Budget, TooLarge
from components.sources.packed import DAMAGED
from components.sources.reader import Pin, RawDocument, SourceReader, fingerprint
from components.sources.stores import Store, open_store
from components.sources.streams import drain, tapped

# What reading a damaged or forbidden file raises.
UNREADABLE = (OSError, *DAMAGED)
_NO_LIMIT = 2**62  # bytes


class StoredReader(SourceReader):
    """Base of the connectors to files: opens the store, and makes the errors."""

    @cached_property
    def _store(self) -> Store:
        return self._find_store()

    def _find_store(self) -> Store:
        return self._store_at(self.source.path or "")

    def _store_at(self, address: str) -> Store:
        try:
            return open_store(address, self.paths.sources, self.source.allow_outside_files)
        except OSError as error:
            raise self._error(
                f"to reach {self.source.path}",
                str(error),
                "Mend `path` in params.yaml, or what it needs.",
            ) from None

    def _only_file(self, store: Store, what: str, key: str) -> Store:
        """Returns `store` if it is a file; `key` of the source names its address."""
        if what != "file":
            raise self._error(
                f"a file at {store.shown}",
                "a folder" if what == "folder" else "none",
                f"Put it there, or correct `{key}` in params.yaml.",
            )
        return store

    @property
    def _longest(self) -> int:
        """The maximum number of bytes of a document."""
        limits = self.source.limits
        return limits.document_mib * MIB if limits else _NO_LIMIT

    @contextmanager
    def _reading(self) -> Iterator[None]:
        """Turns errors of the file inside `with` into SourceErrors."""
        try:
            yield
        except UNREADABLE as error:
            raise self._unreadable(error) from error

    @property
    def _shown(self) -> str:
        return self._store.shown

    def _unreadable(self, error: object, where: str = "") -> SourceError:
        return self._error(
            f"a readable {self.source.kind} file at {self._shown}{where}",
            " ".join(f"{error}".split()) or type(error).__name__,
            "Mend the file and run `newsloop run`.",
        )


class PinnedFile(StoredReader):
    """Base of the connectors to one file, which is pinned by its content.

    Subclasses give `_unpacked`, and may set `streams`.

    Attributes:
        streams: whether the file is read from front to end only. Then one of this machine is
            hashed in the same pass; else it is read once more before and after.
    """

    streams: ClassVar[bool] = True

    def _state(self) -> Pin:
        store = self._file()
        with self._reading():
            size = store.size()
            self._budget.layer().take(size)  # before all of it is hashed
            return {
                "files": 1,
                "bytes": size,
                "fingerprint": fingerprint({store.name: store.mark()}),
            }

    def _documents(self, pin: Mapping[str, Any]) -> Iterator[RawDocument]:
        store = self._file()
        with self._reading():
            size = store.size()
        self._budget = Budget(self.source.limits, packed=size)
        # Before anything is read of a file that is another one already.
        if size != pin.get("bytes", size):
            raise self._not_as_pinned(f"{size} bytes", f"{pin['bytes']} bytes")
        if store.hashes and self.streams and not store.name.lower().endswith(".zip"):
            yield from self._hashed_on_the_way(store, pin)
        else:
            self._compare(self._state()["fingerprint"], pin)
            with self._reading(), store.open() as file:
                yield from self._unpacked(file)
            self._compare(self._state()["fingerprint"], pin)

    def _hashed_on_the_way(self, store: Store, pin: Mapping[str, Any]) -> Iterator[RawDocument]:
        digest = hashlib.sha256()

        def watch(part: memoryview, _place: int) -> None:
            digest.update(part)

        with self._reading(), tapped(store.open(), watch, owns=True) as file:
            try:
                yield from self._unpacked(file)
            except (SourceError, TooLarge, *UNREADABLE):
                # That it is another file explains more than what is wrong with it.
                self._compare(self._state()["fingerprint"], pin)
                raise
            drain(file)
        self._compare(fingerprint({store.name: digest.hexdigest()}), pin)

    @abstractmethod
    def _unpacked(self, file: IO[bytes]) -> Iterator[RawDocument]:
        """The documents of the file in its own order; `file` is as it lies there."""

    def _compare(self, found: object, pin: Mapping[str, Any]) -> None:
        if found != pin.get("fingerprint"):
            raise self._not_as_pinned(found, pin.get("fingerprint"))

    def _file(self) -> Store:
        store = self._store
        with self._reading():
            what = store.what()
        return self._only_file(store, what, "path")

    def _nothing_inside(self, wanted: str) -> SourceError:
        inside = f" inside {self.source.inside}" if self.source.inside else ""
        return self._error(
            f"{wanted} in {self._shown}{inside}",
            "none",
            "Mend `inside` in params.yaml, or the archive.",
        )
