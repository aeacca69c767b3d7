"""Findings that touch, overlap or stand in placeholders; tokens of one person; what is counted."""

from __future__ import annotations

import dataclasses
import random
import shutil
from itertools import pairwise
from pathlib import Path

import pytest

from components.core import keys, params, scrub
from components.core.params import edit
from components.core.paths import Paths
from components.core.scrub import Finding, Scrubbed, Scrubber, filters, languages
from components.core.scrub.recognizers import Span
from components.core.scrub.taggers.cnn import Mark

PROJECT = Path(__file__).parents[3] / "params.yaml"
SETTINGS = params.load(PROJECT).ingest.scrub
SECRET = b"a secret"
# A scrubber of few entities is made in a quarter of the time.
FEW = {"entities": {"EMAIL_ADDRESS": "mask", "PERSON": "mask"}}


def test_no_character_of_a_finding_stays_and_none_besides_is_taken() -> None:
    """Random findings: what is merged covers exactly the characters that they cover."""
    chance = random.Random(26)
    text = "x" * 60
    for _ in range(300):
        spans = []
        for _ in range(chance.randrange(6)):
            start = chance.randrange(50)
            end = start + chance.randrange(1, 10)
            spans.append(Span(start, end, chance.choice("ABC"), chance.random()))
        merged = scrub.merge(text, spans)
        assert merged == sorted(merged)
        assert all(a.end <= b.start for a, b in pairwise(merged))
        covered = {i for span in spans for i in range(span.start, span.end)}
        assert {i for span in merged for i in range(span.start, span.end)} == covered
        for span in merged:
            inside = [s for s in spans if span.start <= s.start and s.end <= span.end]
            assert span.score == max(s.score for s in inside)
            assert span.entity in {s.entity for s in inside if s.score == span.score}


@pytest.mark.parametrize(
    ("spans", "entity"),
    [
        # A form with a checksum wins over a surer name, whichever comes first.
        ([Span(0, 4, "PERSON", 0.99), Span(2, 6, "US_SSN", 0.5)], "US_SSN"),
        ([Span(0, 4, "US_SSN", 0.5), Span(2, 6, "PERSON", 0.99)], "US_SSN"),
        # Of equally sure ones the longer, then the later name in the alphabet.
        ([Span(0, 2, "B", 0.5), Span(1, 6, "A", 0.5)], "A"),
        ([Span(0, 4, "A", 0.5), Span(2, 6, "B", 0.5)], "B"),
    ],
)
def test_which_entity_stands_for_findings_that_overlap(spans: list[Span], entity: str) -> None:
    assert [(s.start, s.end, s.entity) for s in scrub.merge("abcdef", spans)] == [(0, 6, entity)]


@pytest.mark.parametrize(
    ("start", "end", "stays"),
    [(0, 2, True), (0, 3, False), (2, 11, False), (4, 6, False), (10, 12, False), (11, 13, True)],
)
def test_text_in_a_placeholder_is_no_finding(start: int, end: int, stays: bool) -> None:
    text = "ab<PERSON>cd"  # the placeholder is [2, 10)
    assert text[2:10] == "<PERSON>"
    shift = -1 if start > 4 else 0
    span = Span(start + shift, end + shift, "X_Y", 0.5)
    expected = [span] if span.end <= 2 or span.start >= 10 else []
    assert bool(expected) is stays
    assert scrub.merge(text, [span]) == expected


@pytest.mark.parametrize(
    "text", ["<PERSON_0123456789ab>", "<EMAIL_ADDRESS>", "<US_SSN>", "<IBAN_CODE_ffffffffffff>"]
)
def test_placeholders_of_an_earlier_scrubbing(text: str) -> None:
    assert scrub.merge(text, [Span(1, 7, "PERSON", 1.0)]) == []


@pytest.mark.parametrize("text", ["<b>Ann</b>", "<PERSON_01>", "<person>", "<PERSON", "<AB>"])
def test_other_marks_are_no_placeholders(text: str) -> None:
    assert scrub.merge(text, [Span(1, 3, "PERSON", 1.0)]) == [Span(1, 3, "PERSON", 1.0)]


# Tokens


