"""Extracts the visible text of HTML, in time that grows with its length only.

Python's HTMLParser takes the square of it: 30 KB of `<a ` without an end take 8 seconds. Here each
search begins where the last one ended, and what has no end is looked for once.
"""

from __future__ import annotations

import html
import re

_UNSEEN = frozenset({"script", "style", "template", "noscript", "head", "iframe", "object", "svg"})
_RAW = frozenset({"script", "style"})  # hold no markup but their own end
_INLINE = frozenset(
    {"a", "abbr", "b", "cite", "code", "em", "font", "i", "mark", "q", "s", "small", "span",
     "strong", "sub", "sup", "time", "tt", "u", "wbr"}
)  # fmt: skip
_NAME = re.compile(r"/?([a-zA-Z][^\s/>]*)")
_QUOTE = re.compile("[\"']")
_SPACE = re.compile(r"\s+")
_STATED = re.compile(rb"<meta[^>]{0,200}?charset=[\"' ]{0,2}([\w.:-]{1,40})", re.IGNORECASE)
_HEAD = 4096  # bytes in which a page states its encoding
# What begins with these characters behind "<" ends with those.
_DECLARATIONS = {"!--": "-->", "![CDATA[": "]]>", "!": ">", "?": ">"}


def html_text(markup: str) -> str:
    """Extracts the visible text of `markup`, without scripts, styles and comments.

    >>> html_text("<p>one &amp; <b>t</b>wo<script>x</script></p><p>three")
    'one & two\\nthree'
    """
    scanner = _Scanner(markup)
    scanner.run()
    lines = (_SPACE.sub(" ", line).strip() for line in "".join(scanner.parts).split("\n"))
    return "\n".join(line for line in lines if line)


def stated_encoding(content: bytes) -> str | None:
    """Returns the encoding that the page states in its head.

    >>> stated_encoding(b'<meta charset="windows-1251">')
    'windows-1251'
    """
    stated = _STATED.search(content[:_HEAD])
    return stated[1].decode("ascii", "replace") if stated else None


class _Scanner:
    """Collects the text between tags; every tag that is not inline ends a line.

    Attributes:
        parts: text and line ends.
    """

    def __init__(self, markup: str) -> None:
        self._markup = markup
        self._missing: set[str] = set()  # what does not occur any more
        self._unseen: list[str] = []
        self._open: dict[str, int] = {}  # how often a name is in `_unseen`
        self.parts: list[str] = []

    def run(self) -> None:
        place = 0
        while place < len(self._markup):
            start = self._markup.find("<", place)
            self._text(place, len(self._markup) if start < 0 else start)
            if start < 0:
                return
            place = self._construct(start)

    def _text(self, start: int, end: int) -> None:
        if end > start and not self._unseen:
            # In HTML, a line end is a space; only tags make lines.
            self.parts.append(_SPACE.sub(" ", html.unescape(self._markup[start:end])))

    def _construct(self, start: int) -> int:
        """Reads the tag, comment or lone "<" at `start`; returns the place after it."""
        for begin, end in _DECLARATIONS.items():
            if self._markup.startswith(begin, start + 1):
                place = self._find(end, start + 1 + len(begin))
                return len(self._markup) if place < 0 else place + len(end)
        name = _NAME.match(self._markup, start + 1)
        place = self._end_of_tag(start) if name else -1
        if name is None or place < 0:
            self._text(start, start + 1)
            return start + 1
        self._tag(name[1].lower(), self._markup[start + 1] == "/", self._markup[place - 1] == "/")
        if name[1].lower() in _RAW and self._unseen and self._markup[start + 1] != "/":
            closing = re.compile(f"</{name[1]}", re.IGNORECASE).search(self._markup, place)
            return closing.start() if closing else len(self._markup)
        return place + 1

    def _end_of_tag(self, start: int) -> int:
        """Finds the ">" of the tag at `start`, not one within quotes; -1 without."""
        place, end = start, self._find(">", start)
        while end >= 0:
            quotes = [
                (at, mark) for mark in "\"'" if (at := self._markup.find(mark, place, end)) >= 0
            ]
            if not quotes:
                return end
            at, mark = min(quotes)
            closing = self._find(mark, at + 1)
            if closing < 0:
                return end
            place = closing + 1
            end = self._find(">", place) if closing > end else end
        return -1

    def _find(self, wanted: str, place: int) -> int:
        """As str.find; what was missing once is not searched again."""
        if wanted in self._missing:
            return -1
        found = self._markup.find(wanted, place)
        if found < 0:
            self._missing.add(wanted)
        return found

    def _tag(self, name: str, ends: bool, alone: bool) -> None:
        if name in _UNSEEN and not ends and not alone:
            self._unseen.append(name)
            self._open[name] = self._open.get(name, 0) + 1
        if ends and self._open.get(name):
            while True:
                last = self._unseen.pop()
                self._open[last] -= 1
                if last == name:
                    break
        if name not in _INLINE:
            self.parts.append("\n")
