"""What a reader sees of a text, whatever its characters are: personal data cannot hide in Unicode.

Zero-width characters vanish, full-width and other digits and letters become plain (NFKC, Unicode
Standard Annex 15), and letters that look Latin become Latin inside words that are partly Latin
(Unicode Technical Standard 39). Each character remembers where it came from.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import cache

# Latin letters with accents, typographic quotes and dashes, currencies: nothing to unveil.
_PLAIN = re.compile(r"[\x00-\x7f\u00a1-\u00ac\u00ae-\u024f\u2018\u2019\u201c\u201d\u2026\u20ac]*\Z")
_DASHES = dict.fromkeys(
    map(ord, "\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe58\ufe63\uff0d"), "-"
)
_DOTS = dict.fromkeys(map(ord, "\u2024\u3002\uff0e\uff61"), ".")
_IGNORED = {"Cf", "Mn", "Me"}  # formats, and marks that stand on no letter of their own
_KEPT_MARKS = re.compile(r"[\u0300-\u036f]")
_WORD = re.compile(r"[^\s<>\"',;()]+")
_LATIN = re.compile(r"[A-Za-z0-9@]")


@dataclass(frozen=True)
class Unveiled:
    """A text as it is read.

    Attributes:
        text: plain characters.
        origin: for each of them the place in the original it came from; None if nothing changed.
    """

    text: str
    origin: tuple[int, ...] | None

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Where the characters [start, end) of `text`, at least one, stand in the original."""
        if self.origin is None:
            return start, end
        return self.origin[start], self.origin[end - 1] + 1


def unveil(text: str) -> Unveiled:
    """`text` as it is read.

    >>> unveil("ca\\u200bll ０７").text
    'call 07'
    """
    if text.isascii() or _PLAIN.match(text):
        return Unveiled(text, None)
    plain: list[str] = []
    origin: list[int] = []
    for place, character in enumerate(text):
        for seen in _seen(character):
            plain.append(seen)
            origin.append(place)
    for word in list(_WORD.finditer("".join(plain))):
        if _LATIN.search(word[0]):
            for place in range(*word.span()):
                plain[place] = _lookalikes().get(plain[place], plain[place])
    shown = "".join(plain)
    if shown == text:
        return Unveiled(text, None)
    return Unveiled(shown, tuple(origin))


@cache
def _lookalikes() -> dict[str, str]:
    """Letters of other scripts -> the Latin letter or digit that they are drawn like."""
    from confusable_homoglyphs import confusables

    return {
        letter: min(one["c"] for one in alike if _LATIN.fullmatch(one["c"]))
        for letter, alike in confusables.confusables_data.items()
        if len(letter) == 1
        and not _PLAIN.match(letter)
        and any(_LATIN.fullmatch(one["c"]) for one in alike)
    }


def _seen(character: str) -> str:
    """What is read of one character: nothing, itself, or plainer ones."""
    if character.isascii() or character in "\u2018\u2019\u201c\u201d":
        return character
    category = unicodedata.category(character)
    if category in _IGNORED and not _KEPT_MARKS.match(character):
        return ""
    if category == "Nd":
        return str(unicodedata.digit(character))
    if category == "Zs":
        return " "
    changed = character.translate(_DASHES).translate(_DOTS)
    return unicodedata.normalize("NFKC", changed)
