"""Text of Word (.docx) and OpenDocument (.odt) files: XML in a zip.

The XML is read as a stream. A document type declaration, which neither format has, is refused:
without one no entity can grow.
"""

from __future__ import annotations

import io
import zipfile
from typing import Any
from xml.parsers import expat

from components.formats.errors import TooLarge, Unreadable

_BLOCK = 65_536  # bytes
_PARTS = {"docx": "word/document.xml", "odt": "content.xml"}
_LINE_ENDS = {"docx": frozenset({"p", "br", "cr"}), "odt": frozenset({"p", "h", "line-break"})}
# Of Word, a copy of a text box for older programs; of both, what is no text of the document.
_UNSEEN = {
    "docx": frozenset({"Fallback", "del", "moveFrom"}),
    "odt": frozenset({"annotation", "tracked-changes", "sequence-decls", "note-citation"}),
}
_SPACES = 1000  # that one element of OpenDocument may stand for


def office_text(content: bytes, kind: str, characters: int, unpacked: int) -> str:
    """Returns the text; a paragraph is a line.

    Args:
        content: the file.
        kind: docx or odt.
        characters: the most that the text may have.
        unpacked: the most bytes that its XML may have.

    Raises:
        Unreadable: it is no such file.
        TooLarge: it has more.
    """
    reader = _XmlText(kind, characters)
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive, archive.open(_PARTS[kind]) as part:
            left = unpacked
            while block := part.read(_BLOCK):
                left -= len(block)
                if left < 0:
                    raise TooLarge(f"the file unpacks to more than {unpacked:,} bytes")
                reader.parser.Parse(block, False)
            reader.parser.Parse(b"", True)
    except (zipfile.BadZipFile, KeyError, RuntimeError, NotImplementedError, EOFError) as error:
        raise Unreadable(f"not a valid .{kind}, or protected by a password") from error
    except expat.ExpatError as error:
        raise Unreadable("damaged: its XML is not well-formed") from error
    return reader.text()


class _XmlText:
    """Collects the text of one XML part."""

    def __init__(self, kind: str, characters: int) -> None:
        self._kind, self._left = kind, characters
        self._parts: list[str] = []
        self._texts = self._hidden = 0  # open elements that hold text; that hide it
        self.parser: Any = expat.ParserCreate(namespace_separator=" ")
        self.parser.buffer_text = True
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._add
        self.parser.StartDoctypeDeclHandler = _refuse

    def text(self) -> str:
        lines = (line.strip() for line in "".join(self._parts).split("\n"))
        return "\n".join(line for line in lines if line)

    def _holds_text(self, name: str) -> bool:
        return name in (("t",) if self._kind == "docx" else ("p", "h"))

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        local = name.rpartition(" ")[2]
        self._hidden += local in _UNSEEN[self._kind]
        self._texts += self._holds_text(local)
        if local == "tab":
            self._write("\t")
        elif local == "s" and self._kind == "odt":
            count = next((v for k, v in attributes.items() if k.endswith(" c")), "1")
            self._write(" " * min(int(count) if count.isdecimal() else 1, _SPACES))

    def _end(self, name: str) -> None:
        local = name.rpartition(" ")[2]
        if local in _LINE_ENDS[self._kind]:
            self._write("\n")
        self._texts -= self._holds_text(local)
        self._hidden -= local in _UNSEEN[self._kind]

    def _add(self, text: str) -> None:
        if self._texts:
            self._write(text)

    def _write(self, text: str) -> None:
        if self._hidden:
            return
        self._left -= len(text)
        if self._left < 0:
            raise TooLarge("")
        self._parts.append(text)


def _refuse(*_: object) -> None:
    raise Unreadable("refused: it has a document type declaration")
