"""Texts in other languages are not destroyed, and each report counts those without a tagger."""

from __future__ import annotations

import pytest

from components.core import params, scrub
from components.core.scrub import Scrubber
from components.core.scrub.taggers import MULTILINGUAL

# No personal data in any of them.
SENTENCES = {
    "de": "Die Bahn verschiebt den Ausbau der Strecke um zwei Jahre, weil das Geld dafür fehlt.",
    "fr": "Les agriculteurs attendent la pluie depuis des semaines et craignent pour la récolte.",
    "es": "Los precios de la vivienda subieron otra vez el año pasado en casi todas las ciudades.",
    "it": "Il treno è arrivato con un'ora di ritardo e molti hanno perso la coincidenza.",
    "nl": "De prijs van het brood is in een jaar met tien procent gestegen, zeggen de bakkers.",
    "pt": "A chuva forte fechou várias estradas e deixou muitas casas sem luz durante a noite.",
    "pl": "Ceny mieszkań w dużych miastach znowu wzrosły, a młodzi ludzie coraz dłużej szukają.",
    "sv": "Regeringen vill sänka skatten på arbete och höja den på bensin redan nästa år.",
    "da": "Mange veje var lukket i nat, fordi regnen havde skyllet jorden væk under dem.",
    "no": "Prisene på strøm steg igjen i vinter, og mange familier har vanskelig for å betale.",
    "fi": "Juna oli tunnin myöhässä, ja monet matkustajat jäivät yöksi asemalle odottamaan.",
    "hu": "A kormány jövőre csökkenteni akarja az adókat, és emelné a tanárok fizetését is.",
    "ro": "Prețurile locuințelor au crescut din nou anul trecut în aproape toate orașele mari.",
    "bg": "Влакът закъсня с един час и много пътници изпуснаха следващата връзка вечерта.",
    "id": "Harga rumah naik lagi tahun lalu di hampir semua kota besar di seluruh negeri ini.",
    "cs": "Vláda chce příští rok snížit daně a zvýšit platy učitelů ve všech školách.",
    "tr": "Okullar bu yıl bir hafta geç açılacak çünkü binaların onarımı henüz bitmedi.",
    "ru": "Цены на хлеб выросли за год на десять процентов, и пекари ждут нового роста.",
    "uk": "Уряд хоче знизити податки наступного року і підвищити зарплати вчителям.",
    "el": "Η κυβέρνηση θέλει να μειώσει τους φόρους και να αυξήσει τους μισθούς του χρόνου.",
    "ar": "تأخر القطار ساعة كاملة وفات كثيرا من الركاب موعد الرحلة التالية في المساء.",
    "hi": "पिछले साल लगभग सभी शहरों में मकानों की कीमतें फिर से बढ़ गईं।",
    "zh": "由于缺乏资金，铁路扩建工程将推迟两年，许多乘客对此表示不满。",
    "ja": "大雨のため多くの道路が通行止めになり、夜の間に停電した家もあった。",
    "ko": "폭우로 여러 도로가 통제되었고 밤사이 많은 집에 전기가 끊겼다.",
}


@pytest.fixture(scope="module")
def scrubber() -> Scrubber:
    return Scrubber(params.Scrub())


@pytest.mark.parametrize("language", SENTENCES)
def test_ordinary_words_of_another_language_stay(scrubber: Scrubber, language: str) -> None:
    text = SENTENCES[language]
    unsearched = "" if language in MULTILINGUAL else language
    assert scrubber.scrub(text) == scrub.Scrubbed(text, {}, unsearched=unsearched)


@pytest.mark.parametrize(
    "text", ["株価が上がる", "野球の試合で勝利", "今天股市大涨", "날씨 맑음", "Цены выросли"]
)
def test_a_short_text_in_another_script_stays(scrubber: Scrubber, text: str) -> None:
    clean = scrubber.scrub(text)
    assert clean.text == text
    assert clean.unsearched not in ("", "en")


def test_rules_run_in_every_language(scrubber: Scrubber) -> None:
    clean = scrubber.scrub(f"{SENTENCES['sv']} Skriv till anna@example.org.")
    assert clean.text.endswith("Skriv till <EMAIL_ADDRESS>.")
    assert scrub.counts_of(clean) == {"EMAIL_ADDRESS": 1, "NAMES_NOT_SEARCHED_SV": 1}


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("I met Angela Merkel. Merkel spoke to J. R. Tolkien.", "Merkel"),
        ("Angela Merkel met Gerhard Schröder.", "Schröder"),
        ("Pedro Almodóvar directed Penélope Cruz.", "Almodóvar"),
        ("Ask Jean-Luc Picard about François Mitterrand.", "Mitterrand"),
        ("Ann Smith", "Smith"),
    ],
)
def test_foreign_names_in_english_are_searched(scrubber: Scrubber, text: str, name: str) -> None:
    clean = scrubber.scrub(text)
    assert (name in clean.text, clean.unsearched) == (False, "")


def test_a_batch_of_several_languages_keeps_its_order(scrubber: Scrubber) -> None:
    german = "Der Trainer Jürgen Wessely lobte seine Mannschaft nach dem Spiel."
    texts = [SENTENCES["sv"], "Mr Smith said so in the house.", SENTENCES["fr"], german]
    clean = scrubber.scrub_many(texts)
    assert [one.unsearched for one in clean] == ["sv", "", "", ""]
    assert [one.text == text for one, text in zip(clean, texts, strict=True)] == [
        True, False, True, False,
    ]  # fmt: skip


def test_the_policy_decides() -> None:
    swedish = f"{SENTENCES['sv']} Det sade Angela Merkel."
    strict = Scrubber(params.Scrub(unknown_language="quarantine")).scrub(swedish)
    assert (strict.text, strict.unsearched) == ("", "sv")
    masked = Scrubber(params.Scrub(unknown_language="mask_all")).scrub(swedish)
    assert "Merkel" not in masked.text
    assert masked.unsearched == ""


def test_where_no_names_are_searched_no_language_is_reported() -> None:
    settings = params.Scrub(entities={"PERSON": "keep", "EMAIL_ADDRESS": "mask"})
    assert Scrubber(settings).scrub(SENTENCES["sv"]).unsearched == ""
