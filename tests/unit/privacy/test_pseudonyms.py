"""scrub/pseudonyms.py: one normal form of a value, for tokens, authors, suppression and erasure."""

from __future__ import annotations

import hmac
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
