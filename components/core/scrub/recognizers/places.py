"""Rules for street addresses and postal codes that have a recognizable form.

Addresses without a word like "street" are found by the tagger.
"""

from __future__ import annotations

import re

from components.core.scrub.recognizers.rule import Rule

_TYPES = (
    "street|st|road|rd|avenue|ave?|lane|ln|drive|dr|boulevard|blvd|court|ct|close|place|pl|square|sq|"
    "terrace|ter|crescent|cres|gardens|gdns|grove|gr|parkway|pkwy|highway|hwy|circle|cir|trail|trl|"
    "mews|row|hill|walk|wharf|quay|parade|turnpike|pike|plaza|alley|loop|esplanade|mount|rise|way"
)
_UNIT = r"(?:apt|apartment|suite|ste|unit|flat|room|rm|floor|fl|bldg|building)\.? ?#?\d{1,5}[a-z]?"
_NAME = r"(?:[^\W\d_](?:[^\W\d_]|[.'’-])*|\d{1,3}(?:st|nd|rd|th))"
_WORD = r"[^\d\s,;:!?()]{1,30}"  # bytes, for gates
_AFTER = (
    "straße|strasse|str|gasse|weg|platz|allee|ring|damm|ufer|laan|straat|plein|dreef|kade|gatan|gata|"
    "vägen|veien|vegen|veg|vej|gade|stræde|katu|tie|kuja|polku|utca|út|tér|körút"
)
_BEFORE = (
    "rue|avenue|boulevard|chemin|impasse|allée|place|quai|via|viale|piazza|corso|vicolo|calle|avenida|"
    "paseo|plaza|camino|carrer|rua|travessa|praça|largo|estrada|ulica|ul|aleja|al|ulice|nám|náměstí|"
    "rúa|strada|bulevardul|odos"
)
_TRAILING = (  # those that news do not use for something else before a number
    "rue|via|viale|piazza|corso|vicolo|calle|avenida|paseo|rua|travessa|praça|estrada|ulica|ul|aleja|"
    "ulice|nám|náměstí|rúa|strada|bulevardul|odos"
)
# Hyperscan's case-insensitivity ends with ASCII: gates name accented capitals apart.
_STATES = (
    "AL|AK|AZ|AR|CA|CO|CT|DE|FL|GA|HI|ID|IL|IN|IA|KS|KY|LA|ME|MD|MA|MI|MN|MS|MO|MT|NE|NV|NH|NJ|NM|NY|"
    "NC|ND|OH|OK|OR|PA|RI|SC|SD|TN|TX|UT|VT|VA|WA|WV|WI|WY|DC|PR"
)

_SURE = re.compile(r"\b(?:street|road|avenue|lane|drive|boulevard|st|rd|ave|ln|blvd)\b", re.I)
_FEW = 3  # words; a lower-case phrase that is longer is a sentence
_SMALL = {
    "of", "the", "de", "du", "des", "la", "le", "les", "del", "da", "do", "dos", "bis", "ter",
    "van", "der", "den", "und", "apt", "apartment", "suite", "unit", "flat", "room", "floor",
} | set(f"{_TYPES}|{_AFTER}|{_BEFORE}".split("|"))  # fmt: skip
_COMMON = {
    "people", "men", "women", "years", "year", "days", "day", "times", "pages", "ways", "per", "in",
    "on", "a", "an", "to", "this", "that", "his", "her", "first", "second", "last", "new", "more",
    "million", "billion", "m", "bn", "percent", "out", "and", "at", "with", "other", "long", "way",
    "minutes", "hours", "months", "weeks", "miles", "metres", "any", "by", "from", "one",
}  # fmt: skip


def _titled(text: str) -> tuple[int, int] | None:
    """`text` if its names begin with capitals, or none of its letters is one.

    "12 Baker Street" and "12 baker street" are addresses; "2 people on the street" is none.
    """
    names = re.findall(r"(?<![\w'’])[^\W\d_][\w'’-]*", text)
    counted = [name for name in names if name.lower() not in _SMALL]
    capitals = [name for name in counted if name[0].isupper()]
    if counted and len(capitals) == len(counted):
        return 0, len(text)
    small = not capitals and len(counted) <= _FEW and not set(names) & _COMMON
    if small and _SURE.search(text):
        return 0, len(text)
    return None


def _capitalised(text: str) -> tuple[int, int] | None:
    """`text` if one of its names has a capital: too many small words look like these."""
    letter = re.search(r"(?<![\w'’])[^\W\d_]", text)
    named = [n for n in re.findall(r"(?<![\w'’])[^\W\d_]+", text) if n.lower() not in _SMALL]
    capital = any(name[0].isupper() for name in named) or (letter and letter[0].isupper())
    return _titled(text) if capital else None


