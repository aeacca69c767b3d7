"""Telephone numbers and national numbers of many countries, with the words of their languages."""

from __future__ import annotations

import re
from functools import cache

import phonenumbers
import pytest

from components.core.scrub.recognizers import RULES, RuleSet, national_ids

MIN_SCORE = 0.4
# A word for a telephone in a language of the country.
WORDS = {
    "phone": "US GB CA AU NZ IE IN ZA SG KE NG PH", "Telefon": "DE AT CH PL RO HU HR SE NO DK",
    "téléphone": "FR BE LU", "teléfono": "ES MX AR CO CL PE VE EC UY",
    "telefono": "IT",
    "telefone": "PT BR", "telefoon": "NL", "телефон": "RU UA BG KZ", "telefon": "CZ SK SI RS TR",
    "puhelin": "FI", "τηλέφωνο": "GR", "هاتف": "EG SA AE MA", "טלפון": "IL", "电话": "CN",
    "電話": "TW",
    "携帯": "JP", "전화": "KR", "โทร": "TH", "điện thoại": "VN", "telepon": "ID",
}  # fmt: skip
IDS = {  # made up, each with a good checksum
    "BR_CPF": "meu CPF é 529.982.247-25", "NL_BSN": "BSN 111222333", "IT_FISCAL_CODE":
    "codice fiscale RCCMNL83S18D969H", "PL_PESEL": "PESEL 44051401359", "ES_NIF": "DNI 54362315-K",
    "ES_NIE": "NIE X2482300W", "FI_PERSONAL_IDENTITY_CODE": "hetu 131052-308T",
    "SE_PERSONNUMMER": "personnummer 880320-0016", "NO_FODSELSNUMMER": "fødselsnummer 15108695088",
    "DK_CPR": "CPR 211062-5629", "FR_NIR": "numéro de sécurité sociale 2 95 10 99 126 111 93",
    "CH_AHV": "AHV 756.9217.0769.85", "BE_NN": "rijksregisternummer 85.07.30-033 28",
    "DE_TAX_ID": "Steuer-ID 36 574 261 809", "PT_NIF": "NIF 501 964 843", "RO_CNP":
    "CNP 1630615123457", "BG_EGN": "ЕГН 7523169263", "CZ_RC": "rodné číslo 710319/2745",
    "HR_OIB": "OIB 33392005961", "GR_AMKA": "ΑΜΚΑ 01013099997", "EE_IK": "isikukood 36805280109",
    "TR_NATIONAL_ID": "TC kimlik no 17291716060", "RU_INN": "ИНН 123456789047", "IL_ID":
    "תעודת זהות 39337423", "IN_AADHAAR": "Aadhaar 2341 2341 2346", "IN_PAN": "PAN ACUPA7085R",
    "KR_RRN": "주민등록번호 971013-9019902", "CN_RIC": "身份证 360426199101010071", "TH_TNIN":
    "บัตรประชาชน 3100600445635", "MY_NRIC": "MyKad 770305-02-1234", "ID_NIK": "NIK 3171011708450001",
    "PK_CNIC": "CNIC 34201-0891231-8", "MX_CURP": "CURP BOXW310820HNERXN09", "AR_CUIT":
    "CUIT 20-05536168-2", "CL_RUT": "RUT 12.531.909-2", "EC_CI": "cédula 1714307103", "DO_CEDULA":
    "cédula 00113918205", "ZA_ID_NUMBER": "South African ID 7503305044089", "CA_SIN":
    "SIN 123-456-782", "AU_TFN": "TFN 123 456 782", "NZ_IRD": "IRD 49091850", "IE_PPS":
    "PPS 6433435F", "IS_KENNITALA": "kennitala 120174-3399", "LT_ASMENS_KODAS":
    "asmens kodas 33309240064", "SI_EMSO": "EMŠO 0101006500006", "JP_MY_NUMBER":
    "マイナンバー 6214 9832 0257", "UA_RNTRC": "РНОКПП 1759013776", "US_ITIN": "ITIN 912-90-3456",
    "SG_NRIC_FIN": "NRIC S1234567D", "TW_ID": "身分證 A123456789", "HK_ID": "HKID A123456(3)",
    "RU_SNILS": "СНИЛС 112-233-445 95", "HU_TAJ": "TAJ 111111110",
}  # fmt: skip
ALONE = (
    "BR_CPF", "IT_FISCAL_CODE", "ES_NIF", "ES_NIE", "FI_PERSONAL_IDENTITY_CODE", "FR_NIR", "CH_AHV",
    "CZ_RC", "CN_RIC", "PK_CNIC", "MX_CURP", "AR_CUIT", "CL_RUT", "SG_NRIC_FIN", "TW_ID", "HK_ID",
    "RU_SNILS",
)  # fmt: skip


@cache
def rules() -> RuleSet:
    return RuleSet([rule for rule in RULES if rule.entity in {"PHONE_NUMBER", *IDS, "NATIONAL_ID"}])


def masked(text: str) -> str:
    """Returns the text without what is found."""
    spans = [span for span in rules().search(text) if span.score >= MIN_SCORE]
    return "".join(
        character
        for i, character in enumerate(text)
        if not any(span.start <= i < span.end for span in spans)
    )


def test_telephones_are_found_beside_their_word() -> None:
    formats = (
        phonenumbers.PhoneNumberFormat.NATIONAL,
        phonenumbers.PhoneNumberFormat.INTERNATIONAL,
    )
    missed = []
    for word, regions in WORDS.items():
        for region in regions.split():
            for kind in (
                phonenumbers.PhoneNumberType.MOBILE,
                phonenumbers.PhoneNumberType.FIXED_LINE,
            ):
                number = phonenumbers.example_number_for_type(region, kind)
                for form in formats:
                    written = phonenumbers.format_number(number, form)
                    left = masked(f"{word}: {written}, thank you")
                    if any(character.isdigit() for character in left):
                        missed.append((region, written))
    assert len(missed) <= 5, missed


def test_national_numbers_are_found_beside_their_word() -> None:
    missed = {
        entity: text for entity, text in IDS.items() if any(c.isdigit() for c in masked(text))
    }
    assert not missed


@pytest.mark.parametrize("entity", ALONE)
def test_numbers_of_a_rare_form_are_found_without_a_word(entity: str) -> None:
    found = re.search(r"\S*\d.*", IDS[entity])
    assert found is not None
    number = found[0]
    assert masked(f"it is {number}, he said") == "it is , he said"


def test_every_national_number_is_in_the_group() -> None:
    assert set(IDS) <= set(national_ids.GROUPS)


@pytest.mark.parametrize(
    "text",
    ["CPF 529.982.247-24", "BSN 111222334", "PESEL 44051401358", "codice fiscale RCCMNL83S18D969A"],
)
def test_a_wrong_checksum_is_no_number_of_a_person(text: str) -> None:
    assert masked(text) == text
