"""Pseudonyms of persons, and ids and labels that name nobody.

A keyed hash (HMAC-SHA256, RFC 2104) is the same for the same person, and nobody can compute it
without the key. It is cut to 64 bits, where collisions are improbable.
"""

from __future__ import annotations

import hmac
import re
import unicodedata
from collections.abc import Sequence

from components.core.scrub.confusables import normalize

_LENGTH = 16  # hexadecimal characters
EMAIL = re.compile(r"[\w.!#$%&'*+=?^`{|}~-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+")
# Ten digits and more, perhaps in groups, that are no part of a hash or of a fraction.
_LONG_NUMBER = re.compile(r"(?<![\w.])\+?\d(?:[ -]?\d){9,}(?![\w.]?\w)")
# Texts in folders have names of their own; other files are named in params.yaml.
_TEXT_FILE = re.compile(
    r"/([^/\n]{1,120}?(\.(?:txt|text|md|markdown|html?|xhtml|eml|pdf|docx|odt|rtf)(?:\.gz)?))"
    r"(?!\w|\.\w)",
    re.IGNORECASE,
)
_PSEUDONYM, _HASHED = re.compile(r"[0-9a-f]{16}"), re.compile(r"anon-[0-9a-f]{16}")
# What names a document and nobody else: a word in lower case, a few digits, letters of one case
# with digits, a date, a UUID or another long hexadecimal number, each perhaps with a file's ending.
_PLAIN_PART = (
    r"(?:\d{1,8}|[a-z]{1,20}|(?:[a-z]{0,10}|[A-Z]{0,10})[-_.]?\d{1,8}|\d{4}-\d\d-\d\d"
    r"|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|(?=\d*[a-f])[0-9a-f]{12,64})"
    r"(?:\.(?:[a-z]{2,5}|[A-Z]{3,4}))?(?:\.gz)?"
)
_PLAIN = re.compile(_PLAIN_PART)
# Most ids are plain: one look at the whole of them costs least.
_PLAIN_ID = re.compile(rf"[^/]*(?:/{_PLAIN_PART})+")


def keyed(value: str, secret: bytes) -> str:
    """HMAC-SHA256 of `value` in hexadecimal, 64 characters."""
    return hmac.digest(secret, value.encode("utf-8", "surrogatepass"), "sha256").hex()


def normal(value: str) -> str:
    """The normal form of a name, an address or a number: equal for all spellings of one value.

    Case, spaces, Unicode variants, invisible and look-alike characters make no difference. Tokens
    in texts, pseudonyms of authors, suppression and erasure all use this form.

    >>> normal(" Ann@Example.com "), normal("Ann\u200b  SMITH")
    ('ann@example.com', 'ann smith')
    """
    composed = unicodedata.normalize("NFKC", value)  # normalize looks at one character at a time
    return " ".join(normalize(composed).text.casefold().split())


# Titles of persons; they are no part of a name.
TITLES = (
    r"mr|mrs|ms|miss|mx|dr|prof|professor|sir|dame|lord|lady|rev|fr|sr|sra|herr|frau|mme|mlle|m|"
    r"monsieur|madame|señor|señora|don|doña|signor|signora|sig|mevrouw|meneer|dhr|mevr|pan|pani|"
    r"captain|capt|sgt|lt|col|gen|judge|justice|senator|sen|president|chancellor|king|queen|prince|"
    r"princess"
)
_TITLE = re.compile(rf"(?:(?:{TITLES})\.?\s{{1,2}}(?=\S))+", re.IGNORECASE)
_POSSESSIVE = re.compile(r"['’](?:s|S)?\Z")
_SUFFIX = re.compile(r",?\s(?:jr|sr|phd|md|esq|obe|mbe|cbe|mp|qc)\.?\Z", re.IGNORECASE)
_INVERTED = re.compile(r"([^\s,]+(?: [^\s,]+)?),\s?([^\W\d_][^,\d@]*)")  # Blair, Tony


def title_length(name: str) -> int:
    """Counts the characters of the title before a name.

    >>> title_length("Mr. Blair"), title_length("Tony Blair"), title_length("Dr")
    (4, 0, 0)
    """
    title = _TITLE.match(name)
    return title.end() if title else 0


def person(name: str) -> str:
    """The normal form of a person's name: without title, possessive, suffix and middle initials.

    >>> [person(name) for name in ("Mr Tony Blair", "Blair, Tony", "TONY C. Blair's")]
    ['tony blair', 'tony blair', 'tony blair']
    """
    if "@" in name:
        return normal(name)
    bare = name.strip()
    bare = _SUFFIX.sub("", _POSSESSIVE.sub("", bare[title_length(bare) :]))
    inverted = _INVERTED.fullmatch(bare)
    if inverted:
        bare = f"{inverted[2]} {inverted[1]}"
    words = normal(bare).split()
    middle = [word for word in words[1:-1] if len(word.rstrip(".")) > 1]
    return " ".join([words[0], *middle, words[-1]] if len(words) > 1 else words)


