"""The texts that the tagger learns from: generated sentences, and news with generated names.

    templates.py x Faker's names and addresses -> sentences whose every word is known
    BBC News x spaCy's persons                 -> articles; each person is renamed, consistently

A piece is a text with its marked spans: (text, [(start, end, kind)]), kind PERSON or ADDRESS.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Sequence
from typing import Any

from components.tagger import templates

Piece = tuple[str, list[tuple[int, int, str]]]

# Faker's locales with names in Latin, Greek or Cyrillic letters, commoner ones more than once.
LOCALES = (
    *["en_US"] * 8, *["en_GB"] * 5, "en_CA", "en_AU", "en_IE", "en_IN", "en_NZ", "de_DE", "de_AT",
    "de_CH", "fr_FR", "fr_CA", "es_ES", "es_MX", "es_AR", "it_IT", "nl_NL", "nl_BE", "pt_BR",
    "pt_PT", "da_DK", "no_NO", "sv_SE", "fi_FI", "pl_PL", "cs_CZ", "sk_SK", "sl_SI", "hr_HR",
    "hu_HU", "ro_RO", "lt_LT", "lv_LV", "et_EE", "tr_TR", "el_GR", "ru_RU", "uk_UA", "bg_BG",
    "az_AZ", "fil_PH", "zu_ZA", "yo_NG", "tw_GH", "id_ID",
)  # fmt: skip
_LOWERED, _RAISED = 0.12, 0.04  # shares of sentences in lower and in upper case
_SLOT = re.compile(r"\{(\w+)\}")


# How names are written, and how often.
_NAMES = {
    "{first} {last}": 0.74,
    "{first} {middle}. {last}": 0.06,
    "{first} {particle} {last}": 0.05,
    "{first} {second} {last}": 0.04,
    "{first} {last}-{third}": 0.03,
    "{initial}. {last}": 0.03,
    "{first} {last} {suffix}": 0.02,
    "{last}, {first}": 0.03,
}


class Maker:
    """Fills the slots of templates.

    Args:
        seed: of everything that is drawn.
    """

    def __init__(self, seed: int) -> None:
        from faker import Faker

        self.draw = random.Random(seed)  # noqa: S311 - the same texts each time
        self._fakers = {locale: Faker(locale) for locale in sorted(set(LOCALES))}
        for number, faker in enumerate(self._fakers.values()):
            faker.seed_instance(seed + number)

    def chance(self, share: float) -> bool:
        """True in `share` of all calls."""
        return self.draw.random() < share

    def faker(self) -> Any:
        return self._fakers[self.draw.choice(LOCALES)]

    def person(self) -> str:
        """A full name, now and then with a middle initial, a particle, two surnames or a hyphen."""
        faker, draw = self.faker(), self.draw
        form = draw.choices(list(_NAMES), list(_NAMES.values()))[0]
        first = self._first(faker)
        return form.format(
            first=first,
            last=self._last(faker),
            second=self._first(faker),
            third=self._last(faker),
            initial=first[0],
            middle=draw.choice("ABCDEFGHJKLMNPRSTW"),
            particle=draw.choice(templates.PARTICLES),
            suffix=draw.choice(["Jr.", "Sr.", "III", "II", "PhD", "MD", "DDS", "DVM"]),
        )

    def _first(self, faker: Any) -> str:
        return str(faker.first_name())

    def _last(self, faker: Any) -> str:
        return str(faker.last_name())

    def first(self) -> str:
        return self._first(self.faker())

    def last(self) -> str:
        last = self._last(self.faker())
        return f"{self.draw.choice(templates.PARTICLES)} {last}" if self.chance(0.05) else last

    def street(self) -> str:
        """A street, often with its number where its country writes it."""
        faker = self.faker()
        if self.chance(0.5):
            return str(faker.street_address()).replace("\n", ", ")
        named = str(faker.street_name())
        return named if self.chance(0.7) else f"{named} {self.draw.randint(1, 240)}"

    def zip(self) -> str:
        return f"{self.draw.randint(501, 99950):05d}"

    def number(self) -> str:
        before, after = (
            self.draw.choice(["", "", "", "0"]),
            self.draw.choice(["", "", "", "a", "B"]),
        )
        return f"{before}{self.draw.randint(1, 999)}{after}"

    def unit(self) -> str:
        word = self.draw.choice(["Apt.", "Suite", "Unit", "Flat", "Apt", "Room", "Floor"])
        return f"{word} {self.draw.randint(1, 999):{self.draw.choice(['d', '03d'])}}"

    def city(self) -> str:
        faker = self.faker()
        city = str(faker.city())
        return city.upper() if self.chance(0.06) else city

    def country(self) -> str:
        return str(self._fakers["en_US"].country())

    def postcode(self) -> str:
        return str(self.faker().postcode())

    def state(self) -> str:
        return self.draw.choice(templates.STATES)

    def address(self) -> str:
        """A whole postal address on one line or several, in one of many orders."""
        form = self.draw.choice(templates.ADDRESSES)
        return _SLOT.sub(lambda slot: str(getattr(self, slot[1])()), form)

    def org(self) -> str:
        if self.chance(0.5):
            return self.draw.choice(templates.ORGANIZATIONS)
        return str(self.faker().company())

    def job(self) -> str:
        job = str(self._fakers["en_US"].job())
        return job.lower() if self.chance(0.5) else job

    def date(self) -> str:
        faker = self._fakers["en_US"]
        form = self.draw.choice(
            ["%d %B %Y", "%m/%d/%Y", "%Y-%m-%d", "%B %d", "%A", "%Y-%m-%d %H:%M:%S"]
        )
        return str(faker.date_time().strftime(form))

    def phone(self) -> str:
        faker = self.faker()
        known = faker if hasattr(faker, "phone_number") else self._fakers["en_US"]
        return str(known.phone_number())

    def email(self) -> str:
        return str(self._fakers["en_US"].email())

    def url(self) -> str:
        return str(self._fakers["en_US"].url())

    def card(self) -> str:
        return str(self._fakers["en_US"].credit_card_number())

    def ip(self) -> str:
        faker = self._fakers["en_US"]
        return str(faker.ipv4() if self.chance(0.7) else faker.ipv6())

    def iban(self) -> str:
        return str(self._fakers["en_GB"].iban())

    def ssn(self) -> str:
        return str(self._fakers["en_US"].ssn())

    def birthday(self) -> str:
        draw = self.draw
        return f"{draw.randint(1, 12)}/{draw.randint(1, 28)}/{draw.randint(1930, 2015)}"

    def count(self) -> str:
        return str(self.draw.choice([2, 3, 5, 10, 12, 25, 40, 100, 1500, 2004, 1998]))

    def thing(self) -> str:
        return self.draw.choice(templates.THINGS)


_KINDS = {
    "person": "PERSON", "first": "PERSON", "last": "PERSON",
    "address": "ADDRESS", "street": "ADDRESS", "number": "ADDRESS", "unit": "ADDRESS",
    "postcode": "ADDRESS", "zip": "ADDRESS",
}  # fmt: skip


def fill(template: str, maker: Maker) -> Piece:
    """A sentence from a template, with its spans."""
    parts: list[str] = []
    spans: list[tuple[int, int, str]] = []
    at, last = 0, 0
    for slot in _SLOT.finditer(template):
        value = str(getattr(maker, slot[1])())
        parts += [template[last : slot.start()], value]
        start = at + slot.start() - last
        if slot[1] in _KINDS:
            spans.append((start, start + len(value), _KINDS[slot[1]]))
        at, last = start + len(value), slot.end()
    text = "".join([*parts, template[last:]])
    how = maker.draw.random()
    lowered, raised = text.lower(), text.upper()
    if how < _LOWERED and len(lowered) == len(text):
        text = lowered
    elif how > 1 - _RAISED and len(raised) == len(text):
        text = raised
    return text, spans


def sentences(count: int, chosen: Sequence[str], seed: int) -> Iterator[Piece]:
    """`count` sentences from the `chosen` templates; now and then two or three run together."""
    maker = Maker(seed)
    for _ in range(count):
        text, spans = fill(maker.draw.choice(chosen), maker)
        while maker.chance(0.25):
            more, others = fill(maker.draw.choice(chosen), maker)
            offset = len(text) + 1
            text = f"{text}{maker.draw.choice([' ', chr(10)])}{more}"
            spans = [*spans, *((a + offset, b + offset, kind) for a, b, kind in others)]
        yield text, spans


def persons(texts: Sequence[str], model: str) -> list[list[tuple[int, int]]]:
    """Returns spaCy's persons in `texts`, and the unmarked repetitions of their names."""
    import spacy

    nlp = spacy.load(model, exclude=["tagger", "parser", "lemmatizer", "attribute_ruler"])
    spans_by_text = []
    for document in nlp.pipe(texts, batch_size=32):
        spans = [
            (e.start_char, e.start_char + len(name))
            for e in document.ents
            if e.label_ == "PERSON"
            and (name := re.sub(r"['’]s?$", "", e.text)) not in templates.NO_PERSONS
            and re.fullmatch(r"[^\W\d_][\w.'’ -]*", name)
        ]
        spans_by_text.append(_everywhere(document.text, spans))
    return spans_by_text


