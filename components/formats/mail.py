"""Text of an e-mail (RFC 5322, MIME): its subject and body, without attachments."""

from __future__ import annotations

import contextlib
import email
from collections.abc import Iterator, Sequence
from datetime import UTC
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from email.message import Message
from email.utils import parseaddr, parsedate_to_datetime

from components.formats import FileText
from components.formats.charsets import decode
from components.formats.html_text import html_text


def mail_text(content: bytes, headers: Sequence[str] = ()) -> FileText:
    """Returns subject and body of the message, its sender and its date.

    The body is the plain text, or else the text of the HTML part. The sender is the address, or
    the name where there is no address. A date that cannot be read is None.

    Args:
        content: the message.
        headers: names whose values are wanted, too.
    """
    message = email.message_from_bytes(content)
    bodies = list(_bodies(message))
    plain = [text for kind, text in bodies if kind == "text/plain" and text.strip()]
    body = plain or [html_text(text) for kind, text in bodies if kind == "text/html"]
    text = "\n\n".join(
        part for part in (_header(message, "Subject"), *(part.strip() for part in body)) if part
    )
    name, address = parseaddr(_header(message, "From") or "")
    wanted = {key: value for key in headers if (value := _header(message, key))}
    return FileText(text, address or name or None, _time(message), wanted)


def _bodies(message: Message) -> Iterator[tuple[str, str]]:
    """Yields type and text of the parts that a reader sees, also of forwarded messages."""
    waiting = [message]
    while waiting:
        part = waiting.pop()
        if part.get_content_disposition() == "attachment":
            continue
        if part.is_multipart():
            waiting += reversed(part.get_payload())  # type: ignore[arg-type]
            continue
        kind = part.get_content_type()
        content = part.get_payload(decode=True)
        if kind in ("text/plain", "text/html") and isinstance(content, bytes):
            text = decode(content, part.get_content_charset())
            if text is None:
                text = content.decode("ascii", "replace")
            yield kind, text.replace("\r\n", "\n")


def _header(message: Message, name: str) -> str | None:
    """Returns the header on one line, decoded (RFC 2047); None without it."""
    values = (value for key, value in message.raw_items() if key.lower() == name.lower())
    raw = next(values, None)
    if raw is None:
        return None
    raw = str(raw)
    if not raw.isascii():  # bytes that no encoding states
        raw = decode(raw.encode("utf-8", "surrogateescape")) or ""
    else:
        with contextlib.suppress(HeaderParseError, LookupError, ValueError):
            raw = str(make_header(decode_header(raw)))
    return " ".join(raw.split())


def _time(message: Message) -> str | None:
    try:
        time = parsedate_to_datetime(_header(message, "Date") or "")
        time = time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return time.isoformat()
