"""Telephone numbers, of any country."""

from __future__ import annotations

import re

from components.core.scrub.recognizers.rule import Rule, digits_of

_LEAST, _MOST = 7, 15  # digits; ITU-T E.164 allows 15
_EXTENSION = r"(?:\s?(?:x|ext\.?|extension|#)\s?\d{1,6})?"
_CONTEXT = (
    "phones?", "telephones?", "tel", "mobile", "mob", "cell(?:phone)?", "fax", "call(?:s|ed|ing)?",
    "dial(?:led)?", "ring", "reach", "text", "sms", "whatsapp", "contact", "hotline", "helpline",
    "answer(?:s|ing)?", "number", "office", "home", "work", "direct", "voice", "ph", "pager",
    "desk",
)  # fmt: skip
_DATE = re.compile(
    r"(?:19|20)\d\d[-/. ](?:0?[1-9]|1[0-2])[-/. ]\d\d?(?!\d)|\d\d?[-/.]\d\d?[-/.](?:19|20)\d\d"
)
_PAIRS = re.compile(r"\d\d[ -]\d\d[ -]\d\d")  # Iceland, Greenland, Faroe Islands
_YEARS = re.compile(r"(?:(?:1[5-9]|20)\d\d\D{1,3})+(?:1[5-9]|20)\d\d$")
_SCORES = re.compile(r"\d{1,2}-\d{1,2}(?: \d{1,2}-\d{1,2})+$")


def _number(text: str) -> tuple[int, int] | None:
    """`text` if it can be a telephone number: enough digits, no dates, years or scores."""
    base = re.split(r"x|ext|#", text, maxsplit=1, flags=re.IGNORECASE)[0]
    digits = digits_of(base)
    stripped = text.strip(" -.,/(")
    least = _LEAST - bool(_PAIRS.fullmatch(base.strip(" -.,/(")))
    if not least <= len(digits) <= _MOST or len(set(digits)) == 1:
        return None
    if _DATE.match(stripped) or _YEARS.fullmatch(stripped) or _SCORES.fullmatch(stripped):
        return None
    start = len(text) - len(text.lstrip(" -.,/"))
    return start, start + len(text.strip(" -.,/"))


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
        (r"\d{3}[.)-] ?\d{3}[ .-]\d{4}",), 0.75, refine=_number,
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
        "PHONE_NUMBER",
        r"(?<![\w+.,/$£€-])\(?\d{1,6}\)?(?:[ ./-]{0,2}\(?\d{1,8}\)?){0,6}"
        rf"{_EXTENSION}(?![\w%])",
        (rf"(?i)(?:{'|'.join(_CONTEXT)}).{{0,70}}\d(?:[ ().x/-]{{0,3}}\d){{5}}",
         rf"(?i)\d(?:[ ().x/-]{{0,3}}\d){{5}}.{{0,40}}(?:{'|'.join(_CONTEXT)})"),
        0.1, _CONTEXT, refine=_number,
    ),
)  # fmt: skip
