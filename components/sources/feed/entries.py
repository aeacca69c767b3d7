"""Parses an RSS or Atom feed into entries with plain text."""

from __future__ import annotations

import calendar
import hashlib
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from xml.sax import SAXParseException

from components.formats.html_text import html_text

_ID_LENGTH = 16  # hexadecimal characters: 64 bits, so that collisions are improbable
# What Expat says of an end that comes too early.
_CUT_SHORT = frozenset({"no element found", "unclosed token", "partial character",
                        "unclosed CDATA section"})  # fmt: skip
_REFERENCE = re.compile(rb"&#(?:[xX]([0-9a-fA-F]{1,8})|([0-9]{1,8}));")
_TAG = re.compile(rb"<[^<>]*>")
_MOST_ATTRIBUTES = 256  # of an element; Python's SAX takes the square of their number
_HALVES = range(0xD800, 0xE000)  # the surrogates of UTF-16


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

    if any(tag[0].count(b"=") > _MOST_ATTRIBUTES for tag in _TAG.finditer(content)):
        raise ValueError(f"an element with more than {_MOST_ATTRIBUTES} attributes")
    # Bytes alone would be taken for a file's name.
    feed = feedparser.parse(
        io.BytesIO(_REFERENCE.sub(_without_surrogate, content)),
        response_headers={"content-type": content_type or "application/xml"},
        resolve_relative_uris=False,
        sanitize_html=False,  # `html_text` keeps no markup; this takes the square of its length
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
