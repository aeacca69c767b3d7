"""Text of files: plain, HTML, e-mail, PDF, Word, OpenDocument and RTF.

    __init__     which file is of which format, by its name
    encoding     bytes -> text
    html_text    HTML -> text
    converter    runs the other formats in a process of its own, with limits
    child        that process: mail, office, pdf, rtf

An import loads no library of a format.
"""

from __future__ import annotations

import re
from typing import NamedTuple

# Suffix, in lower case -> format.
FORMATS = {
    **dict.fromkeys((".txt", ".text", ".md", ".markdown"), "text"),
    **dict.fromkeys((".html", ".htm", ".xhtml"), "html"),
    ".eml": "mail",
    ".pdf": "pdf",
    ".docx": "docx",
    ".odt": "odt",
    ".rtf": "rtf",
}
# Names of e-mails and news articles in well-known sets: 59001, 1., 00001.7c53336b37003a92.
_NO_SUFFIX = re.compile(r"\.(?:\d*|[0-9a-f]{8,})")
_PLAIN_SUFFIX = re.compile(r"\.[\w-]{1,8}")
_SYSTEM_FILES = frozenset({"thumbs.db", "desktop.ini", "icon\r"})
_ABOUT = re.compile(r"(?:readme|license|licence|copying|changelog|notice)\b.*", re.IGNORECASE)


class FileText(NamedTuple):
    """The text of a file.

    Attributes:
        text: empty where `fault` is set.
        author, time: of an e-mail: its sender, and when it was sent (ISO 8601, UTC).
        headers: of an e-mail that were asked for: name -> value.
        fault: why the file could not be read, without any of its content.
    """

    text: str
    author: str | None = None
    time: str | None = None
    headers: dict[str, str] | None = None
    fault: str | None = None


def format_of(name: str) -> str | None:
    """Returns the format of the file `name`, perhaps packed as gz; None for a file of another kind.

    >>> [format_of(name) for name in ("a/1.TXT", "a/59001", "a/b.pdf.gz", "a/photo.jpg")]
    ['text', 'text', 'pdf', None]
    """
    suffix = suffix_of(name)
    return "text" if not suffix else FORMATS.get(suffix)


def suffix_of(name: str) -> str:
    """Returns the suffix in lower case, without .gz; empty without one, "other" for a strange one.

    >>> [suffix_of(name) for name in ("a.b/1.TXT.gz", "00001.7c53336b37003a92", "x.Ann Smith")]
    ['.txt', '', 'other']
    """
    base = name.rpartition("/")[2].lower().removesuffix(".gz")
    _, dot, end = base.rpartition(".")
    suffix = f"{dot}{end}"
    if not dot or _NO_SUFFIX.fullmatch(suffix):
        return ""
    return suffix if _PLAIN_SUFFIX.fullmatch(suffix) else "other"


def is_system_file(name: str) -> bool:
    """Tests if the last part of `name` is a file that an operating system adds to folders."""
    return name.rpartition("/")[2].lower() in _SYSTEM_FILES


def is_about(name: str) -> bool:
    """Tests if the last part of `name` is that of a file about the data, such as README."""
    return _ABOUT.fullmatch(name.rpartition("/")[2]) is not None
