"""The scrubber finds what it must, obeys the policy, and lets nothing pass if it fails."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from components.core import params, scrub
from components.core.errors import ScrubError
from components.core.scrub import Finding, Scrubbed, Scrubber
from components.core.scrub.cache import ScrubCache
from components.core.scrub.recognizers import Span

PROJECT = Path(__file__).parents[3] / "params.yaml"
SETTINGS = params.load(PROJECT).ingest.scrub
KEY = b"a key of thirty-two bytes or so."


def with_policy(**entities: str) -> params.Scrub:
    return SETTINGS.model_copy(update={"entities": {**SETTINGS.entities, **entities}})


@pytest.fixture(scope="module")
def scrubber() -> Scrubber:
    return Scrubber(SETTINGS)


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("Write to john.smith@example.com now", "Write to <EMAIL_ADDRESS> now"),
        ("Call +44 20 7946 0958 today", "Call <PHONE_NUMBER> today"),
        ("Paid with 4111 1111 1111 1111 there", "Paid with <CREDIT_CARD> there"),
        ("pay to IBAN GB33BUKB20201555555555 today", "pay to IBAN <IBAN_CODE> today"),
        ("It came from 192.0.2.17 yesterday", "It came from <IP_ADDRESS> yesterday"),
        ("Her name is Angela Merkel, he said", "Her name is <PERSON>, he said"),
        ("Yesterday Mr. Thompson said so", "Yesterday <PERSON> said so"),
        ("my name is john smith", "my name is <PERSON>"),
        ("She lives at 12 Baker Street.", "She lives at <STREET_ADDRESS>."),
        ("The bank raised rates in London in March", "The bank raised rates in London in March"),
        ("", ""),
    ],
)
def test_what_is_masked(scrubber: Scrubber, text: str, clean: str) -> None:
    assert scrubber.scrub(text).text == clean


def test_a_name_that_is_sure_once_is_found_again(scrubber: Scrubber) -> None:
    clean = scrubber.scrub("Tony Blair met Gordon Brown. Later Blair left and Brown stayed.").text
    assert clean == "<PERSON> met <PERSON>. Later <PERSON> left and <PERSON> stayed."


def test_findings_are_places_in_the_text(scrubber: Scrubber) -> None:
    text = "Ask Angela Merkel at angela@example.org"
    found = scrubber.find(text)
    assert [(f.entity, text[f.start : f.end]) for f in found] == [
        ("PERSON", "Angela Merkel"),
        ("EMAIL_ADDRESS", "angela@example.org"),
    ]
    assert scrubber.find_many([text, text]) == [found, found]


def test_texts_of_a_batch_do_not_see_each_other(scrubber: Scrubber) -> None:
    texts = ["My name is", "April showers", "Angela Merkel said", ""]
    assert scrubber.find_many(texts) == [scrubber.find(text) for text in texts]


@pytest.mark.parametrize(
    "text",
    [
        "jоhn.smith@exаmple.com",  # Cyrillic letters
        "john\u200b.smith@\u200bexam\u00adple.com",
        "ｊｏｈｎ．ｓｍｉｔｈ＠ｅｘａｍｐｌｅ．ｃｏｍ",
        "john.smith (at) example (dot) com",
        "john.smith [at] example.com",
        "john.smith at example dot com",
        "𝐣𝐨𝐡𝐧.𝐬𝐦𝐢𝐭𝐡@𝐞𝐱𝐚𝐦𝐩𝐥𝐞.𝐜𝐨𝐦",
        "４１１１ １１１１ １１１１ １１１１",
        "4111\u00a01111\u20101111\u20111111",
        "٤١١١ ١١١١ ١١١١ ١١١١",
        "4\u200d1\u200d1\u200d1 1111 1111 1111",
    ],
)
def test_what_hides_in_unicode_is_found(scrubber: Scrubber, text: str) -> None:
    clean = scrubber.scrub(f"Use {text} for that").text
    assert clean in ("Use <EMAIL_ADDRESS> for that", "Use <CREDIT_CARD> for that")


def test_a_name_ends_with_its_sentence(scrubber: Scrubber) -> None:
    clean = scrubber.scrub("I met Angela Merkel. Merkel spoke to J. R. Tolkien.").text
    assert clean == "I met <PERSON>. <PERSON> spoke to <PERSON>."


def test_scores_do_not_depend_on_the_company(scrubber: Scrubber) -> None:
    """Equal inputs must give equal bytes, however documents are cut into batches."""
    from components.tagger import corpus, templates

    texts = [text for text, _ in corpus.sentences(300, templates.TEMPLATES, seed=9)]
    together = scrubber.find_many(texts)
    assert together == [found for text in texts for found in scrubber.find_many([text])]


def test_scrubbing_twice_changes_nothing(scrubber: Scrubber) -> None:
    once = scrubber.scrub("Angela Merkel, 12 Baker Street, +44 20 7946 0958, a@example.com")
    assert scrubber.scrub(once.text) == Scrubbed(once.text, {})


def test_masks_stand_where_the_findings_were() -> None:
    found = [Finding(6, 9, "B", 0.5), Finding(0, 2, "A", 0.9), Finding(9, 11, "A", 0.4)]
    done = scrub.replace("xx and zzzyy", found, {}, None)
    assert done == Scrubbed("<A> and<B><A>y", {"A": 2, "B": 1})


@pytest.mark.parametrize(
    ("spans", "merged"),
    [
        ([], []),
        (
            [Span(0, 4, "A", 0.5), Span(5, 9, "B", 0.5)],
            [Span(0, 4, "A", 0.5), Span(5, 9, "B", 0.5)],
        ),
        # Nothing of the loser stays visible.
        ([Span(0, 4, "A", 0.5), Span(2, 9, "B", 0.9)], [Span(0, 9, "B", 0.9)]),
        ([Span(0, 9, "A", 0.9), Span(2, 4, "B", 0.9)], [Span(0, 9, "A", 0.9)]),
        (
            [Span(0, 3, "A", 0.5), Span(2, 6, "B", 0.6), Span(5, 9, "C", 0.7)],
            [Span(0, 9, "C", 0.7)],
        ),
        # The surest ends first: the tail of the other one is hidden, too.
        ([Span(0, 5, "A", 0.9), Span(3, 9, "B", 0.5)], [Span(0, 9, "A", 0.9)]),
    ],
)
def test_overlapping_findings_become_one(spans: list[Span], merged: list[Span]) -> None:
    assert scrub.merge("abcdefghi", spans) == merged


def test_a_pseudonym_is_the_same_for_the_same_person_only() -> None:
    scrubber = Scrubber(with_policy(PERSON="pseudonym", EMAIL_ADDRESS="pseudonym"), KEY)
    first = scrubber.scrub("My name is Angela Merkel. Merkel spoke to Tony Blair.").text
    words = first.replace(".", "").split()
    assert words[3] == words[4] != words[7]
    assert words[3].startswith("<PERSON_")
    one, other = (scrubber.scrub(f"to {a} now").text for a in ("a@example.com", "A@EXAMPLE.com"))
    assert one == other


def test_another_key_unlinks_pseudonyms() -> None:
    texts = [
        Scrubber(with_policy(EMAIL_ADDRESS="pseudonym"), key).scrub("a@example.com").text
        for key in (KEY, KEY, KEY[::-1])
    ]
    assert texts[0] == texts[1] != texts[2]


def test_pseudonyms_need_a_key() -> None:
    with pytest.raises(ScrubError, match="key of the pseudonyms"):
        Scrubber(with_policy(PERSON="pseudonym"))


def test_what_the_policy_keeps_stays() -> None:
    assert (
        Scrubber(with_policy(PERSON="keep")).scrub("Ask Angela Merkel").text == "Ask Angela Merkel"
    )


def test_a_document_that_the_policy_drops_leaves_nothing() -> None:
    done = Scrubber(with_policy(US_SSN="drop")).scrub("Angela Merkel, SSN 123-45-6789")
    assert done == Scrubbed("", {"PERSON": 1, "US_SSN": 1}, dropped=True)


def test_presidios_recognizers_join_by_name() -> None:
    scrubber = Scrubber(with_policy(ES_NIF="mask"))
    assert scrubber.scrub("We saw 54362315K there").text == "We saw <ES_NIF> there"


def test_an_entity_that_no_recognizer_knows_is_said() -> None:
    with pytest.raises(ScrubError, match="no recognizer for \\['SHOE_SIZE'\\]"):
        Scrubber(with_policy(SHOE_SIZE="mask"))


def test_if_anything_raises_nothing_passes_and_nothing_is_told() -> None:
    class Broken:
        def search(self, text: str) -> list[Span]:
            raise ValueError(f"cannot search {text}")

    scrubber = Scrubber(SETTINGS)
    scrubber._rules = Broken()  # type: ignore[assignment]
    with pytest.raises(ScrubError) as caught:
        scrubber.scrub_many(["fine", "secret text"])
    assert "secret" not in str(caught.value)
    assert caught.value.__suppress_context__


def test_the_policy_changes_with_the_settings() -> None:
    other = SETTINGS.model_copy(update={"min_score": 0.9})
    assert scrub.policy_hash(SETTINGS) == scrub.policy_hash(SETTINGS)
    assert scrub.policy_hash(SETTINGS) != scrub.policy_hash(other)
    assert scrub.policy_hash(SETTINGS) != scrub.policy_hash(with_policy(PERSON="keep"))


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
