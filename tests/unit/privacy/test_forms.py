"""Personal data is masked whole, and what only looks like it stays: one example of each kind."""

from __future__ import annotations

from pathlib import Path

import pytest

from components.core import params
from components.core.scrub import Scrubber, filters

SETTINGS = params.load(Path(__file__).parents[3] / "params.yaml").ingest.scrub


@pytest.fixture(scope="module")
def scrubber() -> Scrubber:
    return Scrubber(SETTINGS)


@pytest.mark.parametrize(
    ("value", "entity", "text"),
    [
        ("Clara Weiss", "PERSON", "Pt: {} MRN: MRN-1187254"),
        ("Clara Weiss", "PERSON", "Pt {}, ward 2, ate well."),
        ("Anaïs Morel", "PERSON", "customer,email,city\n{},am@example.org,Nice"),
        ("grace miller", "PERSON", "i spoke with {} about the delivery yesterday"),
        ("王小红", "PERSON", "Dear {},\nthe parcel is on its way."),
        ("अनिल कुमार", "PERSON", "This page was signed by {} on Monday."),
        ("Charlotte_Bergmann", "PERSON", "Open {}_resume.docx please."),
        ("CharlotteBergmann", "PERSON", "C:\\Users\\{}\\notes.txt"),
        ("dennis.holt", "PERSON", "the log is in /home/{}/run.log"),
        ("patricia-nowak", "PRIVATE_URL", "https://paper.example/2023/{}-resigns"),
        ("Andr=C3=A9 Fran=C3=A7ois", "PERSON", "Signed by {}, secretary."),
        ("P a t r i c i a  N o w a k", "PERSON", "Signed by {}, secretary."),
        ("tom%40example.net", "EMAIL_ADDRESS", "mail {} soon"),
        ("tom&#64;example.net", "EMAIL_ADDRESS", "mail {} soon"),
        ("tom=40example.net", "EMAIL_ADDRESS", "mail {} soon"),
        ("501800000009", "CREDIT_CARD", "paid by Maestro card {} at noon"),
        ("180012345678905", "CREDIT_CARD", "JCB {} was charged"),
        ("4111.1111.1111.1111", "CREDIT_CARD", "card {} please"),
        ("4111/1111/1111/1111", "CREDIT_CARD", "card {} please"),
        ("4111 1111\n1111 1111", "CREDIT_CARD", "card\n{}\nplease"),
        ("698 765 432", "PHONE_NUMBER", "Back on Monday, {}, bye."),
        ("instagram.com/tom.holt.77", "PRIVATE_URL", "see {} for more"),
        ("linkedin.com/in/tom-holt-9c2b", "PRIVATE_URL", "see {} for more"),
        ("48.858370, 2.294481", "LOCATION", "meet at {} today"),
        ("14 March 1981", "DATE_OF_BIRTH", "born on {} in Leeds"),
        ("14.03.1981", "DATE_OF_BIRTH", "Geburtsdatum: {}"),
        ("AB12 CDE", "LICENSE_PLATE", "number plate {} was seen"),
        ("B-MW 4521", "LICENSE_PLATE", "Kennzeichen: {}"),
        ("correct9horse", "SECRET", "PGPASSWORD={} psql"),
        ("geheim77!", "SECRET", "Passwort: {}"),
        ("tom:geheim77", "SECRET", "curl -u {} https://api.example"),
        ("xK9#mQ2pL", "SECRET", 'pass := "{}"'),
        ("shpat_" + "0a1b2c3d" * 4, "SECRET", "the key {} leaked"),
        ("dapi" + "0a1b2c3d" * 4, "SECRET", "{} was in the code"),
        ("https://hooks.slack.com/services/T01/B02/abcdefghijkl", "SECRET", "post to {} now"),
        ("https://discord.com/api/webhooks/123456/abcdefghijkl", "SECRET", "post to {} now"),
        ("東京都新宿区西新宿2-8-1", "STREET_ADDRESS", "住所は{}です。"),
    ],
)
def test_the_whole_of_it_is_masked(scrubber: Scrubber, value: str, entity: str, text: str) -> None:
    written = text.format(value)
    found = {(f.entity, written[f.start : f.end]) for f in scrubber.find(written)}
    assert (entity, value) in found


@pytest.mark.parametrize(
    "text",
    [
        "She cannot handle defeat. It hurt the club.",
        "The direct loss was 310 250 000 pesos.",
        "Mobile sales: the shop sold 40 000 000 units at work.",
        "Upgrade to version 10.2.0.1 of the firmware.",
        "The bank borrowed 250000000 last year.",
        "In C++, a::b and std::c are names.",
        "The museum closed in 1998 just behind the road.",
        "Shr 12 cts vs 9 cts. Net 4.1 mln vs 3.2 mln. Avg shrs 2,100,400. Reuter",
        "Nokia and Siemens sold the unit to Oracle.",
        "Fulham drew with Leinster and Wigan in Dublin.",
        "Ubuntu and Photoshop need the new driver.",
        "Ariz. and Tenn. will vote in May.",
        "Chapter IV and part XII follow.",
        "Order 7045512 and ticket 7045513 are late; SKU 771-404-9981 is gone.",
        "The commit 9f3c1d20-aa41-4c0e-8f15-0b1c2d3e4f50 failed.",
        "Edit main.py and the README.md, then run Django 5.1.",
        "Read https://t.co/Zx81LmNq2P about it.",
        "Toyota Corolla and Ford Fiesta are cheap.",
    ],
)
def test_what_names_nobody_stays(scrubber: Scrubber, text: str) -> None:
    assert scrubber.scrub(text).text == text


def test_a_surname_that_is_also_a_club_is_a_person_beside_a_first_name(scrubber: Scrubber) -> None:
    clean = scrubber.scrub("Bobby Charlton spoke. Later Charlton left the hall.").text
    assert clean == "<PERSON> spoke. Later <PERSON> left the hall."


def test_special_categories_are_searched_only_if_asked_for() -> None:
    text = "Religion: Catholic. She is pregnant."
    assert Scrubber(SETTINGS).scrub(text).text == text
    asked = {**SETTINGS.entities, "SPECIAL_CATEGORY": "mask"}
    clean = Scrubber(SETTINGS.model_copy(update={"entities": asked})).scrub(text).text
    assert clean == "Religion: <SPECIAL_CATEGORY>. She is <SPECIAL_CATEGORY>."


def test_the_group_of_national_numbers_decides_for_each_of_them() -> None:
    text = "CPF 529.982.247-25"
    kept = {**SETTINGS.entities, "NATIONAL_ID": "keep"}
    assert Scrubber(SETTINGS).scrub(text).text == "CPF <BR_CPF>"
    assert Scrubber(SETTINGS.model_copy(update={"entities": kept})).scrub(text).text == text
    one = {**kept, "BR_CPF": "mask"}
    assert (
        Scrubber(SETTINGS.model_copy(update={"entities": one})).scrub(text).text == "CPF <BR_CPF>"
    )


def test_marks_are_optional() -> None:
    assert filters.believable("a text", [], []) == []
