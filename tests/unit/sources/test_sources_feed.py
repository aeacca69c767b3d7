"""Feeds from saved files: entries as plain text, once each, and nothing of the feed is run."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from components.core.errors import SourceError
from components.core.params import Limits, Source
from components.core.paths import Paths
from components.core.scrub import Scrubbed
from components.sources import RawDocument, SourceReader, open_source
from components.sources.feed import store as feed_store
from components.sources.feed.entries import FeedEntry, entries, html_text

PROJECT = Path(__file__).parents[3] / "params.yaml"
NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)


def rss(*items: str) -> bytes:
    body = "".join(f"<item>{item}</item>" for item in items)
    return f'<rss version="2.0"><channel><title>c</title>{body}</channel></rss>'.encode()


def atom(*items: str) -> bytes:
    body = "".join(f"<entry>{item}</entry>" for item in items)
    return f'<feed xmlns="http://www.w3.org/2005/Atom"><title>c</title>{body}</feed>'.encode()


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    shutil.copy(PROJECT, tmp_path / "params.yaml")
    return Paths(tmp_path, tmp_path / ".newsloop")


def reader(paths: Paths, **settings: Any) -> SourceReader:
    return open_source(
        Source.model_validate({"name": "s", "kind": "feed", "path": "feeds", **settings}), paths
    )


def saved(paths: Paths, **feeds: bytes) -> None:
    (paths.root / "feeds").mkdir(exist_ok=True)
    for name, content in feeds.items():
        (paths.root / "feeds" / f"{name}.xml").write_bytes(content)


def read(paths: Paths, **settings: Any) -> list[RawDocument]:
    opened = reader(paths, **settings)
    return list(opened.read(opened.pin()))


ONE = "<guid>1</guid><title>One</title><category>tech</category>"


def test_rss_and_atom_give_title_body_category_time_and_author(paths: Paths) -> None:
    saved(
        paths,
        a=rss(
            "<guid>1</guid><title>Tea &amp;amp; &lt;i&gt;milk&lt;/i&gt;</title>"
            "<description>&lt;p&gt;Hot.&lt;/p&gt;&lt;script&gt;x()&lt;/script&gt;</description>"
            "<category>UK</category><category>tech</category>"
            "<pubDate>Wed, 01 May 2024 14:00:00 +0200</pubDate><author>Ann</author>"
        ),
        b=atom(
            '<id>2</id><title type="text">a &lt; b</title><summary>short</summary>'
            '<content type="html">&lt;p&gt;long&lt;/p&gt;</content><category term="sports"/>'
            "<updated>2024-05-01T08:00:00-04:00</updated>"
        ),
    )
    first, second = read(paths)
    assert (first.text, first.label, first.time, first.author) == (
        "Tea & milk\n\nHot.", "tech", NOON, "Ann",
    )  # fmt: skip
    assert (second.text, second.label, second.time) == ("a < b\n\nlong", "sports", NOON)


def test_three_time_zones_and_none_are_one_order(paths: Paths) -> None:
    """Summer time in London and New York; a time without a zone is UTC."""
    stamps = ("Wed, 01 May 2024 12:00:00 GMT", "Wed, 01 May 2024 13:00:00 +0100",
              "Wed, 01 May 2024 08:00:00 EDT", "2024-05-01T12:00:00", "no time")  # fmt: skip
    saved(
        paths, a=rss(*(f"<guid>{s}</guid><title>t</title><pubDate>{s}</pubDate>" for s in stamps))
    )
    assert [d.time for d in read(paths)] == [NOON] * 4 + [None]


@pytest.mark.parametrize(
    ("settings", "label"),
    [
        ({}, "tech"),
        ({"label_names": {"Web": "business"}}, "business"),
        ({"label_names": {"nothing": "business"}}, "tech"),
        ({"fixed_label": "politics"}, "politics"),
    ],
)
def test_labels_come_from_known_categories_or_settings(
    paths: Paths, settings: dict[str, Any], label: str
) -> None:
    tags = "".join(f"<category>{tag}</category>" for tag in ("World", "Web", "tech"))
    saved(paths, a=rss(f"<guid>1</guid><title>t</title>{tags}"))
    assert read(paths, **settings)[0].label == label
    saved(paths, a=rss("<guid>1</guid><title>t</title><category>World</category>"))
    assert read(paths)[0].label == "World"  # unknown: validation says so


def test_an_entry_that_was_saved_twice_comes_once(paths: Paths) -> None:
    two = ONE.replace("1", "2").replace("One", "Two")
    saved(paths, monday=rss(ONE, two), tuesday=rss(two.replace("Two", "Two again"), ONE, ONE))
    assert [d.text for d in read(paths)] == ["One", "Two"]
    assert [d.text for d in read(paths, path="feeds/tuesday.xml")] == ["Two again", "One"]


def test_a_bad_entry_is_marked(paths: Paths) -> None:
    long = f"<guid>3</guid><title>{'long ' * 300_000}</title>"
    saved(paths, a=rss("<guid>2</guid>", ONE, long, "<guid>4</guid><title>&#xD800;x</title>"))
    limits = Limits(document_mib=1, unpacked_mib=9, unpacked_ratio=1, answer_mib=9,
                    answer_seconds=1.0, pages=1, timeout_seconds=1.0, attempts=1,
                    longest_wait_seconds=1.0)  # fmt: skip
    empty, good, too_long, half = read(paths, limits=limits)
    assert empty.fault == "the text is empty" and good.fault is None and half.fault is None
    assert "longer than 1,048,576 bytes" in str(too_long.fault) and too_long.text == ""
    with pytest.raises(SourceError, match="a feed of at most 1 MiB"):
        read(paths, limits=limits.model_copy(update={"answer_mib": 1}))


LAUGHS = "".join(f'<!ENTITY l{i} "{f"&l{i - 1};" * 10}">' for i in range(1, 12))


@pytest.mark.parametrize(
    "doctype",
    [
        '<!DOCTYPE rss [<!ENTITY x SYSTEM "file://{secret}">]>',
        '<!DOCTYPE rss SYSTEM "file://{secret}">',
        '<!DOCTYPE rss [<!ENTITY % d SYSTEM "file://{secret}"> %d; <!ENTITY x "y">]>',
        '<!DOCTYPE rss [<!ENTITY l0 "lol">' + LAUGHS + '<!ENTITY x "&l11;">]>',
    ],
)
def test_what_a_feed_refers_to_is_not_fetched_nor_blown_up(tmp_path: Path, doctype: str) -> None:
    (tmp_path / "secret").write_text("SECRET")
    head = doctype.replace("{secret}", str(tmp_path / "secret")).encode()
    found = list(entries(head + rss("<guid>1</guid><title>t &x; &l11;</title>")))
    assert len(found) == 1 and len(found[0].text) < 1000 and "SECRET" not in found[0].text


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("plain", "plain"),
        ("a &lt;b&gt; &amp;amp; &#39;c&#39;", "a <b> &amp; 'c'"),
        ("<p>one</p><p>two<br>three", "one\ntwo\nthree"),
        ("wo<b>r</b>d <a href='javascript:x()'>link</a>", "word link"),
        ("a<script>if (1 < 2) { '</p>' }</script>b<style>p{}</style>c", "a\nb\nc"),
        ("<!-- no --><![CDATA[no]]>yes<?php no ?>", "yes"),
        ("a\n  b<td>c</td><td>d</td>", "a b\nc\nd"),
        ("<svg><text>no</text></svg>yes</div></p>", "yes"),
        ("a < b", "a < b"),
    ],
)
def test_html_becomes_what_a_person_would_read(html: str, text: str) -> None:
    assert html_text(html) == text


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"<html><body>Not found</body></html>", "no RSS and no Atom"),
        (b"", "no RSS and no Atom"),
        (b"\x00\x01\x02", "no RSS and no Atom"),
        (rss(ONE)[:60], "cut short"),
        (rss(ONE, ONE)[:-30], "cut short"),
        (b"<?xml version='1.0'?><a><b></a>", "no RSS"),
    ],
)
def test_what_is_no_feed_is_an_error(paths: Paths, content: bytes, words: str) -> None:
    saved(paths, a=content)
    with pytest.raises(SourceError, match=words):
        read(paths)


def test_faults_in_the_middle_do_not_lose_the_rest(paths: Paths) -> None:
    two = ONE.replace("1", "2").replace("One", "Two & more &nbsp;")
    saved(paths, a=rss(two, ONE))
    assert [(d.text, d.fault) for d in read(paths)] == [("Two & more", None), ("One", None)]


def test_an_empty_feed_is_one(paths: Paths) -> None:
    saved(paths, a=rss())
    assert read(paths) == []


@pytest.mark.parametrize("path", ["nothing", "empty"])
def test_no_saved_feed_is_an_error(paths: Paths, path: str) -> None:
    (paths.root / "empty").mkdir()
    with pytest.raises(SourceError, match="a feed, or a folder of feeds"):
        read(paths, path=path)


def test_saved_feeds_that_changed_are_refused(paths: Paths) -> None:
    saved(paths, a=rss(ONE))
    opened = reader(paths)
    pin = opened.pin()
    saved(paths, b=rss())
    with pytest.raises(SourceError, match=r"pinned.*newsloop run"):
        list(opened.read(pin))


def test_an_erased_entry_is_gone_and_not_new_again(tmp_path: Path) -> None:
    path = tmp_path / "feeds.sqlite"
    store = feed_store.SeenEntries(path, "s")
    told = [FeedEntry(name, f"text of {name}", (), NOON, None) for name in ("anns-story", "other")]
    store.add([(entry, Scrubbed(entry.text, {})) for entry in told], "http://h/", None, None)
    assert feed_store.forget(path, {"text of anns-story", "never seen"}) == 1
    assert [entry.id for _, entry in store.read()] == ["other"]
    assert store.unknown(told) == []
    assert b"anns-story" not in path.read_bytes()
    assert feed_store.forget(path, {"text of anns-story"}) == 0