def _everywhere(text: str, spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """`spans`, and the other places where the surname or the whole name of one of them stands."""
    names = {text[a:b] for a, b in spans}
    surnames = {name.split()[-1] for name in names if len(name.split()) > 1}
    known = sorted((n for n in names | surnames if len(n) > 3 and n[0].isupper()), key=len)[::-1]  # noqa: PLR2004
    if not known:
        return spans
    again = re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, known))})(?!\w)")
    taken = list(spans)
    for match in again.finditer(text):
        if all(match.end() <= a or match.start() >= b for a, b in spans):
            taken.append(match.span())
    return sorted(taken)


def renamed(text: str, spans: Sequence[tuple[int, int]], maker: Maker) -> Piece:
    """The article with each person's name replaced, the same name by the same name."""
    new: dict[str, str] = {}
    parts, marked, last, at = [], [], 0, 0
    for start, end in spans:
        name = " ".join(text[start:end].split())
        words = name.split()
        if name not in new:
            first, surname = maker.first(), maker.last()
            if len(words) == 1:
                new[name] = surname if maker.chance(0.7) else first
            else:
                new[name] = f"{first} {surname}"
                new.setdefault(words[-1], surname)
        parts += [text[last:start], new[name]]
        begin = at + start - last
        marked.append((begin, begin + len(new[name]), "PERSON"))
        at, last = begin + len(new[name]), end
    return "".join([*parts, text[last:]]), marked
