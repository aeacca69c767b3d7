"""Normalizes a text to the characters that a reader sees, so that Unicode hides no personal data.

Zero-width characters vanish, full-width and other digits and letters become plain (NFKC, Unicode
Standard Annex 15), and letters that look Latin become Latin inside words that are partly Latin
(Unicode Technical Standard 39). Escapes of HTML, URLs and quoted-printable become their characters,
and s p a c e d letters a word. Each character keeps its position in the original.
"""

from __future__ import annotations

import html
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
_ESCAPES = re.compile(
    r"[&=%](?:"
    r"(?<=&)(?:#\d{2,6}|#[xX][0-9a-fA-F]{2,5}|[A-Za-z]{2,8}\d{0,2});"  # HTML
    r"|(?<==)[C-F][0-9A-F](?:=[89AB][0-9A-F]){1,3}"  # RFC 2045, letters outside ASCII
    r"|(?<=%)[C-Fc-f][0-9A-Fa-f](?:%[89ABab][0-9A-Fa-f]){1,3}"  # RFC 3986
    r"|(?<=\w=)40(?=[A-Za-z])|(?<=\w%)(?:40|2[Ee])(?=\w)"
    r"|(?<=\w=)\r?\n(?=\w))"  # a soft line break of RFC 2045
)
_MARKUP = set("<>&\"'")  # stay escaped: they would look like markup and placeholders
_MAY_BE_SPACED = re.compile(r" \w \w |\A\w \w ")
_SPACED = re.compile(r"(?<!\w)[^\W\d_](?: [^\W\d_]){3,}(?!\w)")
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
    shown, origin = _unescaped(text)
    if shown.isascii() or _PLAIN.match(shown):
        return NormalizedText(shown, origin)
    plain: list[str] = []
    positions: list[int] = []
    for position, character in enumerate(shown):
        for visible in _visible(character):
            plain.append(visible)
            positions.append(position)
    for word in list(_WORD.finditer("".join(plain))):
        if _LATIN.search(word[0]):
            for position in range(*word.span()):
                plain[position] = _lookalikes().get(plain[position], plain[position])
    normalized = "".join(plain)
    if normalized == text:
        return NormalizedText(text, None)
    positions.append(len(shown))
    return NormalizedText(
        normalized, tuple(positions if origin is None else map(origin.__getitem__, positions))
    )


def _unescaped(text: str) -> tuple[str, tuple[int, ...] | None]:
    """Decodes escapes and joins spaced letters.

    Returns:
        The text, and the position of each character in the original with the original's length;
        None in place of the positions if nothing changed.

    >>> _unescaped("ann%40example.org")[0], _unescaped("by M a r y  L e e")[0]
    ('ann@example.org', 'by Mary  L e e')
    """
    escaped = _ESCAPES.finditer(text) if any(mark in text for mark in "&=%") else iter(())
    changes: list[tuple[int, int, str | None]] = [
        (*match.span(), _character(match[0])) for match in escaped
    ]
    spaced: list[tuple[int, int, str | None]] = []
    if _MAY_BE_SPACED.search(text):
        spaced = [(i, i + 1, "") for match in _SPACED.finditer(text) for i in _spaces(match)]
    changes = sorted(spaced + [change for change in changes if change[2] is not None])
    if not changes:
        return text, None
    parts: list[str] = []
    origin: list[int] = []
    last = 0
    for start, end, shown in changes:
        parts += [text[last:start], shown or ""]
        origin += [*range(last, start), *[start] * len(shown or "")]
        last = end
    origin += range(last, len(text) + 1)
    return "".join([*parts, text[last:]]), tuple(origin)


def _spaces(match: re.Match[str]) -> range:
    return range(match.start() + 1, match.end(), 2)


def _character(escape: str) -> str | None:
    """Decodes one escape; None if it stays as it is."""
    if escape[0] == "&":
        shown = html.unescape(escape)
        return None if shown == escape or shown in _MARKUP else shown
    if escape[1] in "\r\n":
        return ""
    try:
        return bytes.fromhex(escape.replace(escape[0], "")).decode()
    except ValueError:
        return None


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
