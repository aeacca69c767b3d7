"""Numbers that identify: cards, accounts, national identifiers, documents."""

from __future__ import annotations

import re
from collections.abc import Iterator

from stdnum import iban, luhn
from stdnum.gb import nhs

from components.core.scrub.recognizers.rule import (
    NUMBER,
    Rule,
    digits_of,
    first_good,
    whole,
)

_CARD_LENGTHS = (16, 15, 14, 13, 19, 18, 17)  # ISO/IEC 7812-1, the commonest first
# Major industries that issue payment cards; JCB's cards of 15 digits begin with 1800 or 2131.
_CARD_FIRST, _JCB = "23456", "1800"
_JCB_LENGTH = 15
_ROUND = re.compile(r"0{4}\Z|\A(\d)\1*\Z")  # amounts, and placeholders such as 11111111
# "150 000 applications": what follows an amount and no number of a person.
UNITS = (
    r"\s?(?:%|(?:(?!(?:is|was|as|has|its|this|thanks|yes|plus|always|expires)\b)[a-z]{2,}s|"
    r"people|men|women|children|percent|per|million|mln|billion|bn|thousand|euro|yen|yuan|rupee|"
    r"dollar|pound|peso|real|lira|rand|kron[aeo]r?|z[lł]oty|f?t|km|kg|kb|mb|gb|sq|square)\b)"
)
_IBAN_LENGTHS = tuple(range(34, 14, -1))  # ISO 13616
_DVLA_LENGTH = 16


def _runs(text: str, lengths: tuple[int, ...]) -> Iterator[tuple[int, int]]:
    """Parts of `text` of so many letters and digits that begin and end with a group of them."""
    places = [i for i, character in enumerate(text) if character.isalnum()]
    starts = [n for n, i in enumerate(places) if i == 0 or not text[i - 1].isalnum()]
    for first in starts:
        for length in lengths:
            last = first + length - 1
            if last >= len(places):
                continue
            end = places[last] + 1
            if end == len(text) or not text[end].isalnum():
                yield places[first], end


def _card(text: str) -> tuple[int, int] | None:
    def good(part: str) -> bool:
        digits = digits_of(part)
        jcb = len(digits) == _JCB_LENGTH and digits.startswith(_JCB)
        known = digits[0] in _CARD_FIRST or jcb
        return known and len(set(digits)) > 1 and luhn.is_valid(digits)

    return first_good(text, _runs(text, _CARD_LENGTHS), good)


def _iban(text: str) -> tuple[int, int] | None:
    return first_good(text, _runs(text, _IBAN_LENGTHS), iban.is_valid)


def _grouped_card(text: str) -> tuple[int, int] | None:
    return _card(text) if len(set(digits_of(text))) > 1 else None


def _maestro(text: str) -> tuple[int, int] | None:
    return whole(text, luhn.is_valid(digits_of(text)))


def _no_amount(text: str) -> tuple[int, int] | None:
    return whole(text, not _ROUND.search(digits_of(text)))


def _without_words(text: str) -> tuple[int, int] | None:
    """The groups of `text` that hold a digit; "is A123 4567" gives "A123 4567"."""
    groups = [group.span() for group in re.finditer(r"[^ ]+", text)]
    with_digit = [(a, b) for a, b in groups if any(c.isdigit() for c in text[a:b])]
    if not with_digit or _ROUND.search(digits_of(text)):
        return None
    return with_digit[0][0], with_digit[-1][1]


_SSN = r"(?:\bssns?\b|social security|\bss ?#|\bss no)"
_LICENCE = (
    r"driv\w*'?s?'? ?(?:licen[cs]e|permit)", r"licen[cs]e", r"permit", r"\bdl\b", "dvla", "dmv",
)  # fmt: skip

