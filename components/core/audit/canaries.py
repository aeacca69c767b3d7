"""Finds planted strings in bytes, in plain and in encoded form.

Hyperscan (Wang et al., NSDI 2019) matches every form of every string in one pass over the bytes.
"""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import quote, quote_plus

LONGEST = 4096  # bytes of a form; longer strings are cut
_SHORTEST_CODED = 8  # bytes: shorter pieces of base64 occur by chance
# Base64 of a string depends on the number of bytes before it (mod 3). That number -> the leading
# characters that encode bits of those bytes.
_FOREIGN = {0: 0, 1: 2, 2: 3}


def forms(value: str) -> dict[bytes, str]:
    """Encodes `value` in every form that the search matches; form -> name of the encoding.

    >>> sorted(set(forms("a/b c@d.org").values()))
    ['HTML', 'JSON', 'UTF-16', 'UTF-32', 'UTF-8', 'base64', 'percent']
    """
    raw = value.encode("utf-8", "surrogatepass")
    encoded: dict[bytes, str] = {raw: "UTF-8"}

    def add(name: str, form: bytes) -> None:
        encoded.setdefault(form, name)

    for name in ("UTF-16", "UTF-32"):
        for order in ("le", "be"):
            add(name, value.encode(f"{name}-{order}", "surrogatepass"))
    inside = json.dumps(value)[1:-1]
    for text in (inside, json.dumps(value, ensure_ascii=False)[1:-1], inside.replace("/", "\\/")):
        add("JSON", text.encode("utf-8", "surrogatepass"))
    careful = "".join(c if c.isalnum() else f"\\u{ord(c):04x}" for c in value if ord(c) < 0x10000)  # noqa: PLR2004
    add("JSON", careful.encode("ascii", "replace"))
    safe = value.encode("utf-8", "replace").decode()
    for text in (quote(safe, safe=""), quote(safe), quote_plus(safe)):
        add("percent", text.encode())
    for text in (html.escape(safe), safe.replace("@", "&#64;"), html.escape(safe, quote=False)):
        add("HTML", text.encode())
    for before, foreign in _FOREIGN.items():
        end = (before + len(raw)) * 8 // 6  # characters that hold no padding bits
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            piece = encode(bytes(before) + raw)[foreign:end]
            if len(piece) >= _SHORTEST_CODED:
                add("base64", piece)
    return {form[:LONGEST]: name for form, name in encoded.items() if form}


class Canaries:
    """A compiled search for planted strings.

    Args:
        values: the strings.
        whole_words: skip a form next to an ASCII letter or digit.
    """

    def __init__(self, values: Iterable[str], *, whole_words: bool = False) -> None:
        import hyperscan

        self._forms: list[tuple[bytes, str]] = []
        known: set[bytes] = set()
        for value in sorted({value.strip() for value in values if value.strip()}):
            for form, name in forms(value).items():
                if form not in known:
                    known.add(form)
                    self._forms.append((form, name))
        self._whole_words = whole_words
        self._database: Any = None
        if self._forms:
            self._database = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
            self._database.compile(
                expressions=[
                    b"".join(b"\\x%02x" % byte for byte in form) for form, _ in self._forms
                ],
                ids=list(range(len(self._forms))),
                elements=len(self._forms),
                # Case matters in base64 and nowhere else: a vocabulary is in lower case.
                flags=[
                    0 if name == "base64" else hyperscan.HS_FLAG_CASELESS for _, name in self._forms
                ],
            )

    @classmethod
    def of(cls, values: Iterable[str], *, whole_words: bool = False) -> Canaries:
        return cls(values, whole_words=whole_words)

    def __len__(self) -> int:
        return len(self._forms)

    def find(self, content: bytes, after: int = 0) -> Iterator[tuple[int, str]]:
        """Yields (offset, name of the encoding) of each occurrence that ends behind `after`."""
        if self._database is None or not content:
            return
        matches: list[tuple[int, int]] = []  # (number of the form, end)

        def take(form_number: int, start: int, end: int, flags: int, context: object) -> None:
            del start, flags, context
            matches.append((form_number, end))

        self._database.scan(content, match_event_handler=take)
        for form_number, end in matches:
            form, name = self._forms[form_number]
            start = end - len(form)
            if end > after and (not self._whole_words or _stands_alone(content, start, end)):
                yield start, name


def _stands_alone(content: bytes, start: int, end: int) -> bool:
    around = content[max(start - 1, 0) : start] + content[end : end + 1]
    return not any(chr(byte).isalnum() and byte < 128 for byte in around)  # noqa: PLR2004