def tokens(text: str, names: list[str], policy: str = "pseudonym") -> list[str]:
    """The token of each of `names`, all of which `text` holds in this order."""
    findings, last = [], 0
    for name in names:
        last = text.index(name, last)
        findings.append(Finding(last, last + len(name), "PERSON", 1.0))
    clean = scrub.replace(text, findings, {"PERSON": policy}, SECRET)
    assert clean.counts == {"PERSON": len(names)}
    return [f"<{part}" for part in clean.text.replace(">", "<").split("<") if "PERSON" in part]


def test_a_surname_has_the_token_of_the_only_full_name() -> None:
    found = tokens("Ann Lee met Bob Ray. Lee left, Ray and ann lee stayed.",
                   ["Ann Lee", "Bob Ray", "Lee", "Ray", "ann lee"])  # fmt: skip
    assert found[0] == found[2] == found[4]
    assert found[1] == found[3] != found[0]


def test_a_surname_of_two_people_has_a_token_of_its_own() -> None:
    found = tokens("Ann Lee and Bob Lee. Lee left.", ["Ann Lee", "Bob Lee", "Lee"])
    assert len(set(found)) == 3
    # The same full name twice is one person.
    found = tokens("Ann Lee and Ann Lee. Lee left.", ["Ann Lee", "Ann Lee", "Lee"])
    assert len(set(found)) == 1


def test_an_address_is_no_surname() -> None:
    findings = [Finding(0, 7, "PERSON", 1.0), Finding(8, 11, "EMAIL_ADDRESS", 1.0)]
    policy = {"PERSON": "pseudonym", "EMAIL_ADDRESS": "pseudonym"}
    clean = scrub.replace("Ann Lee Lee", findings, policy, SECRET).text
    person, address = (part.rpartition("_")[2] for part in clean.split())
    assert person != address


def test_without_a_pseudonym_in_the_policy_a_mask_has_no_digits() -> None:
    assert tokens("Ann Lee", ["Ann Lee"], "mask") == ["<PERSON"]
    clean = scrub.replace("Ann", [Finding(0, 3, "PERSON", 1.0)], {"PERSON": "pseudonym"}, None)
    assert clean == Scrubbed("<PERSON>", {"PERSON": 1})


def test_a_dropped_document_counts_all_that_was_found() -> None:
    findings = [Finding(0, 1, "A", 1.0), Finding(1, 2, "B", 1.0), Finding(2, 3, "A", 1.0)]
    done = scrub.replace("abc", findings, {"B": "drop", "A": "mask"}, None)
    assert done == Scrubbed("", {"A": 2, "B": 1}, dropped=True)


# The title before a name, and what may be an address


@pytest.mark.parametrize(
    ("before", "title"),
    [
        ("Ask Mr. ", "Mr. "), ("ask professor  ", "professor  "), ("Mlle ", "Mlle "),
        ("Ask ", ""), ("Ask Mr.", ""), ("Smr. ", ""), ("Mr. the ", ""), ("", ""), ("Dr.   ", ""),
    ],
)  # fmt: skip
def test_a_title_belongs_to_the_name_after_it(before: str, title: str) -> None:
    mark = Mark(len(before), len(before) + 3, "PERSON", 0.9)
    assert scrub._with_title(f"{before}Ann", mark) == len(before) - len(title)
    address = dataclasses.replace(mark, kind="ADDRESS")
    assert scrub._with_title(f"{before}Ann", address) == len(before)


@pytest.mark.parametrize(
    ("text", "kind", "may"),
    [
        ("12 Mill Lane", "ADDRESS", True), ("8001", "ADDRESS", False), ("a 12 b", "ADDRESS", False),
        ("x1 y2", "ADDRESS", False), ("al", "ADDRESS", False),
    ],
)  # fmt: skip
def test_single_letters_and_digits_are_no_address(text: str, kind: str, may: bool) -> None:
    # Words beside it do not count.
    mark = Mark(5, 5 + len(text), kind, 0.9)
    assert bool(filters.believable(f"Road {text} Road", [mark], [])) is may


# Languages without a tagger

SWEDISH = "Kommunens styrelse beslutade i går att Jan Lindqvist ska vara ordförande även nästa år."