RULES = (
    Rule(
        "CREDIT_CARD", r"(?<![\d.,])\d(?:[ -]{0,2}\d){12,22}(?!\d)",
        (r"\d(?:[ -]{0,2}\d){12}",), 1.0, refine=_card,
    ),
    # The groups of a card between dots, slashes or line breaks
    Rule(
        "CREDIT_CARD",
        r"(?<![\d.,/])(?:\d{4}(?:\s{0,2}[./\s]\s{0,2}\d{4}){3}|"
        r"3[47]\d{2}\s{0,2}[./\s]\s{0,2}\d{6}\s{0,2}[./\s]\s{0,2}\d{5}|\d{8}\s{1,3}\d{8})"
        r"(?![\d/]|[.,]\d)",
        (r"\d{4}\s{0,2}[./\s]\s{0,2}\d{4}\s{0,2}[./\s]\s{0,2}\d{4}", r"\d{8}\s{1,3}\d{8}",
         r"3[47]\d{2}\s{0,2}[./\s]\s{0,2}\d{6}"),
        1.0, refine=_grouped_card,
    ),
    # Maestro, 12 digits
    Rule(
        "CREDIT_CARD", r"(?<![\w.,-])(?:5[06-8]|6\d)\d{2}(?:[ -]?\d{4}){2}(?![\w-])",
        (r"(?i)card|maestro|debit|karte|carte|carta|tarjeta|kaart|cart[aã]o|kort|karta",), 0.3,
        ("cards?", "maestro", "debit", "[a-z]*karte", "carte", "carta", "tarjeta", "[a-z]*kaart",
         "cartao", "cartão", "kort", "karta"),
        refine=_maestro, needs=(NUMBER,),
    ),
    Rule(
        "IBAN_CODE", r"(?<![a-z0-9])[a-z]{2}\d{2}(?:[ -]?[a-z0-9]){11,33}(?![a-z0-9])",
        (r"(?i)[a-z]{2}\d{2}(?:[ -]?[a-z0-9]){11}",), 1.0, refine=_iban,
    ),
    Rule(
        "US_SSN", r"(?<![\d.-])(?!000|666|9)\d{3}([- .])(?!00)\d{2}\1(?!0000)\d{4}(?![\d-])",
        (r"\d{3}[- .]\d{2}[- .]\d{4}",), 0.85,
    ),
    # Without separators, or with numbers that were never given out: context decides.
    Rule(
        "US_SSN", r"(?<![\d.-])\d{3}[- .]?\d{2}[- .]?\d{4}(?![\d-])",
        (rf"(?i){_SSN}",), 0.2, (_SSN,),
    ),
    Rule(
        "UK_NINO",
        r"(?<![a-z0-9])(?!bg|gb|nk|kn|tn|nt|zz)[a-ceghj-prstw-z][a-ceghj-npr-tw-z][ -]?"
        r"\d{2}[ -]?\d{2}[ -]?\d{2}[ -]?[a-d](?![a-z0-9])",
        (r"(?i)[a-z]{2}[ -]?\d{2}[ -]?\d{2}[ -]?\d{2}[ -]?[a-d]",), 0.85,
    ),
    Rule(
        "UK_NHS", r"(?<![\d-])\d{3}[ -]?\d{3}[ -]?\d{4}(?![\d-])",
        (r"(?i)\bnhs\b", "(?i)health service"), 0.3, (r"nhs", "health service", "patient"),
        refine=lambda text: whole(text, nhs.is_valid(text)),
    ),
    Rule(
        "PASSPORT", r"(?<![a-z0-9])(?=[a-z]{0,3}\d)[a-z]{0,3}\d{6,9}[a-z]?(?![a-z0-9])",
        ("(?i)pass(?:port|eport|aporte|nummer)|reisepass|paspoort|pasaporte|passaporto|paszport",), 0.1,
        ("passports?", "passeport", "pasaporte", "passaporto", "passaporte", "reisepass",
         "(?:reise)?pass(?:nummer|-nr)?", "paspoort", "paspoortnummer", "paszport"),
        refine=_no_amount, not_before=UNITS, needs=(NUMBER,),
    ),
    Rule(
        "DRIVER_LICENSE",
        r"(?<![a-z0-9])(?=(?:[a-z -]{0,6}\d){5})[a-z0-9](?:[ -]?[a-z0-9]){4,18}(?![a-z0-9])",
        ("(?i)licen[cs]e", "(?i)permit", r"(?i)\bdl\b", "(?i)dvla", "(?i)dmv"), 0.1, _LICENCE,
        # A word may stand in front of the number: what is personal begins with its first digits.
        refine=_without_words, not_before=UNITS,
    ),
    # DVLA: five letters of the name, six digits of the birthday, two initials, three checks.
    Rule(
        "DRIVER_LICENSE",
        r"(?<![a-z0-9])[a-z]{1,5}9{0,4}\d[0156]\d[0-3]\d{2}[a-z9]{2}[a-z0-9]{3}(?![a-z0-9])",
        (r"(?i)[a-z9]{5}\d{6}[a-z9]{2}[a-z0-9]{3}",), 0.6,
        refine=lambda text: whole(text, len(text) == _DVLA_LENGTH),
    ),
    # A bank may have lent as much: the word that counts is the account.
    Rule(
        "US_BANK_NUMBER", r"(?<![\w.,$£€-])\d{8,17}(?![\w-]|[.,]\d)",
        (r"(?i)account|acc?t|a/c|routing|sort code|iban|bank (?:no|number|details)|konto|cuenta|conto",),
        0.05,
        ("accounts?", r"acc?ts?", "a/c", "routing", "sort code", "iban", "bank (?:no|number|details)",
         "konto(?:nummer|nr)?", "cuenta", "conta", "conto", "compte", "rekening(?:nummer)?"),
        refine=_no_amount, not_before=UNITS, needs=(NUMBER,),
    ),
)  # fmt: skip
