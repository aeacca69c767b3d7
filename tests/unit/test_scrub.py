"""The scrubber finds what it must, and lets nothing pass if it fails."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from components.core import params, scrub
from components.core.errors import ScrubError
from components.core.scrub import Finding, Scrubbed, Scrubber
from components.core.scrub_cache import ScrubCache

PROJECT = Path(__file__).parents[2] / "params.yaml"
SETTINGS = params.load(PROJECT).ingest.scrub


@pytest.fixture(scope="module")
def scrubber() -> Scrubber:
    return Scrubber.from_params(PROJECT)


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("Write to john.smith@example.com now", "Write to <EMAIL_ADDRESS> now"),
        ("Call +44 20 7946 0958 today", "Call <PHONE_NUMBER> today"),
        ("Paid with 4111 1111 1111 1111 there", "Paid with <CREDIT_CARD> there"),
        ("IBAN GB33BUKB20201555555555 was used", "IBAN <IBAN_CODE> was used"),
        ("It came from 192.0.2.17 yesterday", "It came from <IP_ADDRESS> yesterday"),
        ("Her name is Angela Merkel, he said", "Her name is <PERSON>, he said"),
        ("The bank raised rates in London in March", "The bank raised rates in London in March"),
        ("", ""),
    ],
)
def test_what_is_masked(scrubber: Scrubber, text: str, clean: str) -> None:
    assert scrubber.scrub(text).text == clean


def test_findings_are_places_in_the_text(scrubber: Scrubber) -> None:
    text = "Ask Angela Merkel at angela@example.org"
    found = scrubber.find(text)
    assert [(f.entity, text[f.start : f.end]) for f in found] == [
        ("PERSON", "Angela Merkel"),
        ("EMAIL_ADDRESS", "angela@example.org"),
    ]
    assert scrubber.find_many([text, text]) == [found, found]


def test_masks_stand_where_the_findings_were() -> None:
    found = [Finding(6, 9, "B", 0.5), Finding(0, 2, "A", 0.9), Finding(9, 11, "A", 0.4)]
    assert scrub.mask("xx and zzzyy", found) == Scrubbed("<A> and<B><A>y", {"A": 2, "B": 1})


def test_an_entity_that_no_recognizer_knows_is_said() -> None:
    with pytest.raises(ScrubError, match="no recognizer for \\['SHOE_SIZE'\\]"):
        Scrubber(SETTINGS.model_copy(update={"entities": ["PERSON", "SHOE_SIZE"]}))


def test_a_model_that_is_not_there_is_said() -> None:
    with pytest.raises(ScrubError, match="no_such_model"):
        Scrubber(SETTINGS.model_copy(update={"spacy_model": "no_such_model"}))


def test_the_policy_changes_with_the_settings() -> None:
    other = SETTINGS.model_copy(update={"min_score": 0.9})
    assert scrub.policy_hash(SETTINGS) == scrub.policy_hash(SETTINGS)
    assert scrub.policy_hash(SETTINGS) != scrub.policy_hash(other)


def test_the_cache_remembers_under_the_same_policy_and_key_only(tmp_path: Path) -> None:
    path = tmp_path / "cache.sqlite"
    done = Scrubbed("Ask <PERSON>", {"PERSON": 1})
    cache = ScrubCache(path, "policy", b"key")
    cache.put([("Ask Ann", done)])
    assert cache.get("Ask Ann") == done
    assert cache.get("Ask Bob") is None
    cache.close()
    assert ScrubCache(path, "policy", b"key").get("Ask Ann") == done
    assert ScrubCache(path, "other", b"key").get("Ask Ann") is None
    assert ScrubCache(path, "policy", b"other").get("Ask Ann") is None
    for file in tmp_path.iterdir():
        assert b"Ann" not in file.read_bytes()


def test_a_cache_that_cannot_be_used_is_said(tmp_path: Path) -> None:
    (tmp_path / "cache.sqlite").write_bytes(b"this is no database" * 100)
    with pytest.raises(ScrubError, match="delete that file"):
        ScrubCache(tmp_path / "cache.sqlite", "policy", b"key")
    shutil.rmtree(tmp_path)
