"""Rules for street addresses and postal codes that have a recognizable form.

Addresses without a word like "street" are found by the tagger.
"""

from __future__ import annotations

import re

from components.core.scrub.recognizers.rule import Rule, gate, whole

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
_THE_STREET = re.compile(r"\b(?:the|a|this|that|their|our|my|your|his|her)\s+\w+\Z", re.I)
_FEW = 3  # words; a lower-case phrase that is longer is a sentence
_SMALL = {
    "of", "the", "de", "du", "des", "la", "le", "les", "del", "da", "do", "dos", "bis", "ter",
    "van", "der", "den", "und", "apt", "apartment", "suite", "unit", "flat", "room", "floor",
} | set(f"{_TYPES}|{_AFTER}|{_BEFORE}".split("|"))  # fmt: skip
_COMMON = {
    "people", "men", "women", "years", "year", "days", "day", "times", "pages", "ways", "per", "in",
    "on", "a", "an", "to", "this", "that", "his", "her", "first", "second", "last", "new", "more",
    "million", "billion", "m", "bn", "percent", "out", "and", "at", "with", "other", "long", "way",
    "minutes", "hours", "months", "weeks", "miles", "metres", "any", "by", "from", "one", "across",
    "just", "down", "up", "along", "off", "near", "over", "behind", "after", "before", "when", "while",
    "for", "as", "right", "left", "only", "still", "then", "under", "through", "around", "opposite",
    "beside", "between", "towards", "next", "same", "is", "was", "were", "are", "be", "it", "its",
    "back", "ran", "went", "opened", "closed", "main", "side", "open", "cars", "trucks", "houses",
} - {"main"}  # fmt: skip


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
    if small and _THE_STREET.search(text):
        return None
    if small and _SURE.search(text):
        return 0, len(text)
    return None


def _capitalised(text: str) -> tuple[int, int] | None:
    """`text` if one of its names has a capital: too many small words look like these."""
    letter = re.search(r"(?<![\w'’])[^\W\d_]", text)
    named = [n for n in re.findall(r"(?<![\w'’])[^\W\d_]+", text) if n.lower() not in _SMALL]
    capital = any(name[0].isupper() for name in named) or (letter and letter[0].isupper())
    return _titled(text) if capital else None


def _position(text: str) -> tuple[int, int] | None:
    """A latitude and a longitude; two numbers below one are no position on land."""
    numbers = [abs(float(number)) for number in re.findall(r"\d+\.\d+", text)]
    return whole(text, numbers[0] <= 90 and 1 <= max(numbers) <= 180)  # noqa: PLR2004 - degrees


def _plate(text: str) -> tuple[int, int] | None:
    compact = [character for character in text if character.isalnum()]
    return whole(text, _PLATE[0] <= len(compact) <= _PLATE[1])