RULES = (
    # 221B Baker Street, 10 N. Main St., Apt 4
    Rule(
        "STREET_ADDRESS",
        rf"(?<![\w.,$£€-])\d{{1,5}}(?:[-/]\d{{1,4}})?[a-z]?,? (?:{_NAME} ){{1,4}}(?:{_TYPES})\b"
        rf"(?:\.?,? (?:[nsew]{{1,2}}\b\.?))?(?:\.?,? {{0,2}}{_UNIT})?",
        (
            rf"(?i)\d[a-z]?,? [^\d\n]{{1,80}}\b(?:{_TYPES})\b",
            rf"(?i)\d(?:st|nd|rd|th) (?:{_TYPES})\b",
        ),
        0.6, refine=_titled,
    ),
    Rule(
        "STREET_ADDRESS",
        rf"(?<!\w)[^\W\d_][^\W\d_-]{{2,30}}[ -]?(?:{_AFTER})\.? \d{{1,4}}"
        r"(?: ?[a-z](?!\w)|[-/]\d{1,4})?(?!\w)",
        (rf"(?i)(?:{_AFTER}|{_AFTER.upper()})\.? \d",), 0.6, refine=_capitalised,
    ),
    Rule(
        "STREET_ADDRESS",
        rf"(?<!\w)(?:{_TRAILING})\.? (?:{_NAME} ){{0,4}}{_NAME},? (?:n[º°o]\.? ?)?\d{{1,4}}(?!\w)",
        (rf"(?i)\b(?:{_TRAILING}|{_TRAILING.upper()})\.? [^\d\n]{{2,80}}\d",), 0.6,
        refine=_capitalised,
    ),
    Rule(
        "STREET_ADDRESS",
        rf"(?<!\w)\d{{1,4}}(?: ?bis| ?ter)?,? (?:{_BEFORE})\.? "
        rf"(?:(?:de|du|des|la|le|les|del|da|do) |d'|l')*{_NAME}(?: {_NAME}){{0,2}}",
        (rf"(?i)\d(?: ?bis| ?ter)?,? (?:{_BEFORE}|{_BEFORE.upper()})\.? ",), 0.55,
        refine=_capitalised,
    ),
    Rule("STREET_ADDRESS", rf"(?<!\w){_UNIT}(?!\w)", (rf"(?i){_UNIT}",), 0.5),
    Rule(
        "STREET_ADDRESS", r"(?<!\w)(?:p\.? ?o\.?|post(?:al)?(?: office)?) ?box ?#?\d{1,6}(?!\w)",
        (r"(?i)box ?#?\d",), 0.9,
    ),
    # UK: BS 7666
    Rule(
        "POSTAL_CODE",
        r"(?<![\w-])(?:GIR ?0AA|[A-PR-UWYZ](?:\d{1,2}|[A-HK-Y]\d|[A-HK-Y]\d\d|\d[A-HJKPSTUW]|"
        r"[A-HK-Y]\d[ABEHMNPRV-Y]) ?\d[ABD-HJLNP-UW-Z]{2})(?!\w)",
        (r"[A-Z]\d[A-Z\d]? ?\d[A-Z]{2}", "GIR ?0AA"), 0.7, flags=0,
    ),
    # United States, after a state; Canada
    Rule(
        "POSTAL_CODE", rf"(?<!\w)(?:{_STATES})\.?,? {{1,2}}(?P<pii>\d{{5}}(?:-\d{{4}})?)(?![\w-])",
        (r"[A-Z]{2}\.?,? {1,2}\d{5}",), 0.8, flags=0,
    ),
    Rule(
        "POSTAL_CODE",
        r"(?<!\w)[ABCEGHJ-NPRSTVXY]\d[ABCEGHJ-NPRSTV-Z][ -]?\d[ABCEGHJ-NPRSTV-Z]\d(?!\w)",
        (r"[A-Z]\d[A-Z][ -]?\d[A-Z]\d",), 0.6, flags=0,
    ),
    Rule(
        "POSTAL_CODE", r"(?<![\w.,-])\d{4,6}(?:-\d{3,4})?(?![\w-]|[.,]\d)",
        (r"(?i)\bzip|post(?:al)? ?code|postcode|\bplz\b|code postal",), 0.05,
        ("zip(?: ?code)?", "post(?:al)? ?code", "plz", "code postal"),
    ),
)  # fmt: skip
