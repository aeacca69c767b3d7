"""Parses an RSS or Atom feed into entries with plain text."""

from __future__ import annotations

import calendar
import hashlib
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from html.parser import HTMLParser
from typing import Any
from xml.sax import SAXParseException

_ID_LENGTH = 16  # hexadecimal characters: 64 bits, so that collisions are improbable
_UNSEEN = frozenset({"script", "style", "template", "noscript", "head", "iframe", "object", "svg"})
# What Expat says of an end that comes too early.
_CUT_SHORT = frozenset({"no element found", "unclosed token", "partial character",
                        "unclosed CDATA section"})  # fmt: skip
_REFERENCE = re.compile(rb"&#(?:[xX]([0-9a-fA-F]{1,8})|([0-9]{1,8}));")
_HALVES = range(0xD800, 0xE000)  # the surrogates of UTF-16
_INLINE = frozenset(
    {"a", "abbr", "b", "cite", "code", "em", "font", "i", "mark", "q", "s", "small", "span",
     "strong", "sub", "sup", "time", "tt", "u", "wbr"}
)  # fmt: skip


@dataclass(frozen=True)
class FeedEntry:
    """An entry of a feed, not scrubbed.

    Attributes:
        id: hash of the entry's id or URL, either of which may name a person.
        text: title and body, without markup; empty without both.
        tags: categories, in the order of the feed.
        time: of publication, or else of the last change, UTC; None where unknown.
        author: None where unknown.
    """

    id: str
    text: str
    tags: tuple[str, ...]
    time: datetime | None
    author: str | None


def entries(content: bytes, content_type: str = "") -> Iterator[FeedEntry]:
    """Yields the entries of a feed, in its own order.

    Args:
        content: of the feed. References to other files or addresses in it are not followed.
        content_type: header of the server's answer, for the character set.

    Raises:
        ValueError: `content` is no feed; the message gives the reason.
    """
    import feedparser

    # Bytes alone would be taken for a file's name.
    feed = feedparser.parse(
        io.BytesIO(_REFERENCE.sub(_without_surrogate, content)),
        response_headers={"content-type": content_type or "application/xml"},
        resolve_relative_uris=False,
    )
    if not feed.get("version") and not feed.entries:
        raise ValueError("no RSS and no Atom")
    fault = feed.get("bozo_exception")
    cut = isinstance(fault, SAXParseException) and fault.getMessage() in _CUT_SHORT
    # Faults in the middle are common, and the rest can be read; a half entry would stay half.
    if feed.bozo and (cut or not feed.entries):
        raise ValueError("XML that is cut short" if cut else "damaged XML")
    for entry in feed.entries:
        yield _entry(entry)


def _without_surrogate(reference: re.Match[bytes]) -> bytes:
    """Replaces a reference to a surrogate (&#xD800;), on which feedparser stops, by U+FFFD."""
    code = int(reference[1], 16) if reference[1] else int(reference[2])
    return b"&#xFFFD;" if code in _HALVES else reference[0]


def _entry(entry: Any) -> FeedEntry:
    bodies = entry.get("content") or [entry.get("summary_detail")]
    parts = [_plain(entry.get("title_detail")), *(_plain(body) for body in bodies)]
    text = "\n\n".join(part for part in parts if part)
    own = entry.get("id") or entry.get("link") or text
    moment = entry.get("published_parsed") or entry.get("updated_parsed")
    return FeedEntry(
        id=hashlib.sha256(own.encode("utf-8", "surrogatepass")).hexdigest()[:_ID_LENGTH],
        text=text,
        tags=tuple(tag.get("term") for tag in entry.get("tags", ()) if tag.get("term")),
        time=_utc(moment) if moment else None,
        author=entry.get("author") or None,
    )


def _utc(moment: Any) -> datetime | None:
    """Converts feedparser's time tuple, which is in UTC; None for an invalid time."""
    try:
        return datetime.fromtimestamp(calendar.timegm(moment), UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _plain(detail: Any) -> str:
    value = (detail or {}).get("value") or ""
    return value.strip() if detail and detail.get("type") == "text/plain" else html_text(value)


def html_text(html: str) -> str:
    """Extracts the visible text of `html`, without scripts, styles and comments.

    >>> html_text("<p>one &amp; <b>t</b>wo<script>x</script></p><p>three")
    'one & two\\nthree'
    """
    parser = _Text()
    parser.feed(html)
    parser.close()
    lines = (re.sub(r"\s+", " ", line).strip() for line in "".join(parser.parts).split("\n"))
    return "\n".join(line for line in lines if line)


class _Text(HTMLParser):
    """Collects the text between tags; every tag that is not inline ends a line."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._unseen: list[str] = []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        del attrs
        if tag in _UNSEEN:
            self._unseen.append(tag)
        if tag not in _INLINE:
            self.parts.append("\n")

    def handle_startendtag(self, tag: str, attrs: Any) -> None:
        del attrs
        if tag not in _INLINE:
            self.parts.append("\n")

    def handle_endtag(self, tag: str) -> None:
        if tag in self._unseen:
            while self._unseen.pop() != tag:
                pass
        if tag not in _INLINE:
            self.parts.append("\n")

    def handle_data(self, data: str) -> None:
        if not self._unseen:
            # In HTML, a line end is a space; only tags make lines.
            self.parts.append(re.sub(r"\s+", " ", data))
