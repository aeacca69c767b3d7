"""Dates of birth, beside a word that says so."""

from __future__ import annotations

from components.core.scrub.recognizers.rule import Rule, gate

_WORDS = (
    "born", "dob", "d.o.b", "date of birth", "birth date", "birthdate", "birthday",
    "geboren", "geburtsdatum", "geb.", "né le", "née le", "date de naissance", "fecha de nacimiento",
    "nacido", "nacida", "nato il", "nata il", "data di nascita", "nascido", "nascida",
    "data de nascimento", "geboortedatum", "geboren op", "data urodzenia", "urodzony", "urodzona",
    "ur.", "дата рождения", "родился", "родилась", "дата народження", "doğum tarihi", "doğumlu",
    "datum narození", "narozen", "született", "születési", "født", "fødselsdato", "född",
    "födelsedatum", "syntymäaika", "syntynyt", "data nașterii", "născut", "ημερομηνία γέννησης",
    "تاريخ الميلاد", "תאריך לידה", "जन्म", "出生", "生日", "生年月日", "생년월일", "ngày sinh",
    "tanggal lahir",
)  # fmt: skip
_MONTH = (
    r"(?:jan|feb|mar|apr|ma[iy]|jun|jul|aug|sep|oct|okt|nov|dec|dez|janv|févr|mars|avr|juin|juil|août|"
    r"déc|ene|abr|ago|dic|gen|mag|giu|lug|set|ott|fev|mrt|mei|sty|lut|kwi|maj|cze|lip|sie|wrz|paź|lis|gru)"
    r"[^\W\d_]{0,8}\.?"
)
_DATE = (
    rf"(?:\d{{1,2}}(?:st|nd|rd|th|\.|º|er)?(?: of| de)? {_MONTH}(?:,| de| of)? ?(?:18|19|20)\d\d|"
    rf"{_MONTH} \d{{1,2}}(?:st|nd|rd|th)?,? (?:18|19|20)\d\d|"
    r"\d{1,2}[./-] ?\d{1,2}[./-] ?(?:\d{4}|\d{2})(?!\d)|(?:18|19|20)\d\d[./-]\d{1,2}[./-]\d{1,2}(?!\d)|"
    r"(?:19|20)\d\d ?[年년] ?\d{1,2} ?[月월] ?\d{1,2} ?[日일])"
)
_SEPARATOR = r"(?:\s?\([^()\n]{1,20}\))?\W{0,4}(?:\s?(?:is|was|on|am|le|el|il|op|em|the|den|dne|of birth)\s){0,2}\s?"

RULES = (
    Rule(
        "DATE_OF_BIRTH",
        rf"(?<!\w)(?:{'|'.join(word.replace('.', '[.]') for word in _WORDS)}){_SEPARATOR}"
        rf"(?:(?:in|at|à|en|a|w|zu) [^\d,;\n]{{2,30}},? (?:on |am |le |el )?)?(?P<pii>{_DATE})",
        (gate(*_WORDS),), 0.8,
    ),
)  # fmt: skip
