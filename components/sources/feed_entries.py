"""From the bytes of an RSS or Atom feed to its entries, as plain text."""

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

_ID_LENGTH = 16  # hexadecimal characters: 64 bits, enough that two entries never meet
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
    """One entry as the feed has it: not scrubbed.

    Attributes:
        id: a hash of the entry's own id or address, either of which may name a person.
        text: title and body, without markup; empty where it has neither.
        tags: its categories, in their order.
        time: when it was published, or else changed, UTC; None where unknown.
        author: None where unknown.
    """

    id: str
    text: str
    tags: tuple[str, ...]
    time: datetime | None
    author: str | None


def entries(content: bytes, content_type: str = "") -> Iterator[FeedEntry]:
    """The entries of a feed, in its own order.

    Args:
        content: of the feed. References to other files or addresses in it are not followed.
        content_type: as the server said, for its character set.

    Raises:
        ValueError: it is no feed; the text says why.
    """
    import feedparser

    # Bytes alone would be taken for a file's name.
    feed = feedparser.parse(
        io.BytesIO(_REFERENCE.sub(_whole, content)),
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


def _whole(reference: re.Match[bytes]) -> bytes:
    """Halves of characters, such as &#xD800;, stop feedparser: they become U+FFFD."""
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
    """feedparser's own form, which is UTC already."""
    try:
        return datetime.fromtimestamp(calendar.timegm(moment), UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _plain(detail: Any) -> str:
    value = (detail or {}).get("value") or ""
    return value.strip() if detail and detail.get("type") == "text/plain" else html_text(value)


def html_text(html: str) -> str:
    """What a person would read of `html`; scripts, styles and comments are left out.

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
            # A line end in the source is a space; lines are ours.
            self.parts.append(re.sub(r"\s+", " ", data))