_PLATE = (4, 9)  # letters and digits of a licence plate

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
    # 東京都千代田区丸の内1-9-1, 北京市朝阳区建国路88号
    Rule(
        "STREET_ADDRESS",
        r"(?:〒 ?\d{3}-?\d{4}\s?)?(?:東京都|北海道|京都府|大阪府|[\u3400-\u9fff]{2,3}県)?[\u3400-\u9fffヶ]{1,6}?"
        r"[市区町村郡][\u3040-\u30ff\u3400-\u9fff々ヶ]{0,16}?"
        r"(?:\d{1,4}|[一二三四五六七八九十]{1,3})(?:(?:丁目|番地?|号|-)\d{0,4}){1,4}"
        r"(?:[ ]?[\u30a0-\u30ff\u3400-\u9fffA-Za-z]{2,20} ?\d{1,4}号?室?)?",
        ("(?:市|区|町|村|郡).{0,60}?(?:丁目|番|号|-)",), 0.8,
    ),
    Rule(
        "STREET_ADDRESS",
        r"(?:[\u3400-\u9fff]{2,8}(?:省|自治区|市))?[\u3400-\u9fff]{2,8}[市区县區縣][\u3400-\u9fff]{1,14}"
        r"[路街道巷弄段] ?\d{1,5}[号號弄](?:[\u3400-\u9fffA-Z\d-]{1,12}[室楼樓层])?",
        ("(?:路|街|道|巷|弄|段) ?\\d{1,5}(?:号|號|弄)",), 0.8,
    ),
    Rule(
        "STREET_ADDRESS",
        r"(?:[\uac00-\ud7a3]{2,7}(?:시|도) )?[\uac00-\ud7a3]{1,5}(?:시|군|구) (?:[\uac00-\ud7a3]{1,6}(?:구|읍|면|동) )?"
        r"[\uac00-\ud7a3\d]{1,10}(?:로|길) ?\d{1,4}(?:-\d{1,4})?",
        ("(?:로|길) ?\\d",), 0.8,
    ),
    # 1-9-1 Marunouchi, Chiyoda-ku
    Rule(
        "STREET_ADDRESS",
        r"(?<![\w-])\d{1,3}-\d{1,3}(?:-\d{1,4})?,? (?:[A-Z][a-z-]+,? ){1,3}?[A-Z][a-z]+-(?:ku|shi|cho|machi|gun|mura)\b",
        (r"-(?:ku|shi|cho|machi|gun|mura)\b",), 0.8, flags=0,
    ),
    Rule("POSTAL_CODE", r"〒 ?\d{3}-?\d{4}(?!\d)", ("〒",), 0.9),
    # Positions: at least four decimals are within some metres.
    Rule(
        "LOCATION",
        r"(?<![\w.,;-])(?<![,;] )[-+]?[0-8]?\d\.\d{4,10}(?:,\s?|;\s?|\s/\s|\s)[-+]?1?\d{1,2}\.\d{4,10}"
        r"(?![\w.]|[,;]\s?[-+]?\d+\.\d)",
        (r"\d\.\d{4,10}[,; /]{1,3}[-+]?\d{1,3}\.\d{4}",), 0.7, refine=_position,
    ),
    Rule(
        "LOCATION",
        r"(?<![\w.])\d{1,3} ?° ?\d{1,2} ?['′’](?: ?\d{1,2}(?:\.\d+)? ?(?:[\"″”]|''))? ?[NS],?\s{0,2}"
        r"\d{1,3} ?° ?\d{1,2} ?['′’](?: ?\d{1,2}(?:\.\d+)? ?(?:[\"″”]|''))? ?[EWO]",
        (r"\d ?° ?\d",), 0.9,
    ),
    Rule(
        "LOCATION",
        r"(?<![a-z])(?:gps|lat(?:itude)?|coord(?:inate)?s?|position|geo|koordinaten|coordonnées|coordenadas)"
        r"\W{1,4}(?:\w{1,12}\W{1,3}){0,2}(?P<pii>[-+]?\d{1,2}\.\d{2,10} ?°? ?[NS]?(?:,? ?(?:and|lon(?:g(?:itude)?)?|lng)?[:= ]{0,3}|[\"',:\s]{1,5}lon(?:g|gitude)?[\"':=\s]{1,4})"
        r"[-+]?\d{1,3}\.\d{2,10}(?: ?°? ?[EW]\b)?)",
        (r"(?i)gps|\blat|coord|position|\bgeo|koordinaten",), 0.7,
        needs=(r"\d\.\d{2,10}[^\d]{1,20}\d{1,3}\.\d{2}",),
    ),
    # With their word: registration numbers of vehicles
    Rule(
        "LICENSE_PLATE",
        r"(?<![a-z])(?:(?:licen[cs]e|number|registration|vehicle|car|reg)[ -]?plates?|plate|"
        r"reg(?:istration|\.)?(?: (?:no|number|mark)\.?)?|vrm|vehicle reg|tag number|"
        r"(?:kfz-?)?kennzeichen|plaque(?: d'immatriculation)?|immatriculation|matr[ií]cula|targa|kenteken|"
        r"tablic[ae](?: rejestracyjn[ae])?|numer rejestracyjny|plaka|placa|rendszám|registreringsnummer|"
        r"nummerplade|rekisterinumero|госномер|номерной знак)"
        r"(?:[ ](?:number|no|is|was|are|the|read|reads|of|with|on|car|vehicle|nr|ist|lautet|est|es|è|é)\.?)*\s?[:#]?\s?['\"“]?"
        r"(?P<pii>(?-i:(?=[A-ZÄÖÜА-Я\d -]{0,9}\d)(?=[\d -]{0,5}[A-ZÄÖÜА-Я])[A-ZÄÖÜА-Я\d]{1,4}(?:[ ·•-]{1,2}[A-ZÄÖÜА-Я\d]{1,5}){0,3}|"
        r"(?=[A-Z\d]{0,7}\d)(?=\d{0,6}[A-Z])[A-Z\d]{5,8}))(?![\w-])",
        (gate("plate", "reg", "registration", "vrm", "kennzeichen", "plaque", "immatriculation",
              "matricula", "matrícula", "targa", "kenteken", "tablica", "tablice", "rejestracyjny",
              "plaka", "placa", "rendszám", "registreringsnummer", "nummerplade", "rekisterinumero",
              "госномер", "номерной", "tag number"),),
        0.7, refine=_plate,
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
