"""Drops what the tagger marks and what names nobody: words of organizations, products and code.

A tagger that reads a few words around a name cannot know that Oracle is a company. The lexicon
knows, and the document: a surname that stands with a first name elsewhere is a person everywhere.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from components.core.scrub.lexicon import BRANDS, FORMS, GEOGRAPHY, NOT_PERSONS, THINGS
from components.core.scrub.pseudonyms import TITLES
from components.core.scrub.recognizers.first_names import is_first_name

if TYPE_CHECKING:
    from components.core.scrub.recognizers import Span
    from components.core.scrub.taggers.cnn import Mark

TITLE = re.compile(rf"(?<!\w)(?:{TITLES})\.?\s{{1,2}}\Z", re.IGNORECASE)  # right before a name
LONGEST_TITLE = 14  # characters
_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
_OF_ADDRESS = re.compile(r"[^\W\d_]{3}|\d{4}")  # a word or a postal code
_ADDRESS_NAME = re.compile(r"(?<!\w)[^\W\d_][^\W\d_.’'-]{2,}")
_SURE = 0.8  # score of a mark, from which a first name that is also a word is a name
_NEAR = 60  # characters between a number and the address that it belongs to
_GAP = 4  # characters between two parts of an address
_CODE = re.compile(
    r"""(?x)
    .*://.* | www\..* | .*(?:::|->|\(\)|[{}=]).* | [\w.-]*_[\w.-]*
    | .*[0-9a-f]{8}-[0-9a-f]{4}-.*                              # UUID
    | (?=[^\s]*\d)(?=[^\s]*[a-z])[0-9a-f]{8,}                   # hexadecimal
    | [\w.-]+\.(?:py|md|js|ts|c|h|cc|cpp|hpp|java|go|rs|rb|sh|exe|dll|so|txt|csv|json|ya?ml|toml
      |xml|html?|css|sql|ini|cfg|conf|log|zip|gz|tar|tgz|jar|ps|tex|bib|pdf|docx?|xlsx?|png|jpe?g|gif)
    | /?(?:[\w.-]+/){2,}[\w.-]*
    """,
    re.IGNORECASE,
)
_VERSION = re.compile(r"\s?v?\d{1,3}(?:\.\d+)+|\s\d{1,2}(?:\.x|\+)")
_ROMAN = re.compile(r"[IVXLCDM]+")
_ACRONYM = 5  # letters
_EDGES = " \t\r\n,.;:!?()[]\"'“”‘’"
_AGENCY = re.compile(r"\((?:reuters?|ap|afp|upi|dpa|bloomberg|xinhua|tass)\)", re.IGNORECASE)


def believable(text: str, marks: Sequence[Mark], rules: Sequence[Span]) -> list[Mark]:
    """Returns the marks that may name a person or an address.

    Args:
        text: of one document.
        marks: of the tagger in it, in their order.
        rules: findings of the rules in it: an address inside one of them is a part of it.
    """
    if not marks:
        return []
    surnames = _surnames(text, marks)
    kept = [mark for mark in marks if mark.kind != "PERSON" or _is_person(text, mark, surnames)]
    return _addresses(text, kept, rules)


def _surnames(text: str, marks: Sequence[Mark]) -> set[str]:
    """Returns the words that a title or a first name in the text shows to be surnames."""
    known: set[str] = set()
    for mark in marks:
        if mark.kind != "PERSON":
            continue
        words = _WORD.findall(text, mark.start, mark.end)
        if not words:
            continue
        if (len(words) > 1 and is_first_name(words[0])) or _titled(text, mark.start):
            known.add(words[-1].casefold())
    return known


def _titled(text: str, start: int) -> bool:
    return TITLE.search(text[max(0, start - LONGEST_TITLE) : start]) is not None


def _token(text: str, start: int, end: int) -> str:
    """Returns the characters without a space around [start, end)."""
    while start and not text[start - 1].isspace():
        start -= 1
    while end < len(text) and not text[end].isspace():
        end += 1
    return text[start:end].strip(_EDGES)


def _is_person(text: str, mark: Mark, surnames: set[str]) -> bool:
    value = text[mark.start : mark.end]
    words = _WORD.findall(value)
    if not words:
        return False
    last = words[-1].casefold()
    if len(words) > 1:
        first = words[0].casefold()
        if is_first_name(first) and not (first in BRANDS and last in NOT_PERSONS):
            return last not in _FIRMS or len(words) > 3  # noqa: PLR2004 - "John Smith Partners"
        listed = all(word.casefold() in NOT_PERSONS | FORMS for word in words)
        return not listed and last not in FORMS and first not in BRANDS
    if _titled(text, mark.start) or last in surnames:
        return True
    return not (
        _is_listed(text, mark, last)
        or _is_code(text, mark, words[0])
        or _is_word_here(text, words[0], last)
    )


_FIRMS = FORMS - {
    "bridge",
    "band",
    "town",
    "church",
    "bank",
    "banks",
    "tower",
    "center",
    "as",
    "co",
}


def _is_listed(text: str, mark: Mark, word: str) -> bool:
    """Tests a single word against the lexicon, and the words beside it."""
    if is_first_name(word) and mark.score >= _SURE:
        return False
    if word in NOT_PERSONS or (word in FORMS and word not in {"church", "banks", "bridge", "town"}):
        return True
    if word.endswith(("ism", "ology", "ography")):
        return True
    bare = word.removesuffix("'s").removesuffix("’s")
    before = re.search(r"([^\W\d_][\w-]*)\s\Z", text[max(0, mark.start - 24) : mark.start])
    after = re.match(r"\s(?:&\s)?([A-Z][\w]*)", text[mark.end : mark.end + 24])
    brand = before is not None and before[1][0].isupper() and before[1].casefold() in BRANDS
    form = (
        after is not None and after[1].casefold() in _FIRMS | GEOGRAPHY and not is_first_name(word)
    )
    return bare in NOT_PERSONS or brand or form


def _is_code(text: str, mark: Mark, word: str) -> bool:
    """Tests if a single word is a part of code, a version, a numeral or an acronym."""
    token = _token(text, mark.start, mark.end)
    if _CODE.fullmatch(token) or _VERSION.match(text, mark.end):
        return True
    if _ROMAN.fullmatch(word) or len(word) == 1:
        return True
    return (
        word.isupper() and len(word) <= _ACRONYM and not is_first_name(word) and not text.isupper()
    )


def _is_word_here(text: str, word: str, small: str) -> bool:
    """Tests if a text writes a word in small letters, too, and so uses it as no name."""
    if is_first_name(small):
        return False
    if word.islower():
        return any(map(str.isupper, text))
    found = text.find(f" {small}")
    if found < 0:
        return False
    end = found + len(small) + 1
    return end == len(text) or not (text[end].isalnum() or text[end] in "'’-_@.")


def _addresses(text: str, marks: Sequence[Mark], rules: Sequence[Span]) -> list[Mark]:
    """Drops parts of addresses that no street, town or number stands beside."""
    others = [(rule.start, rule.end) for rule in rules if rule.entity not in _ADDRESS_ENTITIES]
    groups: list[list[Mark]] = []
    kept: list[Mark] = []
    for mark in marks:
        if mark.kind != "ADDRESS":
            kept.append(mark)
            continue
        if any(start <= mark.start and mark.end <= end for start, end in others):
            continue
        if _CODE.fullmatch(_token(text, mark.start, mark.start + 1)) and mark.end - mark.start < 80:  # noqa: PLR2004
            continue
        if (
            groups
            and not re.search(r"[^\W_]", text[groups[-1][-1].end : mark.start])
            and (mark.start - groups[-1][-1].end <= _GAP)
        ):
            groups[-1].append(mark)
        else:
            groups.append([mark])
    streets = [(rule.start, rule.end) for rule in rules if rule.entity in _ADDRESS_ENTITIES]
    sure = [group for group in groups if _is_address(text, group, streets)]
    streets += [(group[0].start, group[-1].end) for group in sure]
    for group in groups:
        # A postal code or a number of a house may stand apart from the rest, on its own line.
        if group in sure or _is_near(group, streets, _NEAR):
            kept += group
    return sorted(kept, key=lambda mark: mark.start)


_ADDRESS_ENTITIES = {"STREET_ADDRESS", "POSTAL_CODE"}


def _is_near(group: Sequence[Mark], streets: Sequence[tuple[int, int]], gap: int) -> bool:
    start, end = group[0].start, group[-1].end
    return any(a - gap <= end and start <= b + gap for a, b in streets)


def _is_address(text: str, group: Sequence[Mark], streets: Sequence[tuple[int, int]]) -> bool:
    """Tests if marks that stand together have a name, and are no number of a thing."""
    if _is_near(group, streets, _GAP):
        return True
    start, end = group[0].start, group[-1].end
    value = text[start:end]
    names = [name.casefold() for name in _ADDRESS_NAME.findall(value)]
    if not names or not _OF_ADDRESS.search(value):  # a number alone: of a thing, or of nothing
        return False
    before = re.search(r"([^\W\d_]+)\.?\s?[#:]?\s?\Z", text[max(0, start - 20) : start])
    if names[0] in THINGS or (before is not None and before[1].casefold() in THINGS):
        return False
    return any(map(str.isdigit, value)) or value != value.lower()