@pytest.mark.parametrize("policy", ["quarantine", "rules_only", "mask_all"])
def test_names_in_a_language_without_a_tagger(policy: str) -> None:
    settings = SETTINGS.model_copy(update={**FEW, "unknown_language": policy})
    text = f"{SWEDISH} Skriv till jan@example.org."
    english = "My name is Ann Miller."
    clean, other = Scrubber(settings).scrub_many([text, english])
    assert (other.unsearched, other.text) == ("", "My name is <PERSON>.")
    assert clean.counts.get("EMAIL_ADDRESS") == 1
    if policy == "mask_all":
        assert clean.unsearched == ""
        return
    assert clean.unsearched == "sv"
    assert clean.text == ("" if policy == "quarantine" else
                          f"{SWEDISH} Skriv till <EMAIL_ADDRESS>.")  # fmt: skip
    assert not clean.dropped


def test_a_text_of_no_known_language_is_searched() -> None:
    settings = SETTINGS.model_copy(update={**FEW, "unknown_language": "quarantine"})
    scrubber = Scrubber(settings)
    assert scrubber._tagger_of("12 ; 34") == "en"
    assert languages.UNKNOWN != "en"
    assert scrubber.scrub("12 ; 34") == Scrubbed("12 ; 34", {})


def test_notes_about_languages() -> None:
    assert scrub.unsearched_note({}) == ""
    assert "de (2), fr (2), nl (1)" in scrub.unsearched_note({"nl": 1, "fr": 2, "de": 2})
    assert scrub.counts_of(Scrubbed("", {"A": 1})) == {"A": 1}


# Settings


def test_findings_below_the_least_score_are_left() -> None:
    settings = SETTINGS.model_copy(update={"entities": {"EMAIL_ADDRESS": "mask"}})
    text = "Write to a@example.org."
    (finding,) = Scrubber(settings).find(text)
    for least, findings in ((finding.score, [finding]), (finding.score + 1e-6, [])):
        assert Scrubber(settings.model_copy(update={"min_score": least})).find(text) == findings


def test_without_persons_no_tagger_is_asked() -> None:
    entities = {"EMAIL_ADDRESS": "mask"}
    scrubber = Scrubber(SETTINGS.model_copy(update={"entities": entities}))
    text = f"{SWEDISH} a@example.org, 12 Mill Lane, Mr. Ann Miller, 4111 1111 1111 1111"
    clean = scrubber.scrub(text)
    assert clean == Scrubbed(text.replace("a@example.org", "<EMAIL_ADDRESS>"), {"EMAIL_ADDRESS": 1})
    nothing = Scrubber(SETTINGS.model_copy(update={"entities": {}}))
    assert nothing.scrub(text) == Scrubbed(text, {})


@pytest.mark.parametrize(
    "change", [{"tagger_threshold": 0.123}, {"unknown_language": "mask_all"}, {"min_score": 0.123}]
)
def test_each_setting_changes_the_policy(change: dict[str, object]) -> None:
    other = SETTINGS.model_copy(update=change)
    assert other != SETTINGS
    assert scrub.policy_hash(other) != scrub.policy_hash(SETTINGS)


def test_the_project_s_settings_and_key_make_its_scrubber(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEWSLOOP_HOME", str(tmp_path / "home"))
    file = Path(shutil.copy(PROJECT, tmp_path))
    edit.set_values(file, {"ingest.scrub.entities": {"EMAIL_ADDRESS": "mask"}})
    assert Scrubber.from_params(file).scrub("to a@example.org").text == "to <EMAIL_ADDRESS>"
    assert not (tmp_path / "home").exists()  # a policy of masks needs no key, so none is made
    edit.set_values(file, {"ingest.scrub.entities": {"EMAIL_ADDRESS": "pseudonym"}})
    clean = Scrubber.from_params(file).scrub("to a@example.org").text
    key = keys.pseudonym_key(Paths(tmp_path, tmp_path / "home").keys)
    assert clean == Scrubber(params.load(file).ingest.scrub, key).scrub("to a@example.org").text
    assert clean.startswith("to <EMAIL_ADDRESS_")
