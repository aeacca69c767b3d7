"""Reads texts in a folder for each label, <path>/<label>/**, or in a zip or tar of these.

layout.py says which folder is the label's. A file is plain text, HTML, an e-mail, PDF, Word,
OpenDocument or RTF, perhaps packed as gz. Files of other kinds, and files outside the labels'
folders, are left alone and counted. Hidden files are no documents.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from typing import IO, Any

from components.core.scrub.pseudonyms import is_plain
from components.formats import suffix_of
from components.sources.budget import Budget
from components.sources.documents.base import DocumentFiles
from components.sources.files import PinnedFile
from components.sources.packed import TARS, Zip, gunzipped, tar_files
from components.sources.reader import Pin, RawDocument
from components.sources.stores import DIGEST_BYTES, Store


class FolderReader(DocumentFiles):
    """Each file is a document: its id is its path below the folder."""

    def _state(self) -> Pin:
        store = self._store
        if _is_archive(store.name):
            return _Archive(self.source, self.paths)._state()
        with self._converting():
            return self._pin(*self._names(store))

    def _documents(self, pin: Mapping[str, Any]) -> Iterator[RawDocument]:
        store = self._store
        if _is_archive(store.name):
            yield from _Archive(self.source, self.paths)._documents(pin)
            return
        with self._converting():
            names, marks = self._names(store)
            found = self._pin(names, marks)
            if found["fingerprint"] != pin.get("fingerprint"):
                raise self._not_as_pinned(
                    f"{found['fingerprint']} over {found['files']} files",
                    f"{pin.get('fingerprint')} over {pin.get('files')} files",
                )
            for number, name in enumerate(names):
                place = self._layout.place(name, self.source.fixed_label is None)
                assert place is not None
                mark = marks[number * DIGEST_BYTES : (number + 1) * DIGEST_BYTES].hex()
                yield self._document(name, place, self._content(store, name, mark))
            self._report()

    def _names(self, store: Store) -> tuple[list[str], bytearray]:
        """Lists the names of the texts, sorted, and the marks of their content."""
        if self.source.inside:
            raise self._error(
                "`inside` for an archive only",
                store.shown,
                "Write the whole path, and take `inside` away in params.yaml.",
            )
        try:
            if store.what() != "folder":
                raise self._error(
                    f"a folder at {store.shown}",
                    "none",
                    "Put it there, or mend `path` in params.yaml.",
                )
            names, marks = store.names(self._wanted, self._budget)
        except OSError as error:
            place = f" {error.filename}" if error.filename else ""
            raise self._error(
                f"a readable folder {store.shown}",
                f"{error.strerror or error}{place}",
                "Mend or remove what cannot be read and run `newsloop run`.",
            ) from error
        self._find_layout(names)
        return self._labelled(names, marks)

    def _labelled(self, names: list[str], marks: bytearray) -> tuple[list[str], bytearray]:
        """Removes the files outside the folders of labels."""
        outside = [number for number, name in enumerate(names) if self._place(name) is None]
        for number in reversed(outside):
            del names[number]
            del marks[number * DIGEST_BYTES : (number + 1) * DIGEST_BYTES]
        if not names:
            raise self._no_documents()
        return names, marks

    def _pin(self, names: list[str], marks: bytearray) -> Pin:
        """Number of files, and SHA-256 over names and marks, as `fingerprint` of reader.py."""
        digest = hashlib.sha256()
        for number, name in enumerate(names):
            mark = marks[number * DIGEST_BYTES : (number + 1) * DIGEST_BYTES].hex()
            digest.update(f"{mark}  {name}\n".encode("utf-8", "surrogateescape"))
        return {"files": len(names), "fingerprint": digest.hexdigest()}

    def _content(self, store: Store, name: str, expected: str) -> bytes | None:
        """The bytes of a text; None where they are too many. Somebody may write meanwhile."""
        content = None
        try:
            # A store's own tag is looked up again; content of this machine is hashed as it comes.
            found = "" if store.hashes else store.mark(name)
            size = store.size(name)
            if size > self._longest:
                found = found or store.mark(name)
            else:
                with store.open(name) as file:
                    content = file.read(size + 1)  # a pipe or a file that grows has no end
                found = found or hashlib.sha256(content).hexdigest()
        except OSError as error:
            raise self._error(
                f"a readable file {store.shown}/{_without_persons(name)}",
                error.strerror or str(error) or type(error).__name__,
                "Mend or remove it and run `newsloop run`.",
            ) from error
        if found != expected:
            raise self._not_as_pinned(f"another content of {_without_persons(name)}", expected)
        return content


class _Archive(DocumentFiles, PinnedFile):
    """A zip or tar of texts; pinned as one file."""

    def _unpacked(self, file: IO[bytes]) -> Iterator[RawDocument]:
        with self._converting():
            # A tar has no list of its files: they are read once for their names.
            with self._store.open() as again:
                self._find_layout(self._names(again))
            self._others.clear()
            found = False
            for name, length, content in self._members(file, self._budget):
                place = self._place(name)
                if place is not None:
                    found = True
                    enough = length <= self._longest
                    yield self._document(name, place, content.read() if enough else None)
            if not found:
                raise self._no_documents()
            self._report()

    def _names(self, file: IO[bytes]) -> Iterable[str]:
        members = self._members(file, Budget(self.source.limits, packed=self._store.size()))
        return members.names() if isinstance(members, Zip) else (name for name, _, _ in members)

    def _members(
        self, file: IO[bytes], budget: Budget
    ) -> Zip | Iterator[tuple[str, int, IO[bytes]]]:
        """The files that can be read, in the order of the archive."""
        inside, name = self.source.inside or "", self._store.name.lower()
        if name.endswith(".zip"):
            return Zip(file, inside, self._wanted, budget)
        if not name.endswith(".tar"):
            file = gunzipped(file, budget)
        return tar_files(file, inside, self._wanted, budget)


def _without_persons(name: str) -> str:
    """Withholds the last part of a path where it may name a person.

    >>> _without_persons("tech/012.txt"), _without_persons("tech/Ann Smith.pdf")
    ('tech/012.txt', 'tech/<name withheld>.pdf')
    """
    folder, slash, file = name.rpartition("/")
    return name if is_plain(file) else f"{folder}{slash}<name withheld>{suffix_of(name)}"


def _is_archive(name: str) -> bool:
    return name.lower().endswith((".zip", *TARS))
