"""Base of the connectors to files that are documents: formats, layout, what is left alone."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime

from components.core.params import Limits
from components.core.progress import say
from components.formats import FORMATS, FileText, format_of, is_about, is_system_file, suffix_of
from components.formats.charsets import decode
from components.formats.converter import Converter
from components.formats.html_text import html_text, stated_encoding
from components.sources.budget import MIB, Budget, TooLarge
from components.sources.documents.layout import Layout, Place, layout_of
from components.sources.files import StoredReader
from components.sources.known_labels import known_labels
from components.sources.packed import DAMAGED, gunzipped
from components.sources.reader import RawDocument
from components.sources.rows import named_label, text_fault

_SHOWN_SUFFIXES = 5
_GZIP = b"\x1f\x8b"  # begins a gz file, whatever its name says
UNKNOWN_ENCODING = "the text is in an unknown encoding: save it as UTF-8"


class DocumentFiles(StoredReader):
    """Base of the connectors to files that are documents."""

    _layout = Layout()
    _converter: Converter

    @contextmanager
    def _converting(self) -> Iterator[None]:
        """Opens the process that converts files, and begins to count what is left alone."""
        self._others, self._outside = Counter[str](), 0
        limits = self.source.limits or Limits()
        with Converter(limits.document_seconds, limits.document_mib * MIB) as self._converter:
            yield

    def _report(self) -> None:
        if left := self._left_alone():
            say(f"ingest: {self.source.name}: {left} left alone; read are {_readable()}")

    def _wanted(self, name: str) -> bool:
        """Tests if the file `name` can be read; counts it otherwise."""
        if is_system_file(name):
            return False
        if format_of(name) is None:
            self._others[suffix_of(name)] += 1
            return False
        return True

    def _find_layout(self, names: Iterable[str]) -> None:
        folders = Counter(name.rpartition("/")[0] for name in names if not is_about(name))
        self._layout = layout_of(folders, known_labels(self.source, self.paths))

    def _place(self, name: str) -> Place | None:
        """Returns the place of a document; None, and a count, for a file outside all labels."""
        place = self._layout.place(name, self.source.fixed_label is None)
        if place is None or (place.label is None and is_about(name)):
            self._outside += 1
            return None
        return place

    def _document(self, name: str, place: Place, content: bytes | None) -> RawDocument:
        id_ = self._id(utf8(place.name))
        label = named_label(None if place.label is None else utf8(place.label), self.source)
        if content is None:
            file = FileText("", fault=f"the text is longer than {self._longest:,} bytes")
        else:
            file = self._text(name, content)
        fault = file.fault or text_fault(file.text)
        return RawDocument(
            id=id_,
            text="" if fault else file.text,
            label=label,
            time=datetime.fromisoformat(file.time) if file.time else None,
            author=file.author,
            fault=fault,
            part=place.part,
        )

    def _text(self, name: str, content: bytes) -> FileText:
        """Returns the text of a file."""
        budget = Budget(self.source.limits, packed=len(content))
        if content.startswith(_GZIP):
            try:
                content = gunzipped(io.BytesIO(content), budget).read(self._longest + 1)
            except TooLarge as error:
                return FileText("", fault=f"the file is {error}")
            except (OSError, *DAMAGED):
                return FileText("", fault="the file is damaged: its gz does not unpack")
        if len(content) > self._longest:
            return FileText("", fault=f"the text is longer than {self._longest:,} bytes")
        kind = format_of(name) or "text"
        if kind not in ("text", "html"):
            return self._converter.convert(content, kind, budget.most)
        text = decode(content, stated_encoding(content) if kind == "html" else None)
        if text is None:
            return FileText("", fault=UNKNOWN_ENCODING)
        return FileText(html_text(text) if kind == "html" else text)

    def _left_alone(self) -> str:
        """Counts the files that are no documents, in words."""
        parts = []
        if total := self._others.total():
            ordered = sorted(self._others.items(), key=lambda entry: (-entry[1], entry[0]))
            frequent = ordered[:_SHOWN_SUFFIXES]
            shown = [f"{suffix} {count}" for suffix, count in frequent]
            if rest := total - sum(count for _, count in frequent):
                shown.append(f"more {rest}")
            files = "file of another kind" if total == 1 else "files of other kinds"
            parts.append(f"{total} {files} ({', '.join(shown)})")
        if self._outside:
            files = "file" if self._outside == 1 else "files"
            parts.append(f"{self._outside} {files} outside a label's folder")
        return " and ".join(parts)

    def _no_documents(self) -> Exception:
        inside = f"/{self.source.inside.strip('/')}" if self.source.inside else ""
        todo = f"Put each text in a folder that is named after its label; read are {_readable()}."
        if self._outside:
            todo += " If all texts have one label, name it by `fixed_label` in params.yaml."
        if inside:
            todo += " Or mend `inside` in params.yaml."
        return self._error(
            f"texts at {self._shown}{inside}/<label>/", self._left_alone() or "none", todo
        )


def utf8(name: str) -> str:
    """Returns `name` in UTF-8: a file name need not be, an id must."""
    return name.encode("utf-8", "backslashreplace").decode()


def _readable() -> str:
    return f"{', '.join(FORMATS)}, files without a suffix, and each of them as .gz"
