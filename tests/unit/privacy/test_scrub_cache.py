"""The cache of scrubbed texts: asked by the batch, and holding as little as it can."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from components.core.scrub import Scrubbed
from components.core.scrub.cache import ScrubCache

MASKED = Scrubbed("Ask <PERSON>", {"PERSON": 1})


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[ScrubCache]:
    with ScrubCache(tmp_path / "cache.sqlite", "policy", b"key") as opened:
        yield opened


@pytest.mark.parametrize(
    ("raw", "scrubbed"),
    [
        ("Ask Ann", MASKED),
        ("nothing here", Scrubbed("nothing here", {})),
        ("the same text, yet counted", Scrubbed("the same text, yet counted", {"ODD": 1})),
        ("SSN 123-45-6789", Scrubbed("", {"US_SSN": 1}, dropped=True)),
        ("half a character \ud800", Scrubbed("half a character", {})),
        ("", Scrubbed("", {})),
    ],
)
def test_what_was_put_comes_back(cache: ScrubCache, raw: str, scrubbed: Scrubbed) -> None:
    cache.put([(raw, scrubbed)])
    assert cache.get(raw) == scrubbed


def test_many_are_asked_in_one_query_and_come_in_order(cache: ScrubCache) -> None:
    queries: list[str] = []
    cache._database.set_trace_callback(queries.append)
    cache.put([("Ask Ann", MASKED), ("plain", Scrubbed("plain", {}))])
    queries.clear()
    asked = ["unknown", "plain", "Ask Ann", "plain"]
    plain = Scrubbed("plain", {})
    assert cache.get_many(asked) == [None, plain, MASKED, plain]
    assert len(queries) == 1
    assert cache.get_many([]) == []


def test_more_keys_than_one_query_takes(cache: ScrubCache) -> None:
    texts = [f"text {i}" for i in range(40_000)]
    cache.put((text, Scrubbed(text, {})) for text in texts[::2])
    found = cache.get_many(texts)
    assert [scrubbed is not None for scrubbed in found] == [True, False] * 20_000


def test_what_the_scrubber_gave_is_known_as_scrubbed(cache: ScrubCache) -> None:
    cache.put([("Ask Ann", MASKED)])
    assert cache.get(MASKED.text) == Scrubbed(MASKED.text, {})


def test_of_a_text_without_findings_only_its_hash_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "cache.sqlite"
    with ScrubCache(path, "policy", b"key") as cache:
        cache.put([("a text without findings", Scrubbed("a text without findings", {}))])
        cache.put([("Ask Ann", MASKED)])
    content = path.read_bytes()
    assert b"without findings" not in content and b"Ann" not in content
    assert b"Ask <PERSON>" in content


def test_a_file_of_an_earlier_release_is_used_and_its_texts_go(tmp_path: Path) -> None:
    path = tmp_path / "cache.sqlite"
    old = sqlite3.connect(path)
    old.execute("CREATE TABLE scrubbed (key BLOB PRIMARY KEY, text TEXT, counts TEXT)")
    old.commit()
    old.close()
    with ScrubCache(path, "policy", b"key") as cache:
        assert cache.get("Ask Ann") is None
        tables = cache._database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        assert tables.fetchall() == [("texts",)]
