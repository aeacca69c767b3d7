"""Numbers of persons that states give out, most with a checksum (python-stdnum has them).

A number with a rare form and a checksum counts wherever it stands; any other one beside its word.
All of these entities belong to the group NATIONAL_ID of `ingest.scrub.entities`.
"""

from __future__ import annotations

import datetime
import importlib
import re
from collections.abc import Callable

from components.core.scrub.recognizers.rule import NUMBER, Rule, digits_of, gate, whole

Check = Callable[[str], bool]
GROUP = "NATIONAL_ID"
_ALONE, _WITH_WORD = 0.8, 0.3  # scores of a form that is rare, and of one that needs its word


def _stdnum(*modules: str) -> Check:
    """Returns a check by one of some modules of python-stdnum, which are imported when needed."""

    def check(text: str) -> bool:
        compact = re.sub(r"[\s.]", "", text)
        return any(
            bool(importlib.import_module(f"stdnum.{module}").is_valid(compact))
            for module in modules
        )

    return check


def _date(year: str, month: str, day: str) -> bool:
    """Tests if digits are a date; of two digits of a year, the century does not matter."""
    try:
        datetime.date(2000 + int(year) if len(year) == 2 else int(year), int(month), int(day))  # noqa: PLR2004
    except ValueError:
        return False
    return True


def _dated(form: str) -> Check:
    """Returns a check that digits hold a date, where `form` has y, m and d ("ddmmyy")."""

    def check(text: str) -> bool:
        digits = digits_of(text)
        year, month, day = (
            "".join(d for d, kind in zip(digits, form, strict=False) if kind == k) for k in "ymd"
        )
        return _date(year, month, day)

    return check


def _luhn(text: str) -> bool:
    from stdnum import luhn

    digits = digits_of(text)
    return len(set(digits)) > 1 and luhn.is_valid(digits)


def _weighted(weights: tuple[int, ...], modulus: int, check: Callable[[int], int]) -> Check:
    """Returns a check of the last digit by the weighted sum of the others."""

    def valid(text: str) -> bool:
        digits = [int(digit) for digit in digits_of(text)]
        total = sum(w * d for w, d in zip(weights, digits, strict=False)) % modulus
        return len(set(digits)) > 1 and check(total) == digits[len(weights)]

    return valid


def _snils(text: str) -> bool:
    """Checks the insurance number of Russia."""
    digits = digits_of(text)
    total = sum((9 - i) * int(digit) for i, digit in enumerate(digits[:9])) % 101 % 100
    return total == int(digits[9:])


def _hong_kong(text: str) -> bool:
    """Checks the identity card of Hong Kong."""
    compact = re.sub(r"[^A-Z0-9]", "", text.upper())
    letters = compact[:-7].rjust(2)
    values = [36 if c == " " else ord(c) - 55 for c in letters] + [int(c) for c in compact[-7:-1]]
    total = sum((9 - i) * value for i, value in enumerate(values))
    return (11 - total % 11) % 11 == (10 if compact[-1] == "A" else int(compact[-1]))


def _spanish(text: str) -> bool:
    """Checks the DNI of Spain; binary numbers of eight digits and a B are none."""
    return len(set(digits_of(text))) > 2 and _stdnum("es.dni")(text)  # noqa: PLR2004


