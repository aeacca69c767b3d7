"""Telephone numbers, of any country."""

from __future__ import annotations

import re

from components.core.scrub.recognizers.numbers import UNITS
from components.core.scrub.recognizers.rule import NUMBER, Rule, digits_of, gate

_LEAST, _MOST = 7, 15  # digits; ITU-T E.164 allows 15
_EXTENSION = r"(?:\s?(?:x|ext\.?|extension|#)\s?\d{1,6})?"
# Words that speak of a telephone, in the languages of Europe and some of Asia.
_WORDS = (
    "phone", "phones", "telephone", "telephones", "tel", "mobile", "mob", "cellphone", "fax", "call",
    "calls", "called", "calling", "dial", "dialled", "ring", "sms", "whatsapp", "hotline", "helpline",
    "ph", "pager", "viber", "telegram",
    "telefon", "telefonnummer", "telefonnr", "rufnummer", "handy", "handynummer", "mobilnummer",
    "mobil", "festnetz", "anrufen", "durchwahl", "telefax",  # de
    "téléphone", "telephone", "tél", "portable", "mobile", "appeler", "appelez", "joindre",  # fr
    "teléfono", "telefono", "tfno", "tlf", "móvil", "movil", "celular", "llamar", "llame",  # es
    "cellulare", "cell", "chiamare", "chiami", "recapito",  # it
    "telefone", "telemóvel", "telemovel", "ligue", "ligar", "fone",  # pt
    "telefoon", "telefoonnummer", "mobiel", "gsm", "bellen",   # nl
    "telefonu", "komórka", "komórkowy",  "tel", "zadzwoń", "dzwonić",  # pl
    "телефон", "телефону", "тел", "мобильный", "моб", "звоните", "сотовый", "номер телефона",  # ru
    "телефон", "мобільний", "дзвоніть",  # uk
    "telefonu", "numarası", "cep", "arayın",  # tr
    "telefonszám", "mobilszám", "hívjon",  # hu
    "telefonní", "mobilní", "volejte",   # cs
    "telefónne", "mobilné",  # sk
    "telefonnummer", "mobilen", "ring", "tfn", "mobiltelefon",  # sv
    "tlf", "mobilnr", "ringe", "telefonnummer",  # da, no
    "puhelin", "puh", "puhelinnumero", "gsm", "soita", "matkapuhelin",  # fi
    "telefonul",  "mobilul", "sunați",  # ro
    "τηλέφωνο", "τηλ", "κινητό", "καλέστε",  # el
    "телефонен", "мобилен", "gsm",  # bg
    "telefon", "mobitel",   # hr, sr
    "telefonas", "mobilus", "tālrunis", "tālr", "mobiilinumber",  # lt, lv, et
    "هاتف", "الهاتف", "جوال", "موبايل", "اتصل",  # ar
    "טלפון", "נייד", "פלאפון",  # he
    "फ़ोन", "फोन", "मोबाइल", "दूरभाष",  # hi
    "电话", "電話", "手机", "手機", "联系电话", "座机",  # zh
    "携帯", "携帯電話", "電話番号",  # ja
    "전화", "전화번호", "휴대폰", "핸드폰", "연락처",  # ko
    "โทรศัพท์", "โทร", "มือถือ",  # th
    "điện thoại", "số điện thoại", "di động", "sđt",  # vi
    "telepon", "telp",   "hubungi",  # id
)  # fmt: skip
_CONTEXT = tuple(dict.fromkeys(re.escape(word) for word in _WORDS))
# Words that also mean other things: they count right before the number only.
_LABEL = (
    r"(?<![a-z])(?:(?:my |her |his |our |their |your )(?:number|cell|line)|number|office|home|work|direct|"
    r"desk|text|reach|answer(?:s|ing)?|contact|voice|cell|line|extension|evenings?|daytime|day|night)"
    r"(?:[ ](?:me|us|him|her|them|you|it|number|no|line|phone|is|was|on|at|via|by|the))*\s?[.:#]?\s{0,2}"
)
_THING = (  # "SKU 880-112-0045"
    r"\b(?:orders?|sku|parts?|items?|ref(?:erence)?|invoice|ticket|case|tracking|isbn|issn|ean|upc|serial|"
    r"model|doi|order|catalog(?:ue)?|article|patent|lot|batch|bug|id)(?: (?:no|nr|number|id))?\.?\s?[:#]?\s?"
)
_THOUSANDS = re.compile(r"\d{1,3}(?:([ .])\d{3})(?:\1\d{3})*")
_DATE = re.compile(
    r"(?:19|20)\d\d[-/. ](?:0?[1-9]|1[0-2])[-/. ]\d\d?(?!\d)|\d\d?[-/.]\d\d?[-/.](?:19|20)\d\d"
)
_PAIRS = re.compile(r"\d\d[ -]\d\d[ -]\d\d")  # Iceland, Greenland, Faroe Islands
_YEARS = re.compile(r"(?:(?:1[5-9]|20)\d\d\D{1,3})+(?:1[5-9]|20)\d\d$")
_ZIP = re.compile(r"\d{5}-\d{4}")
_SCORES = re.compile(r"\d{1,2}-\d{1,2}(?: \d{1,2}-\d{1,2})+$")


