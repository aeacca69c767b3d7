"""Measures the columns of a sample of rows: what their values look like."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from email.utils import parsedate_to_datetime
from math import isnan
from statistics import fmean

from components.profile.names import Role, fit
from components.sources.rows import RowError, read_time

_DEPTH = 4  # levels of nested objects that become dotted columns
_MOST_COLUMNS = 300  # a wider table has its texts among the first columns, or is no table of texts
_MOST_VALUES = 200  # distinct values of a column that are examined by content
_EMAIL = re.compile(r"[^@\s<>]+@[^@\s<>]+\.[A-Za-z]{2,}")
_ADDRESS = re.compile(r"[^<>@]*<[^@\s<>]+@[^@\s<>]+>")
_HANDLE = re.compile(r"@\w{2,30}")
_WHOLE = re.compile(r"[+-]?\d+(?:\.0+)?")
_DECIMAL = re.compile(r"[+-]?\d*[.,]\d+(?:[eE][+-]?\d+)?")
_CODE = re.compile(
    r"[0-9a-fA-F]{8}-[0-9a-fA-F-]{27}|[0-9a-fA-F]{12,64}|(?=\S*\d)[\w.:/#@<>-]{3,80}"
)
_TRUTH = frozenset({"true", "false"})
_DATE = re.compile(
    r"(?:\d{1,2}[./-]\d{1,2}[./-]\d{2,4}|\d{4}[./-]\d{1,2}[./-]\d{1,2}"
    r"|\d{1,2} [A-Z][a-z]{2,8}\.? \d{4})"
    r"(?:[ ,T]+\d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?: ?[AP]M| ?[A-Z]{3}| ?[+-]\d{4})?)?",
    re.IGNORECASE,
)
_TIMES = 0.9  # share of values that look like times, from which formats are tried
_DAYS = ("%d.%m.%Y", "%d.%m.%y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%m-%d-%Y", "%Y/%m/%d")
_FORMATS = [f"{day}{clock}" for clock in ("", " %H:%M", " %H:%M:%S") for day in _DAYS]
_CENTURY = range(1900, 2200)  # years that a time of a document has
# Scripts whose words have no space between them, by the first word of Unicode's name.
_UNSPACED = frozenset({"CJK", "HIRAGANA", "KATAKANA", "THAI", "LAO", "KHMER", "MYANMAR"})
_UNSPACED_LETTERS = 3  # of a text in such a script


@dataclass(frozen=True)
class Column:
    """Statistics of a column over a sample; shares are parts of the filled values, 0 to 1.

    Attributes:
        name: dotted path in nested rows.
        rows: number of rows in the sample.
        filled: number of values that are neither null nor empty.
        counts: value as text -> its number, lists of one value included.
        characters: mean length of a value.
        prose: share of values with two words, or some letters of a script without spaces.
        whole: share of whole numbers, as 3 or 3.0.
        decimal: share of numbers with a fraction.
        truth: share of booleans.
        times: share of dates and times in any form.
        readable_times: whether the readers parse all values as times.
        time_format: that they need for it, as `time_format` of a source; None: none.
        addresses: share of e-mail addresses and @handles.
        persons: share of names of persons.
        codes: share of values that look like an identifier.
        lists: share of lists with several values.
        nested: share of objects and lists of objects.
    """

    name: str
    rows: int
    filled: int
    counts: Counter[str] = field(repr=False)
    characters: float = 0.0
    prose: float = 0.0
    whole: float = 0.0
    decimal: float = 0.0
    truth: float = 0.0
    times: float = 0.0
    readable_times: bool = False
    time_format: str | None = None
    addresses: float = 0.0
    persons: float = 0.0
    codes: float = 0.0
    lists: float = 0.0
    nested: float = 0.0

    @property
    def distinct(self) -> int:
        return len(self.counts)

    @property
    def distinct_share(self) -> float:
        return self.distinct / self.filled if self.filled else 0.0

    @property
    def filled_share(self) -> float:
        return self.filled / self.rows if self.rows else 0.0

    @property
    def scalar(self) -> float:
        """Share of values that are neither lists nor objects."""
        return 1.0 - self.lists - self.nested


def flat(row: Mapping[str, object]) -> dict[str, object]:
    """Flattens nested objects to dotted columns; lists stay.

    >>> flat({"data": {"text": "a"}, "label": ["x"], "a.b": 1})
    {'data.text': 'a', 'label': ['x'], 'a.b': 1}
    """
    return dict(_leaves(row, "", 0))


def _leaves(row: Mapping[str, object], prefix: str, depth: int) -> Iterator[tuple[str, object]]:
    for key, value in row.items():
        if isinstance(value, Mapping) and depth < _DEPTH:
            yield from _leaves(value, f"{prefix}{key}.", depth + 1)
        else:
            yield f"{prefix}{key}", value


def as_text(value: object) -> str | None:
    """Formats a scalar, or a list of one, as a source would read it; None for no or other values.

    >>> as_text(["a"]), as_text(2.0), as_text(True), as_text(" x "), as_text([1, 2]), as_text("")
    ('a', '2', 'true', 'x', None, None)
    """
    if isinstance(value, list | tuple) and len(value) == 1:
        value = value[0]
    if value is None or isinstance(value, list | tuple | Mapping | bytes):
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, datetime | date):
        return value.isoformat()
    return None if _is_missing(value) else str(value).strip() or None


def measure(
    rows: Sequence[Mapping[str, object]],
    are_persons: Callable[[Sequence[str]], Sequence[bool]] | None = None,
) -> list[Column]:
    """Measures each column of a sample.

    Args:
        rows: flat rows; a column need not be in each of them.
        are_persons: tests values for names of persons; None: no value is one.
    """
    names = list(dict.fromkeys(name for row in rows for name in row))[:_MOST_COLUMNS]
    return [_measure(name, rows, are_persons) for name in names]


def _measure(
    name: str,
    rows: Sequence[Mapping[str, object]],
    are_persons: Callable[[Sequence[str]], Sequence[bool]] | None,
) -> Column:
    values = [row.get(name) for row in rows]
    filled = [value for value in values if not _is_missing(value)]
    total = len(filled) or 1
    texts = [text for value in filled if (text := as_text(value)) is not None]
    counts = Counter(texts)
    seen = list(counts)[:_MOST_VALUES]
    weight = sum(counts[text] for text in seen) or 1

    def share(test: Callable[[str], object]) -> float:
        matching = sum(counts[text] for text in seen if test(text))
        return matching / weight * (len(texts) / total)

    several = sum(_is_several(value) for value in filled)
    nested = len(filled) - len(texts) - several
    persons = 0.0
    if are_persons and seen and _may_be_persons(seen):
        marks = are_persons(seen)
        persons = sum(counts[t] for t, marked in zip(seen, marks, strict=True) if marked) / weight
    readable, form = False, None
    times = share(is_time)
    if times > _TIMES or fit(name, Role.TIME):
        readable, form = _time_format(filled)
    typed = sum(isinstance(value, datetime | date) for value in filled) / total
    return Column(
        name=name,
        rows=len(rows),
        filled=len(filled),
        counts=counts,
        characters=fmean(map(len, texts)) if texts else 0.0,
        prose=share(is_prose),
        whole=share(_WHOLE.fullmatch),
        decimal=share(lambda text: _DECIMAL.fullmatch(text) and not _WHOLE.fullmatch(text)),
        truth=share(lambda text: text.lower() in _TRUTH),
        times=max(typed, times, float(readable)),
        readable_times=readable,
        time_format=form,
        addresses=share(lambda t: any(p.fullmatch(t) for p in (_EMAIL, _ADDRESS, _HANDLE))),
        persons=persons,
        codes=share(_CODE.fullmatch),
        lists=several / total,
        nested=max(0, nested) / total,
    )


def _time_format(values: Sequence[object]) -> tuple[bool, str | None]:
    """Finds the format in which the readers parse all values; an ambiguous one is none."""
    fitting = [form for form in (None, *_FORMATS) if _parses(values, form)]
    if not fitting or (fitting[0] is not None and len(fitting) > 1):
        return False, None
    return True, fitting[0]


def _parses(values: Sequence[object], form: str | None) -> bool:
    try:
        return all(
            (time := read_time(value, "", form)) is not None and time.year in _CENTURY
            for value in values
        )
    except RowError:
        return False


def _is_missing(value: object) -> bool:
    return value in (None, "", [], {}) or (isinstance(value, float) and isnan(value))


def _is_several(value: object) -> bool:
    """Tests for a list of several scalars."""
    return (
        isinstance(value, list | tuple)
        and len(value) > 1
        and not any(isinstance(item, list | tuple | Mapping) for item in value)
    )


def _may_be_persons(values: Sequence[str]) -> bool:
    """Tests if values are short enough to be names; tests of longer ones would cost time."""
    return fmean(len(value.split()) for value in values) <= 4  # noqa: PLR2004


def is_prose(text: str) -> bool:
    """Tests for two words with letters, or a run of letters in a script without spaces.

    >>> is_prose("refund pls"), is_prose("the-cat-sat"), is_prose("今日の天気"), is_prose("12 30")
    (True, False, True, False)
    """
    spaced = 0
    for word in text.split():
        letters = [character for character in word if character.isalpha()]
        if letters and sum(map(is_unspaced, letters)) >= _UNSPACED_LETTERS:
            return True
        spaced += len(letters) > 1
        if spaced > 1:
            return True
    return False


def is_unspaced(character: str) -> bool:
    """Tests for a letter of a script without spaces between words.

    >>> is_unspaced("日"), is_unspaced("ไ"), is_unspaced("a")
    (True, True, False)
    """
    return character > "\u0dff" and unicodedata.name(character, "").partition(" ")[0] in _UNSPACED


def unspaced_share(texts: Iterable[str]) -> float:
    """Returns the share of letters that belong to a script without spaces, 0 to 1."""
    letters = unspaced = 0
    for text in texts:
        for character in text:
            if character.isalpha():
                letters += 1
                unspaced += is_unspaced(character)
    return unspaced / letters if letters else 0.0


def is_iso_time(text: str) -> bool:
    """Tests for a date or time in ISO 8601; a bare number is none.

    >>> is_iso_time("2026-11-30 12:00"), is_iso_time("20261130"), is_iso_time("30.11.2026")
    (True, False, False)
    """
    if text.isdigit() or not text[:4].isdigit():
        return False
    try:
        return datetime.fromisoformat(text).year in _CENTURY
    except ValueError:
        return False


def is_time(text: str) -> bool:
    """Tests for a date or time in ISO 8601, RFC 2822 or a common written form.

    >>> [is_time(text) for text in ("30.11.2026", "Mon, 01 May 2023 10:00:00 GMT", "in May", "7.5")]
    [True, True, False, False]
    """
    if is_iso_time(text) or _DATE.fullmatch(text):
        return True
    if not text[:1].isalpha() or ":" not in text or not any(map(str.isdigit, text)):
        return False
    try:
        return parsedate_to_datetime(text).year in _CENTURY
    except (ValueError, TypeError, IndexError):
        return False
