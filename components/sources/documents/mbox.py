"""Reads the e-mails of an mbox file, plain, in .gz, or several files in a .zip.

The label is the value of a header. Of a list with commas, as X-Gmail-Labels holds it, the label is
the first entry that params.yaml names, or else the first one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from typing import IO

from components.sources.budget import Budget
from components.sources.documents.base import DocumentFiles
from components.sources.files import PinnedFile
from components.sources.known_labels import known_labels
from components.sources.packed import Zip, ending, gunzipped
from components.sources.reader import RawDocument
from components.sources.rows import named_label, text_fault
from components.sources.streams import lines

_SUFFIXES = (".mbox", ".mbx")
_HEADER = "X-Label"  # where `label` names no header
# The line before each message; a line of a text that begins so has a ">" before it.
_ENVELOPE = re.compile(rb"From .*\d{4}")
_QUOTED = re.compile(rb">+From ")


class MboxReader(DocumentFiles, PinnedFile):
    """A message is a document; its id is its number, or the header that `id` names."""

    def _unpacked(self, file: IO[bytes]) -> Iterator[RawDocument]:
        name, found = self._store.name.lower(), False
        known = known_labels(self.source, self.paths)
        with self._converting():
            if name.endswith(".zip"):
                archive = Zip(file, self.source.inside or "", ending(_SUFFIXES), self._budget)
                for member, _, content in archive:
                    found = True
                    yield from self._messages(content, f"{member}/", known)
                if not found:
                    raise self._nothing_inside(" or ".join(f"*{end}" for end in _SUFFIXES))
                return
            if self.source.inside:
                raise self._error(
                    "`inside` for a zip only", self._shown, "Take `inside` away in params.yaml."
                )
            if name.endswith(".gz"):
                file = gunzipped(file, self._budget)
            yield from self._messages(file, "", known)

    def _messages(
        self, file: IO[bytes], prefix: str, known: frozenset[str]
    ) -> Iterator[RawDocument]:
        for number, message in enumerate(self._divided(file), start=1):
            yield self._message(message, f"{prefix}{number}", known)

    def _divided(self, file: IO[bytes]) -> Iterator[bytes | None]:
        """Yields the messages; None for one that is too long."""
        message: list[bytes] = []
        size, blank, begun = 0, True, False
        for line in lines(file, self._longest):
            if blank and line is not None and _ENVELOPE.match(line):
                if begun:
                    yield b"".join(message) if size <= self._longest else None
                message, size, begun = [], 0, True
            elif line is None or line.strip() or begun:
                if not begun:
                    raise self._error(
                        f"an mbox file at {self._shown}",
                        "a first line that does not begin with `From ` and end with a year",
                        "Export the mailbox as mbox, or read single messages (.eml) as a folder.",
                    )
                size += self._longest + 1 if line is None else len(line)
                if size > self._longest:
                    message = []
                else:
                    message.append(line[1:] if line and _QUOTED.match(line) else line or b"")
            blank = line is not None and not line.strip()
        if begun:
            yield b"".join(message) if size <= self._longest else None

    def _message(self, message: bytes | None, name: str, known: frozenset[str]) -> RawDocument:
        source = self.source
        if message is None:
            return RawDocument(
                id=self._id(name),
                text="",
                fault=f"the text is longer than {self._longest:,} bytes",
            )
        header = _HEADER if source.label == "label" else source.label
        id_header = source.column("id") or ""
        most = Budget(source.limits, packed=len(message)).most
        mail = self._converter.convert(message, "mail", most, [header, id_header])
        values = mail.headers or {}
        fault = mail.fault or text_fault(mail.text)
        return RawDocument(
            id=self._id(values.get(id_header, name)),
            text="" if fault else mail.text,
            label=named_label(_label(values.get(header), known), source),
            time=datetime.fromisoformat(mail.time) if mail.time else None,
            author=mail.author,
            fault=fault,
        )


def _label(value: str | None, known: frozenset[str]) -> str | None:
    """Chooses the label among the values of a header."""
    if value is None or value in known:
        return value
    labels = [label.strip() for label in value.split(",") if label.strip()]
    return next((label for label in labels if label in known), next(iter(labels), None))
