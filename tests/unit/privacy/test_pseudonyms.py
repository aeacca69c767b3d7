"""scrub/pseudonyms.py: one normal form of a value, for tokens, authors, suppression and erasure."""

from __future__ import annotations

import hmac
import re
import unicodedata
from typing import NamedTuple

import pytest

from components.core.scrub import Finding, pseudonyms, replace
from components.core.scrub.suppression import Subject, SuppressionFilter

SECRET, OTHER = b"a secret", b"another secret"
# One person each: case, spaces, invisible characters, full width, composition, look-alikes.
SPELLINGS = [
    ("Ann Smith", "ann  smith"),
    ("Ann Smith", " ANN SMITH\n"),
    ("Ann Smith", "Ann\u200b Smith\ufeff"),
    ("Ann Smith", "\uff21\uff4e\uff4e Smith"),
    ("Ren\u00e9 M\u00fcller", "Rene\u0301 Mu\u0308ller"),
    ("Ann Smith", "\u0410nn Smith"),
    ("ann@example.org", "\uff21nn\uff20Example.org"),
]


def token(value: str) -> str:
    """What the scrubber writes in place of a name."""
    finding = Finding(0, len(value), "PERSON", 1.0)
    return replace(value, [finding], {"PERSON": "pseudonym"}, SECRET).text


@pytest.mark.parametrize(("value", "spelling"), SPELLINGS)
def test_each_spelling_has_one_token_one_pseudonym_and_one_hash(value: str, spelling: str) -> None:
    assert token(value) == token(spelling)
    assert pseudonyms.pseudonym(value, SECRET) == pseudonyms.pseudonym(spelling, SECRET)
    found = [Subject.of(one, "author").hash(SECRET) for one in (value, spelling)]
    assert found[0] == found[1]


def test_a_token_and_a_pseudonym_begin_alike() -> None:
    """So who knows the key finds a person's tokens by the person's pseudonym."""
    stand_in = pseudonyms.pseudonym("Ann  SMITH", SECRET)
    assert stand_in is not None
    assert token("Ann Smith") == f"<PERSON_{stand_in[:12]}>"


def test_different_people_and_keys_have_different_pseudonyms() -> None:
    names = ("Ann Smith", "Ann Smyth", "AnnSmith", "Smith Ann")
    assert len({pseudonyms.pseudonym(name, SECRET) for name in names}) == len(names)
    assert pseudonyms.pseudonym("Ann", SECRET) != pseudonyms.pseudonym("Ann", OTHER)


def test_what_0_1_0_wrote_is_found() -> None:
    name = "Ann\u200b Smith"
    before = hmac.digest(SECRET, name.strip().casefold().encode(), "sha256").hex()[:16]
    assert before in pseudonyms.pseudonyms_of(name, SECRET)
    listed = unicodedata.normalize("NFKC", name).strip().casefold()
    hash_ = hmac.digest(SECRET, f"author\0{listed}".encode(), "sha256").hex()

    class Raw(NamedTuple):
        id: str
        text: str
        label: str | None
        author: str | None

    guard = SuppressionFilter([("author", hash_)], SECRET, OTHER, ["sport"])
    assert guard.admit(Raw("mine/1", "a text", "sport", name)) is None
    assert guard.admit(Raw("mine/1", "a text", "sport", "Bob")) is not None


def test_an_address_is_found_behind_invisible_and_full_width_characters() -> None:
    assert pseudonyms.emails("write to a\u200bnn\uff20example.org") >= {"ann@example.org"}
    assert pseudonyms.emails("nothing here \u200b") == set()


def tokens(text: str, names: list[str]) -> list[str]:
    """Returns the tokens that stand in place of `names` in a text."""
    findings, start = [], 0
    for name in names:
        start = text.index(name, start)
        findings.append(Finding(start, start + len(name), "PERSON", 1.0))
        start += len(name)
    clean = replace(text, findings, {"PERSON": "pseudonym"}, SECRET).text
    return re.findall(r"<PERSON_\w+>", clean)


def test_one_person_has_one_token_in_a_text() -> None:
    text = (
        "Tony Blair met Ann Lee. Mr Blair left; Blair's car. T. Blair, Tony C. Blair. Blair, Tony"
    )
    names = [
        "Tony Blair",
        "Ann Lee",
        "Mr Blair",
        "Blair's",
        "T. Blair",
        "Tony C. Blair",
        "Blair, Tony",
    ]
    blair, lee, *others = tokens(text, names)
    assert set(others) == {blair}
    assert lee != blair


def test_a_surname_of_two_persons_belongs_to_neither() -> None:
    found = tokens("Tony Blair and Cherie Blair. Blair", ["Tony Blair", "Cherie Blair", "Blair"])
    assert len(set(found)) == 3


def test_the_title_stays_beside_the_token() -> None:
    clean = replace("Ask Mr Lee", [Finding(4, 10, "PERSON", 1.0)], {"PERSON": "pseudonym"}, SECRET)
    assert clean.text.startswith("Ask Mr <PERSON_")


@pytest.mark.parametrize(
    "written",
    ["ann at example dot org", "ann (at) example (dot) org", "ann%40example.org",
     "ann@example . org",
     "a\u200bnn@example.org", "ann&#64;example.org", "ANN [at] example.org"],
)  # fmt: skip
def test_an_address_is_found_in_every_form(written: str) -> None:
    assert "ann@example.org" in pseudonyms.emails(f"please write to {written} today")


def test_a_subject_of_the_release_before_is_still_suppressed() -> None:
    name = "Dr Ann B. Smith"
    before = pseudonyms.keyed(f"author\0{pseudonyms.normal(name)}", SECRET)
    assert before in Subject.of(name, "author").hashes(SECRET)
    assert pseudonyms.keyed_value(name, SECRET)[:16] in pseudonyms.pseudonyms_of(name, SECRET)