def persons(names: Sequence[str]) -> list[str]:
    """Returns the normal form of each of the names in one text, the same for the same person.

    A surname, a first name, or an initial and a surname belong to the only full name of the text
    that they fit.

    >>> persons(["Tony Blair", "Mr Blair", "Blair's", "T. Blair", "Ann Lee", "Blair-Lee"])
    ['tony blair', 'tony blair', 'tony blair', 'tony blair', 'ann lee', 'blair-lee']
    """
    forms = [person(name) for name in names]
    full = dict.fromkeys(form for form in forms if " " in form and form[1:2] != ".")
    short: dict[str, set[str]] = {}
    for form in full:
        words = form.split()
        parts = {words[-1], words[0], f"{words[0]} {words[-1]}", f"{words[0][0]}. {words[-1]}"}
        parts |= {" ".join(words[i:]) for i in range(1, len(words))}  # "van der Berg"
        for part in parts - {form}:
            short.setdefault(part, set()).add(form)
    return [next(iter(short[form])) if len(short.get(form, ())) == 1 else form for form in forms]


def keyed_person(name: str, secret: bytes) -> str:
    """HMAC-SHA256 of the normal form of a person's name in hexadecimal, 64 characters."""
    return keyed(person(name), secret)


def keyed_value(value: str, secret: bytes) -> str:
    """HMAC-SHA256 of the normal form of `value` in hexadecimal, 64 characters."""
    return keyed(normal(value), secret)


def pseudonym(author: str | None, secret: bytes) -> str | None:
    """Computes the pseudonym of a person, which is stable under one secret."""
    return None if author is None else keyed_person(author, secret)[:_LENGTH]


def pseudonyms_of(author: str, secret: bytes) -> set[str]:
    """Returns the pseudonyms that stored data may hold: the current one, and those of before."""
    forms = (person(author), normal(author), author.strip().casefold())
    return {keyed(form, secret)[:_LENGTH] for form in forms}


def is_pseudonym(value: str) -> bool:
    """Tests if `value` has the form of a pseudonym."""
    return _PSEUDONYM.fullmatch(value) is not None


def emails(text: str) -> set[str]:
    """The e-mail addresses in `text`, in their normal form, as the scrubber finds them.

    >>> sorted(emails("Ann <Ann@Example.com>, bob at example dot org, cy%40example.org"))
    ['ann@example.com', 'bob@example.org', 'cy@example.org']
    """
    shown = normalize(text).text
    plain = text if shown == text else f"{text}\n{shown}"
    addresses = EMAIL.findall(plain) if "@" in plain else []
    return {normal(address) for address in (*addresses, *_spelled_out(shown))}


def _spelled_out(text: str) -> list[str]:
    """Returns the addresses that a text writes with words or spaces in place of the marks."""
    from components.core.scrub.recognizers import online  # rules import this module's callers

    found = [text[span.start : span.end] for span in online.emails(text)]
    return [online.compact(address) for address in found]


def redact(message: str) -> str:
    """An error's message fit for records that others read: a file's name may be an address.

    >>> redact("Expected a readable file texts/ann@example.org.txt, got 0207 946 0123.")
    'Expected a readable file texts/<name withheld>.txt, got <NUMBER>.'
    >>> redact("Expected text in /desk/tech/Ann Smith.txt, and in /desk/tech/012.txt.")
    'Expected text in /desk/tech/<name withheld>.txt, and in /desk/tech/012.txt.'
    """

    def withhold(match: re.Match[str]) -> str:
        return match[0] if is_plain(match[1]) else f"/<name withheld>{match[2]}"

    message = _TEXT_FILE.sub(withhold, message)
    return _LONG_NUMBER.sub("<NUMBER>", EMAIL.sub("<EMAIL_ADDRESS>", message))


def is_plain(name: str) -> bool:
    """Tests if a part of an id, a file name or a label names nobody.

    >>> [is_plain(name) for name in ("012.txt", "T-1234", "sports", "john_smith", "a@example.org")]
    [True, True, True, False, False]
    >>> is_plain("JohnSmith1984")
    False
    """
    return _PLAIN.fullmatch(name) is not None or _HASHED.fullmatch(name) is not None


def is_hashed(label: str) -> bool:
    """Tests if a label has the form of those that `plain_label` masks."""
    return _HASHED.fullmatch(label) is not None


def plain_id(document_id: str, secret: bytes, known: frozenset[str] = frozenset()) -> str:
    """`id_` itself if every part of it is plain, else its source and a keyed hash of it.

    Args:
        id_: "<source>/<name in the source>".
        secret: key of the hash.
        known: parts that are plain whatever they look like: the labels.

    >>> plain_id("mine/sports/012.txt", b"key")
    'mine/sports/012.txt'
    >>> plain_id("mine/ann@example.org", b"key").startswith("mine/anon-")
    True
    """
    if _PLAIN_ID.fullmatch(document_id):
        return document_id
    source, _, name = document_id.partition("/")
    if all(part in known or is_plain(part) for part in name.split("/")):
        return document_id
    return f"{source}/anon-{keyed(document_id, secret)[:_LENGTH]}"


def plain_label(label: str | None, secret: bytes, known: frozenset[str]) -> str | None:
    """`label` itself if it is a known class or plain, else a masked form of it.

    A column that was taken for the label by mistake may hold names. Equal labels stay equal.

    >>> plain_label("Ann Smith", b"key", frozenset({"sports"})).startswith("anon-")
    True
    """
    if label is None or label in known or is_plain(label):
        return label
    return f"anon-{keyed(label, secret)[:_LENGTH]}"
