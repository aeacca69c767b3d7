"""Reads texts in a folder for each label, <path>/<label>/**/*.txt, or in a zip or tar of these.

Files outside a label's folder, and files or folders whose names begin with a dot, are no documents.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from typing import IO, Any

from components.sources.files import PinnedFile, StoredReader
from components.sources.packed import TARS, Zip, gunzipped, tar_files
from components.sources.reader import Pin, RawDocument
from components.sources.rows import named_label, text_fault
from components.sources.stores import DIGEST_BYTES, Store

_SUFFIXES = (".txt",)


class _TextFiles(StoredReader):
    """Base of a folder and an archive of texts: makes one document of each file."""

    def _document(self, name: str, content: bytes | None) -> RawDocument:
        # A file name need not be UTF-8, an id must.
        shown = name.encode("utf-8", "backslashreplace").decode()
        label = named_label(shown.partition("/")[0], self.source)
        if content is None:
            fault = f"the text is longer than {self._longest:,} bytes"
            return RawDocument(self._id(shown), "", label, fault=fault)
        text = self._decode(content, shown)
        bad = text_fault(text)
        return RawDocument(self._id(shown), "" if bad else text, label, fault=bad)

    def _decode(self, content: bytes, name: str) -> str:
        """UTF-8, or else Windows-1252, which old news archives mix into it."""
        for encoding in ("utf-8-sig", "cp1252"):
            try:
                return content.decode(encoding)
            except UnicodeDecodeError:
                continue
        raise self._error(
            f"text in UTF-8 or Windows-1252 in {self._shown}/{name}",
            "bytes that are neither",
            "Save it as UTF-8 or remove it, then run `newsloop run`.",
        )


class FolderReader(_TextFiles):
    """Each file is a document: its id is its path below the folder, its label the first folder."""

    def _state(self) -> Pin:
        store = self._store
        if _is_archive(store.name):
            return _Archive(self.source, self.paths)._state()
        return self._pin(*self._names(store))

    def _documents(self, pin: Mapping[str, Any]) -> Iterator[RawDocument]:
        store = self._store
        if _is_archive(store.name):
            yield from _Archive(self.source, self.paths)._documents(pin)
            return
        names, marks = self._names(store)
        found = self._pin(names, marks)
        if found["fingerprint"] != pin.get("fingerprint"):
            raise self._not_as_pinned(
                f"{found['fingerprint']} over {found['files']} files",
                f"{pin.get('fingerprint')} over {pin.get('files')} files",
            )
        for place, name in enumerate(names):
            expected = marks[place * DIGEST_BYTES : (place + 1) * DIGEST_BYTES].hex()
            yield self._document(name, self._content(store, name, expected))

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
            names, marks = store.names(_SUFFIXES, self._budget)
        except OSError as error:
            place = f" {error.filename}" if error.filename else ""
            raise self._error(
                f"a readable folder {store.shown}",
                f"{error.strerror or error}{place}",
                "Mend or remove what cannot be read and run `newsloop run`.",
            ) from error
        return self._labelled(store, names, marks)

    def _labelled(
        self, store: Store, names: list[str], marks: bytearray
    ) -> tuple[list[str], bytearray]:
        """Removes the files outside the folders of labels."""
        top = [place for place, name in enumerate(names) if "/" not in name]
        for place in reversed(top):
            del names[place]
            del marks[place * DIGEST_BYTES : (place + 1) * DIGEST_BYTES]
        if not names:
            raise self._error(
                f"texts at {store.shown}/<label>/*.txt",
                "none",
                "Put each text in a folder that is named after its label.",
            )
        return names, marks

    def _pin(self, names: list[str], marks: bytearray) -> Pin:
        """Number of files, and SHA-256 over names and marks, as `fingerprint` of reader.py."""
        digest = hashlib.sha256()
        for place, name in enumerate(names):
            mark = marks[place * DIGEST_BYTES : (place + 1) * DIGEST_BYTES].hex()
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
                f"a readable file {store.shown}/{name}",
                error.strerror or str(error) or type(error).__name__,
                "Mend or remove it and run `newsloop run`.",
            ) from error
        if found != expected:
            raise self._not_as_pinned(f"another content of {name}", expected)
        return content


class _Archive(_TextFiles, PinnedFile):
    """A zip or tar of texts; pinned as one file."""

    def _unpacked(self, file: IO[bytes]) -> Iterator[RawDocument]:
        source, name = self.source, self._store.name.lower()
        inside = source.inside or ""
        texts: Iterable[tuple[str, int, IO[bytes]]]
        if name.endswith(".zip"):
            texts = Zip(file, inside, _SUFFIXES, self._budget)
        else:
            if not name.endswith(".tar"):
                file = gunzipped(file, self._budget)
            texts = tar_files(file, inside, _SUFFIXES, self._budget)
        found = False
        for text, length, content in texts:
            if "/" in text:
                found = True
                yield self._document(text, content.read() if length <= self._longest else None)
        if not found:
            raise self._nothing_inside("texts at <label>/*.txt")


def _is_archive(name: str) -> bool:
    return name.lower().endswith((".zip", *TARS))
