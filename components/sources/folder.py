"""Texts in a folder, one folder a label: <path>/<label>/**/*.txt.

Files outside a label's folder, and files or folders whose names begin with a dot, are no documents.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from components.sources.reader import Pin, RawDocument, SourceReader, fingerprint
from components.sources.rows import text_fault


class FolderReader(SourceReader):
    """Each file is a document: its id is its path below the folder, its label the first folder."""

    def _state(self) -> Pin:
        return _pin(self._hashes())

    def _documents(self, pin: Mapping[str, Any]) -> Iterator[RawDocument]:
        hashes = self._hashes()
        found = _pin(hashes)
        if found["fingerprint"] != pin.get("fingerprint"):
            raise self._not_as_pinned(
                f"{found['fingerprint']} over {found['files']} files",
                f"{pin.get('fingerprint')} over {pin.get('files')} files",
            )
        for name, expected in hashes.items():
            content = self._bytes(name)
            # Somebody may write into the folder while it is read.
            if hashlib.sha256(content).hexdigest() != expected:
                raise self._not_as_pinned(f"another content of {name}", expected)
            text = self._decode(content, name)
            fault = text_fault(text)
            # A file name need not be UTF-8, an id must.
            shown = name.encode("utf-8", "backslashreplace").decode()
            yield RawDocument(
                id=self._id(shown),
                text="" if fault else text,
                label=shown.partition("/")[0],
                fault=fault,
            )

    def _hashes(self) -> dict[str, str]:
        """Relative name -> SHA-256 of the content, sorted by name."""
        root = self._path()
        if not root.is_dir():
            raise self._error(
                f"a folder at {root}", "none", "Put it there, or mend `path` in params.yaml."
            )
        try:
            names = sorted(
                name
                for name in (path.relative_to(root).as_posix() for path in root.rglob("*.txt"))
                if "/" in name
                and not any(part.startswith(".") for part in name.split("/"))
                and (root / name).is_file()
            )
        except OSError as error:
            raise self._error(
                f"a readable folder {root}", str(error), "Mend its permissions."
            ) from error
        if not names:
            raise self._error(
                f"texts at {root}/<label>/*.txt",
                "none",
                "Put each text in a folder that is named after its label.",
            )
        return {name: hashlib.sha256(self._bytes(name)).hexdigest() for name in names}

    def _bytes(self, name: str) -> bytes:
        path: Path = self._path() / name
        try:
            return path.read_bytes()
        except OSError as error:
            raise self._error(
                f"a readable file {path}",
                error.strerror or type(error).__name__,
                "Mend or remove it and run `newsloop run`.",
            ) from error

    def _decode(self, content: bytes, name: str) -> str:
        """UTF-8, or else Windows-1252, which old news archives mix into it."""
        for encoding in ("utf-8-sig", "cp1252"):
            try:
                return content.decode(encoding)
            except UnicodeDecodeError:
                continue
        raise self._error(
            f"text in UTF-8 or Windows-1252 in {self._path() / name}",
            "bytes that are neither",
            "Save it as UTF-8 or remove it, then run `newsloop run`.",
        )


def _pin(hashes: Mapping[str, str]) -> Pin:
    return {"files": len(hashes), "fingerprint": fingerprint(hashes)}
