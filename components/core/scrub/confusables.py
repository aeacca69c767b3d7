"""Normalizes a text to the characters that a reader sees, so that Unicode hides no personal data.

Zero-width characters vanish, full-width and other digits and letters become plain (NFKC, Unicode
Standard Annex 15), and letters that look Latin become Latin inside words that are partly Latin
(Unicode Technical Standard 39). Each character keeps its position in the original.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import cache

# Latin letters with accents, typographic quotes and dashes, currencies: nothing to normalize.
_PLAIN = re.compile(r"[\x00-\x7f\u00a1-\u00ac\u00ae-\u024f\u2018\u2019\u201c\u201d\u2026\u20ac]*\Z")
_DASHES = dict.fromkeys(
    map(ord, "\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe58\ufe63\uff0d"), "-"
)
_DOTS = dict.fromkeys(map(ord, "\u2024\u3002\uff0e\uff61"), ".")
_IGNORED = {"Cf", "Mn", "Me"}  # formats, and marks without a letter of their own
_COMBINING = re.compile(r"[\u0300-\u036f]")
_WORD = re.compile(r"[^\s<>\"',;()]+")
_LATIN = re.compile(r"[A-Za-z0-9@]")


@dataclass(frozen=True)
class NormalizedText:
    """A text as a reader sees it.

    Attributes:
        text: plain characters.
        origin: position of each of them in the original, and the original's length; None if
            nothing changed.
    """

    text: str
    origin: tuple[int, ...] | None

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Maps the characters [start, end) of `text`, at least one, to the original."""
        if self.origin is None:
            return start, end
        # Marks without a character of their own, such as vowel signs, belong to the one before.
        return self.origin[start], max(self.origin[end - 1] + 1, self.origin[end])


def normalize(text: str) -> NormalizedText:
    """Normalizes `text` to what a reader sees.

    >>> normalize("ca\\u200bll ０７").text
    'call 07'
    """
    if text.isascii() or _PLAIN.match(text):
        return NormalizedText(text, None)
    plain: list[str] = []
    origin: list[int] = []
    for position, character in enumerate(text):
        for visible in _visible(character):
            plain.append(visible)
            origin.append(position)
    for word in list(_WORD.finditer("".join(plain))):
        if _LATIN.search(word[0]):
            for position in range(*word.span()):
                plain[position] = _lookalikes().get(plain[position], plain[position])
    normalized = "".join(plain)
    if normalized == text:
        return NormalizedText(text, None)
    return NormalizedText(normalized, (*origin, len(text)))


@cache
def _lookalikes() -> dict[str, str]:
    """Maps letters of other scripts to the Latin letter or digit that looks the same."""
    from confusable_homoglyphs import confusables

    return {
        letter: min(other["c"] for other in alike if _LATIN.fullmatch(other["c"]))
        for letter, alike in confusables.confusables_data.items()
        if len(letter) == 1
        and not _PLAIN.match(letter)
        and any(_LATIN.fullmatch(other["c"]) for other in alike)
    }


def _visible(character: str) -> str:
    """Returns what a reader sees of one character: nothing, itself, or plainer characters."""
    if character.isascii() or character in "\u2018\u2019\u201c\u201d":
        return character
    category = unicodedata.category(character)
    if category in _IGNORED and not _COMBINING.match(character):
        return ""
    if category == "Nd":
        return str(unicodedata.digit(character))
    if category == "Zs":
        return " "
    changed = character.translate(_DASHES).translate(_DOTS)
    return unicodedata.normalize("NFKC", changed)