def _taiwan(text: str) -> bool:
    """Checks the identity card of Taiwan."""
    number = "ABCDEFGHJKLMNPQRSTUVXYWZIO".index(text[0].upper()) + 10
    digits = [number // 10, number % 10, *map(int, text[1:])]
    weights = (1, 9, 8, 7, 6, 5, 4, 3, 2, 1, 1)
    return sum(w * d for w, d in zip(weights, digits, strict=True)) % 10 == 0


def _singapore(text: str) -> bool:
    """Checks the identity card of Singapore."""
    digits = [int(c) for c in text[1:8]]
    total = sum(w * d for w, d in zip((2, 7, 6, 5, 4, 3, 2), digits, strict=True))
    first = text[0].upper()
    total += {"T": 4, "G": 4, "M": 3}.get(first, 0)
    letters = {"S": "JZIHGFEDCBA", "T": "JZIHGFEDCBA"}.get(
        first, "XWUTRQPNMLK" if first in "FG" else "KLJNPQRTUWX"
    )
    index = total % 11 if first != "M" else 10 - total % 11
    return letters[index] == text[8].upper()


def _any(text: str) -> bool:
    return len(set(digits_of(text))) > 1


_D = r"[ .-]?"  # between groups of digits


def _digits(*groups: int, separator: str = _D) -> str:
    """Returns the pattern of digits in groups, with or without separators."""
    return separator.join(rf"\d{{{size}}}" for size in groups)


# entity, pattern, check, words; a pattern that counts alone; where it does, its gate.
_IDS: tuple[tuple[str, str, Check, tuple[str, ...], str, str], ...] = (
    ("AR_CUIT", _digits(2, 8, 1), _stdnum("ar.cuit"), ("cuit", "cuil"),
     r"(?:20|23|24|27)-\d{8}-\d", r"\b2[0347]-\d{8}-\d\b"),
    ("AR_DNI", _digits(2, 3, 3), _any, ("dni", "documento nacional"), "", ""),
    ("AT_SVNR", _digits(4, 6), _stdnum("at.vnr"),
     ("svnr", "sozialversicherungsnummer", "versicherungsnummer", "sv-nummer", "sv-nr"), "", ""),
    ("AU_TFN", _digits(3, 3, 2) + r"\d?", _stdnum("au.tfn"), ("tfn", "tax file"), "", ""),
    ("AU_MEDICARE", _digits(4, 5, 1), _weighted((1, 3, 7, 9, 1, 3, 7, 9), 10, lambda t: t),
     ("medicare",), "", ""),
    ("BE_NN", r"\d{2}[ .-]?\d{2}[ .-]?\d{2}[ .-]?\d{3}[ .-]?\d{2}", _stdnum("be.nn"),
     ("rijksregisternummer", "rijksregister", "registre national", "numéro national",
      "national register", "nationalregister", "insz", "niss"),
     r"\d{2}\.\d{2}\.\d{2}-\d{3}[.-]\d{2}", r"\d{2}\.\d{2}\.\d{2}-\d{3}[.-]\d{2}"),
    ("BG_EGN", _digits(10), _stdnum("bg.egn"), ("egn", "егн", "единен граждански"), "", ""),
    ("BR_CPF", _digits(3, 3, 3, 2), _stdnum("br.cpf"), ("cpf", "cadastro de pessoas"),
     r"\d{3}\.\d{3}\.\d{3}-\d{2}", r"\d{3}\.\d{3}\.\d{3}-\d{2}"),
    ("CA_SIN", _digits(3, 3, 3), _stdnum("ca.sin"),
     ("social insurance", "s.i.n", "sin number", "sin no", "sin:", "sin is", "sin #", "sin",
      "assurance sociale", "nas"), "", ""),
    ("CH_AHV", r"756[ .]?\d{4}[ .]?\d{4}[ .]?\d{2}", _stdnum("ch.ssn"),
     ("ahv", "avs", "ahv-nummer", "ahv-nr", "sozialversicherungsnummer"),
     r"756[ .]?\d{4}[ .]?\d{4}[ .]?\d{2}", r"\b756[ .]?\d{4}"),
    ("CL_RUT", r"\d{1,2}\.?\d{3}\.?\d{3}-?[\dk]", _stdnum("cl.rut"), ("rut", "run", "rol único"),
     r"\d{1,2}\.\d{3}\.\d{3}-[\dk]", r"(?i)\d\.\d{3}\.\d{3}-[\dk]"),
    ("CN_RIC", r"\d{17}[\dx]", _stdnum("cn.ric"), ("身份证", "身分證", "identity card", "ric"),
     r"\d{17}[\dx]", r"(?i)\d{17}[\dx]"),
    ("CO_CC", r"\d{1,2}[ .]?\d{3}[ .]?\d{3}|\d[ .]?\d{3}[ .]?\d{3}[ .]?\d{3}", _any,
     ("cédula", "cedula", "c.c."), "", ""),
    ("CU_NI", _digits(11), _stdnum("cu.ni"), ("carné de identidad", "carnet de identidad"), "", ""),
    ("CZ_RC", r"\d{6}/?\d{3,4}", _stdnum("cz.rc"), ("rodné číslo", "rodne cislo", "r.č.", "rč"),
     r"\d{6}/\d{4}", r"\d{6}/\d{4}"),
    ("DE_TAX_ID", _digits(2, 3, 3, 3), _stdnum("de.idnr"),
     ("steuer-id", "steuerid", "steuer-identifikationsnummer", "steueridentifikationsnummer",
      "idnr", "identifikationsnummer", "steuernummer", "tax id"), "", ""),
    ("DE_SOCIAL_SECURITY", r"\d{2} ?[0-3]\d[01]\d\d{2} ?[a-z] ?\d{3}", _any,
     ("sozialversicherungsnummer", "rentenversicherungsnummer", "rvnr", "svnr", "sv-nummer",
      "versicherungsnummer"), "", ""),
    ("DE_ID_CARD", r"[cfghjklmnprtvwxyz][cfghjklmnprtvwxyz0-9]{8,9}", _any,
     ("personalausweis", "ausweisnummer", "personalausweisnummer"), "", ""),
    ("DK_CPR", r"\d{6}[ -]?\d{4}", _dated("ddmmyy"),
     ("cpr", "cpr-nummer", "cpr-nr", "personnummer"), "", ""),
    ("DO_CEDULA", r"\d{3}-?\d{7}-?\d", _stdnum("do.cedula"), ("cédula", "cedula"),
     r"\d{3}-\d{7}-\d", r"\d{3}-\d{7}-\d"),
    ("EC_CI", r"\d{9}-?\d", _stdnum("ec.ci"), ("cédula", "cedula", "c.i."), "", ""),
    ("EE_IK", r"[3-6]\d{10}", _stdnum("ee.ik"), ("isikukood",), "", ""),
    ("EG_NATIONAL_ID", r"[23]\d{13}", lambda t: _date("20" + t[1:3], t[3:5], t[5:7]),
     ("national id", "الرقم القومي", "رقم قومي"), "", ""),
    ("ES_NIF", r"\d{2}\.?\d{3}\.?\d{3}[ -]?[a-z]", _spanish, ("dni", "nif"),
     r"\d{8}-?[a-z]", r"(?i)\b\d{8}-?[a-z]\b"),
    ("ES_NIE", r"[xyz]-?\d{7}-?[a-z]", _stdnum("es.nie"), ("nie",),
     r"[xyz]-?\d{7}-?[a-z]", r"(?i)\b[xyz]-?\d{7}-?[a-z]\b"),
    ("FI_PERSONAL_IDENTITY_CODE", r"\d{6}[-+a-fu-y]\d{3}[0-9a-y]", _stdnum("fi.hetu"),
     ("hetu", "henkilötunnus", "henkilötunnukseni", "personbeteckning"),
     r"\d{6}[-+a-fu-y]\d{3}[0-9a-y]", r"(?i)\b\d{6}[-+a-fu-y]\d{3}[0-9a-y]\b"),
    ("FR_NIR", r"[12] ?\d{2} ?\d{2} ?\d[\dab] ?\d{3} ?\d{3} ?\d{2}", _stdnum("fr.nir"),
     ("nir", "sécurité sociale", "securite sociale", "sécu", "insee"),
     r"[12] ?\d{2} ?[0-3]\d ?\d[\dab] ?\d{3} ?\d{3} ?\d{2}",
     r"\b[12] ?\d{2} ?[0-3]\d ?\d[\dAB] ?\d{3} ?\d{3} ?\d{2}\b"),
    ("FR_TAX_ID", r"[0-3]\d ?\d{2} ?\d{3} ?\d{3} ?\d{3}", _stdnum("fr.nif"),
     ("numéro fiscal", "numero fiscal", "spi"), "", ""),
    ("GR_AMKA", _digits(11), _stdnum("gr.amka"), ("amka", "αμκα"), "", ""),
    ("GR_AFM", _digits(9), _stdnum("gr.vat"), ("afm", "αφμ", "α.φ.μ."), "", ""),
    ("HK_ID", r"[a-z]{1,2} ?\d{6} ?\(?[0-9a]\)?", _hong_kong, ("hkid", "香港身份證", "identity card"),
     r"[a-z]{1,2}\d{6}\([0-9a]\)", r"(?i)\b[a-z]{1,2}\d{6}\([0-9a]\)"),
    ("HR_OIB", _digits(11), _stdnum("hr.oib"), ("oib", "osobni identifikacijski"), "", ""),
    ("HU_TAJ", _digits(3, 3, 3), _weighted((3, 7, 3, 7, 3, 7, 3, 7), 10, lambda t: t),
     ("taj", "taj-szám", "tajszám"), "", ""),
    ("HU_TAX_ID", r"8\d{9}", _weighted((1, 2, 3, 4, 5, 6, 7, 8, 9), 11, lambda t: t),
     ("adóazonosító", "adoazonosito"), "", ""),
    ("ID_NIK", _digits(16), _stdnum("id.nik"), ("nik", "ktp"), "", ""),
    ("IE_PPS", r"\d{7}[a-w][abwtxz]?", _stdnum("ie.pps"), ("pps", "ppsn", "personal public"),
     "", ""),
    ("IL_ID", r"\d{7,8}-?\d", _luhn, ("teudat zehut", "ת.ז", "תעודת זהות", "מספר זהות",
     "identity number"), "", ""),
    ("IN_AADHAAR", r"[2-9]\d{3}[ -]?\d{4}[ -]?\d{4}", _stdnum("in_.aadhaar"),
     ("aadhaar", "aadhar", "आधार"), "", ""),
    ("IN_PAN", r"[a-z]{3}[abcfghljpt][a-z]\d{4}[a-z]", _stdnum("in_.pan"), ("pan",),
     r"[a-z]{3}p[a-z]\d{4}[a-z]", r"(?i)\b[a-z]{3}p[a-z]\d{4}[a-z]\b"),
    ("IR_NATIONAL_ID", r"\d{3}-?\d{6}-?\d",
     _weighted((10, 9, 8, 7, 6, 5, 4, 3, 2), 11, lambda t: (0, 1, *range(9, 0, -1))[t]),
     ("کد ملی", "code melli", "national code"), "", ""),
    ("IS_KENNITALA", r"\d{6}-?\d{4}", _stdnum("is_.kennitala"), ("kennitala", "kt."), "", ""),
    ("IT_FISCAL_CODE", r"[a-z]{6}\d[\dl-v][a-ehlmpr-t][\dl-v]{2}[a-z][\dl-v]{3}[a-z]",
     _stdnum("it.codicefiscale"), ("codice fiscale", "c.f."),
     r"[a-z]{6}\d{2}[a-ehlmpr-t]\d{2}[a-z]\d{3}[a-z]",
     r"(?i)\b[a-z]{6}\d{2}[a-z]\d{2}[a-z]\d{3}[a-z]\b"),
    ("JP_MY_NUMBER", _digits(4, 4, 4), _stdnum("jp.in_"),
     ("my number", "マイナンバー", "個人番号"), "", ""),
    ("KE_PIN", r"a\d{9}[a-z]", _any, ("kra", "kra pin", "pin"), "", ""),
    ("KR_RRN", r"\d{6}-?\d{7}", _stdnum("kr.rrn"), ("rrn", "주민등록번호", "주민번호",
     "resident registration"), r"\d{2}[01]\d[0-3]\d-\d{7}", r"\d{6}-\d{7}"),
    ("KZ_IIN", _digits(12), _dated("yymmdd"), ("iin", "иин", "жсн"), "", ""),
    ("LK_NIC", r"\d{9} ?[vx]|\d{12}", _any, ("nic",), "", ""),
    ("LT_ASMENS_KODAS", r"[3-6]\d{10}", _stdnum("lt.asmens"), ("asmens kodas", "asmens kodą"),
     "", ""),
    ("LU_ID", _digits(13), _dated("yyyymmdd"), ("matricule", "sozialversicherungsnummer"), "", ""),
    ("LV_PK", r"(?:\d{6}|32\d{4})-?\d{5}", _stdnum("lv.pvn"), ("personas kods",), "", ""),
    ("MT_ID", r"\d{3,7} ?[mgaplhbz]", _any, ("identity card", "karta tal-identità"), "", ""),
    ("MX_CURP", r"[a-z]{4}\d{6}[hmx][a-z]{5}[0-9a-z]\d", _stdnum("mx.curp"), ("curp",),
     r"[a-z]{4}\d{6}[hmx][a-z]{5}[0-9a-z]\d", r"(?i)\b[a-z]{4}\d{6}[hmx][a-z]{5}[0-9a-z]\d\b"),
    ("MX_RFC", r"[a-z&ñ]{4}-?\d{6}-?[0-9a-z]{3}", _stdnum("mx.rfc"), ("rfc",), "", ""),
    ("MY_NRIC", r"\d{6}-?\d{2}-?\d{4}", _stdnum("my.nric"), ("nric", "mykad", "kad pengenalan"),
     "", ""),
    ("NG_NIN", _digits(11), _any, ("nin", "national identification"), "", ""),
    ("NL_BSN", r"\d{4}[ .]?\d{2}[ .]?\d{3}|\d{3}[ .]?\d{3}[ .]?\d{3}|\d{9}", _stdnum("nl.bsn"),
     ("bsn", "burgerservicenummer", "sofinummer", "sofi-nummer", "citizen service"), "", ""),
    ("NO_FODSELSNUMMER", r"\d{6}[ -]?\d{5}", _stdnum("no.fodselsnummer"),
     ("fødselsnummer", "fodselsnummer", "personnummer", "fnr"), "", ""),
    ("NZ_IRD", r"\d{2,3}[ -]?\d{3}[ -]?\d{3}", _stdnum("nz.ird"), ("ird",), "", ""),
    ("PE_DNI", r"\d{8}(?:-?[0-9a-k])?", _any, ("dni", "cui"), "", ""),
    ("PH_TIN", r"\d{3}-?\d{3}-?\d{3}(?:-?\d{3,5})?", _any, ("tin", "philsys"), "", ""),
    ("PK_CNIC", r"\d{5}-?\d{7}-?\d", _stdnum("pk.cnic"), ("cnic", "nadra"),
     r"\d{5}-\d{7}-\d", r"\d{5}-\d{7}-\d"),
    ("PL_PESEL", _digits(11), _stdnum("pl.pesel"), ("pesel",), "", ""),
    ("PL_NIP", r"\d{3}-?\d{3}-?\d{2}-?\d{2}|\d{3}-\d{2}-\d{2}-\d{3}", _stdnum("pl.nip"), ("nip",),
     "", ""),
    ("PT_NIF", _digits(3, 3, 3), _stdnum("pt.nif"),
     ("nif", "contribuinte", "número fiscal", "numero de contribuinte"), "", ""),
    ("PT_CC", r"\d{8} ?\d ?[a-z0-9]{2}\d", _stdnum("pt.cc"),
     ("cartão de cidadão", "cartao de cidadao"), "", ""),
    ("RO_CNP", r"[1-9]\d{12}", _stdnum("ro.cnp"), ("cnp", "cod numeric personal"), "", ""),
    ("RS_JMBG", _digits(13), _stdnum("si.emso"), ("jmbg", "јмбг", "матични број"), "", ""),
    ("RU_INN", _digits(12), _stdnum("ru.inn"), ("инн", "inn"), "", ""),
    ("RU_SNILS", r"\d{3}-?\d{3}-?\d{3}[ -]?\d{2}", _snils, ("снилс", "snils"),
     r"\d{3}-\d{3}-\d{3} \d{2}", r"\d{3}-\d{3}-\d{3} \d{2}"),
    ("RU_PASSPORT", r"\d{2} ?\d{2} ?\d{6}", _any, ("паспорт", "паспорта", "серия"), "", ""),
    ("SA_ID", r"[12]\d{9}", _luhn, ("iqama", "national id", "رقم الهوية", "الهوية الوطنية"),
     "", ""),
    ("AE_ID", r"784[ -]?\d{4}[ -]?\d{7}[ -]?\d", _luhn, ("emirates id", "الهوية"),
     r"784-\d{4}-\d{7}-\d", r"784-\d{4}-\d{7}-\d"),
    ("SE_PERSONNUMMER", r"(?:\d{2})?\d{6}[-+ ]?\d{4}", _stdnum("se.personnummer"),
     ("personnummer", "personnr", "pnr", "samordningsnummer"),
     r"(?:19|20)\d{6}-\d{4}", r"\b(?:19|20)\d{6}-\d{4}\b"),
    ("SG_NRIC_FIN", r"[stfgm]\d{7}[a-z]", _singapore, ("nric", "fin"),
     r"[stfgm]\d{7}[a-z]", r"(?i)\b[stfgm]\d{7}[a-z]\b"),
    ("SI_EMSO", _digits(13), _stdnum("si.emso"), ("emšo", "emso"), "", ""),
    ("SK_RC", r"\d{6}/?\d{3,4}", _stdnum("sk.rc"), ("rodné číslo", "rodne cislo"), "", ""),
    ("TH_TNIN", r"\d[ -]?\d{4}[ -]?\d{5}[ -]?\d{2}[ -]?\d", _stdnum("th.pin"),
     ("บัตรประชาชน", "thai id", "national id"),
     r"\d-\d{4}-\d{5}-\d{2}-\d", r"\d-\d{4}-\d{5}-\d{2}-\d"),
    ("TR_NATIONAL_ID", r"[1-9]\d{10}", _stdnum("tr.tckimlik"),
     ("t.c. kimlik", "tc kimlik", "tckn", "kimlik no", "kimlik numara"), "", ""),
    ("TW_ID", r"[a-z][1289]\d{8}", _taiwan, ("身分證", "身份證"),
     r"[a-z][12]\d{8}", r"(?i)\b[a-z][12]\d{8}\b"),
    ("UA_RNTRC", _digits(10), _stdnum("ua.rntrc"), ("рнокпп", "ідентифікаційний", "іпн", "rntrc"),
     "", ""),
    ("US_ITIN", r"9\d{2}[- ]?\d{2}[- ]?\d{4}", _stdnum("us.itin"),
     ("itin", "individual taxpayer"), "", ""),
    ("UY_CI", r"\d[ .]?\d{3}[ .]?\d{3}-?\d", _any, ("cédula", "cedula", "c.i."), "", ""),
    ("VE_CI", r"[ve]-? ?\d{1,2}\.?\d{3}\.?\d{3}", _any, ("cédula", "cedula", "c.i."), "", ""),
    ("VN_CCCD", r"\d{12}|\d{9}", _any, ("cccd", "căn cước", "cmnd"), "", ""),
    ("ZA_ID_NUMBER", r"\d{6} ?\d{4} ?\d{3}", _stdnum("za.idnr"),
     ("id number", "south african id", "sa id"), "", ""),
)  # fmt: skip

GROUPS = dict.fromkeys((entity for entity, *_ in _IDS), GROUP)
# A word of these languages or of English that needs its capitals, as small letters mean other things.
_CAPITALS = {"sin", "pan", "pin", "run", "nie", "nit", "nas", "spi", "fin", "tin", "ric", "inn"}
_LEAST = 6  # digits of a number beside a general word


# Six digits, or letters of a code of a few digits
_NEEDS = (
    NUMBER,
    r"(?i)\d{2}[a-z]{1,5}\d|\b[a-z]{1,6}\d{5}|\d{5}[a-z]\b|\b[cfghjklmnprtvwxyz][cfghjklmnprtvwxyz0-9]{8,9}\b",
)


def _word(word: str) -> str:
    escaped = re.escape(word)
    return f"(?-i:{escaped.upper()})" if word in _CAPITALS else escaped


def _bounded(pattern: str) -> str:
    return rf"(?<![\w.,/+-])(?:{pattern})(?![\w-]|[.,/]\d)"


def _rules() -> list[Rule]:
    rules = []
    for entity, pattern, check, words, alone, alone_gate in _IDS:

        def refine(text: str, check: Check = check) -> tuple[int, int] | None:
            return whole(text, check(text))

        if alone:
            rules.append(Rule(entity, _bounded(alone), (alone_gate,), _ALONE, refine=refine))
        context = tuple(_word(word) for word in words)
        rules.append(
            Rule(
                entity,
                _bounded(pattern),
                (gate(*words),),
                _WITH_WORD,
                context,
                refine=refine,
                needs=_NEEDS,
            )
        )
    return rules


def _numbered(text: str) -> tuple[int, int] | None:
    return whole(text, len(digits_of(text)) >= _LEAST)


_GENERAL = (
    r"(?:national|personal|citizen'?s?|tax(?:payer)?|identity|identification|fiscal|"
    r"social (?:security|insurance)|insurance|resident)"
)
RULES = (
    *_rules(),
    # "national id: 12345678", of a state that is not listed
    Rule(
        GROUP,
        rf"(?<![a-z]){_GENERAL}[ -](?:(?:identity|identification|registration|reference|insurance|id|"
        r"card|code|number|no|nr)\.?[ -]?){1,3}(?:\s?(?:is|was|:|#|=))*\s{0,2}"
        r"(?P<pii>(?=[\d./a-z -]{0,9}\d)[a-z0-9][a-z0-9./-]{4,20}[a-z0-9](?: \d{2,6}){0,3})(?![\w-])",
        (r"(?i)(?:identity|identification|registration|reference|insurance|id|card|code|number|no|nr)"
         r"\.?[ -]?(?:\s?(?:is|was|:|#|=))*\s{0,2}[a-z0-9][a-z0-9./-]{4}",),
        0.6, refine=_numbered, needs=_NEEDS,
    ),
)  # fmt: skip