def _number(text: str) -> tuple[int, int] | None:
    """`text` if it can be a telephone number: enough digits, no dates, years or scores."""
    base = re.split(r"x|ext|#", text, maxsplit=1, flags=re.IGNORECASE)[0]
    digits = digits_of(base)
    stripped = text.strip(" -.,/(")
    least = _LEAST - bool(_PAIRS.fullmatch(base.strip(" -.,/(")))
    if not least <= len(digits) <= _MOST or len(set(digits)) == 1:
        return None
    if (
        _DATE.match(stripped)
        or _YEARS.fullmatch(stripped)
        or _SCORES.fullmatch(stripped)
        or _ZIP.fullmatch(stripped)
    ):
        return None
    if _THOUSANDS.fullmatch(stripped) and digits.endswith("000"):
        return None
    start = len(text) - len(text.lstrip(" -.,/"))
    return start, start + len(text.strip(" -.,/"))


def _isolated(text: str) -> tuple[int, int] | None:
    return _number(text) if not digits_of(text).endswith("00") else None


_ANY = r"\(?\d{1,6}\)?(?:[ ./-]{0,2}\(?\d{1,8}\)?){0,6}"  # groups of digits

RULES = (
    # +44 20 7946 0958, 00 1 202 555 0100
    Rule(
        "PHONE_NUMBER",
        rf"(?<![\w+])(?:\+|00[ -]?)[1-9](?:[ ./-]{{0,2}}[(]?\d[)]?){{6,14}}{_EXTENSION}(?![\w])",
        (r"\+ ?\d", r"\b00[ -]?[1-9]"), 0.8, refine=_number,
    ),
    # (202) 555-0100, 202-555-0100, 202.555.0100 x123
    Rule(
        "PHONE_NUMBER",
        r"(?<![\w+])(?<!\d[.,/-])(?:1[ .-]?)?(?:\(\d{3}\) ?|\d{3}[.-])\d{3}[ .-]\d{4}"
        rf"{_EXTENSION}(?![\w])",
        (r"\d{3}[.)-] ?\d{3}[ .-]\d{4}",), 0.75, refine=_number, not_after=_THING,
    ),
    # 310 479 9715, 805/766-2454
    Rule(
        "PHONE_NUMBER",
        r"(?<![\w+.,/$£€-])(?<!\d )\(?[2-9]\d{2}\)?[ /-]{1,3}[2-9]\d{2}[ -]\d{4}(?![\w%]|[.,-]\d| \d)",
        (r"\d{3}\)?[ /-]{1,3}\d{3}[ -]\d{4}",), 0.6, refine=_isolated, not_after=_THING,
    ),
    # 752 15 09 (home)
    Rule(
        "PHONE_NUMBER",
        rf"(?<![\w+.,/$£€-]){_ANY}(?=\s?(?:[(\[](?:home|work|office|voice|data|cell|mobile|fax|direct|desk|h|w|o|m)[)\]]|[-–]?\s?(?:home|work|office|voice|mobile|cell|fax|direct|desk)\b\s*(?:[,;\\|\n]|\Z)))",
        (r"(?i)\d\s?(?:[(\[](?:home|work|office|voice|data|cell|mobile|fax|direct|desk|h|w|o|m)[)\]]|[^\w]{0,4}(?:home|work|office|voice|mobile|cell|fax|direct|desk)\b\s*(?:[,;\\|\n]|\z))",),
        0.6, refine=_number, needs=(NUMBER,),
    ),
    # 020 7946 0958, (0117) 496 0123, 07700 900123: a leading zero and at least nine digits
    Rule(
        "PHONE_NUMBER",
        r"(?<![\w+])(?<!\d[.,/-])\(?0\d{1,5}\)?(?:[ ./-]{1,2}\d{2,8}){1,5}"
        rf"{_EXTENSION}(?![\w%])",
        (r"\b0\d{1,5}\)?[ ./-]{1,2}\d{2}",), 0.6, _CONTEXT,
        refine=lambda text: _number(text) if len(digits_of(text)) > _LEAST + 1 else None,
    ),
    # Any other groups of digits: somebody must speak of a telephone.
    Rule(
        "PHONE_NUMBER", rf"(?<![\w+.,/$£€-]){_ANY}{_EXTENSION}(?![\w%])", (gate(*_WORDS),),
        0.1, _CONTEXT, refine=_number, not_before=UNITS, not_after=_THING, needs=(NUMBER,),
    ),
    Rule(
        "PHONE_NUMBER", rf"{_LABEL}(?P<pii>{_ANY}{_EXTENSION})(?![\w%])",
        (r"(?i)(?:number|office|home|work|direct|desk|text|reach|answer(?:s|ing)?|contact|voice|cell|line|"
         r"extension|evenings?|daytime|day|night)[ .:#].{0,40}\d(?:[ ().x/-]{0,3}\d){5}",),
        0.6, refine=_number, not_before=UNITS,
    ),
    # "Away until Friday, 612 345 678, thanks.": groups between marks
    Rule(
        "PHONE_NUMBER",
        r"(?:(?<=^)|(?<=[,;:(–—\n] )|(?<=[,;:(\n])|(?<=[a-z]\. ))"
        r"(?:[6-9]\d{2} \d{3} \d{3}|[6-9]\d{2} \d{2} \d{2} \d{2}|\(\d{2,3}\) ?9?\d{4}-\d{4}|\d{2} 9?\d{4}-\d{4}|"
        r"[89] ?\(?\d{3}\)? \d{3}[ -]\d{2}[ -]\d{2}|[6-9]\d{3} \d{3} \d{3}|\d{2} \d{3} \d{2} \d{2}|"
        r"[6-9]\d{4} \d{5}|[689]\d{3} \d{4})(?=[,;:)–—]|\.?\s*(?:\n|\Z)|\.\s)",
        (r"[\d)] ?\d{2,5}[ -]\d{2,5}",), 0.6, refine=_isolated, not_after=_THING,
    ),
)  # fmt: skip
