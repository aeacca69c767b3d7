"""HTTP APIs and feeds against a real server on the loopback."""

from __future__ import annotations

import email.utils
import gzip
import logging
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from components.core.errors import ScrubError, SourceError
from components.core.params import ENTITIES, Limits, Source, edit
from components.core.paths import Paths
from components.core.scrub import Scrubbed
from components.sources import RawDocument, SourceReader, open_source
from components.sources.feed import FeedReader
from components.sources.http import getter
from tests.web import Asked, Reply, Web, serving

LIMITS: dict[str, Any] = {
    "document_mib": 1, "unpacked_mib": 4, "unpacked_ratio": 20, "answer_mib": 1,
    "answer_seconds": 60.0, "pages": 5, "timeout_seconds": 30.0, "attempts": 3,
    "longest_wait_seconds": 0.02,
}  # fmt: skip
SECRET = "hunter2"
GZIP_BOMB = gzip.compress(bytes(2**26))


@pytest.fixture
def web() -> Iterator[Web]:
    with serving() as opened:
        yield opened


@pytest.fixture
def paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Paths:
    monkeypatch.setenv("NEWS_TOKEN", f"Bearer {SECRET}")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return Paths(tmp_path, tmp_path / ".newsloop")


def source(web: Web, **settings: Any) -> Source:
    limits = Limits.model_validate(LIMITS | settings.pop("limits", {}))
    url = settings.pop("url", "/news?key=hunter2")
    return Source.model_validate(
        {"name": "s", "kind": "http_json", "limits": limits, "url": web.url + url, **settings}
    )


def reader(paths: Paths, web: Web, **settings: Any) -> SourceReader:
    return open_source(source(web, **settings), paths)


def texts(opened: SourceReader) -> list[str]:
    return [found.text for found in opened.read(opened.pin())]


def item(i: int, **more: Any) -> dict[str, Any]:
    return {"id": i, "text": f"text {i}", "label": "a", **more}


def paged(pages: list[list[Any]], by: str) -> Callable[[Asked], Reply]:
    """An API that answers `pages` the way `by` says."""

    def answer(asked: Asked) -> Reply:
        number = int(asked.query.get("page", asked.query.get("after", "1")))
        items = pages[number - 1] if number <= len(pages) else []
        more = number < len(pages)
        body: dict[str, Any] = {"data": {"items": items}}
        headers = {}
        if by == "link":
            body["links"] = {"next": f"news?page={number + 1}" if more else None}
        elif by == "cursor":
            body["meta"] = {"next": number + 1 if more else None}
        elif by == "header" and more:
            headers["Link"] = f'<news?page={number + 1}>; rel="next"'
        return 200, headers, body

    return answer


WAYS: dict[str, dict[str, Any]] = {
    "link": {"by": "link", "path": "links.next"},
    "header": {"by": "link"},
    "cursor": {"by": "cursor", "path": "meta.next", "parameter": "after"},
    "number": {"by": "number", "parameter": "page"},
}


@pytest.mark.parametrize("by", WAYS)
def test_all_pages_come_in_order(paths: Paths, web: Web, by: str) -> None:
    web.answer = paged([[item(1), item(2)], [item(3)], [item(4)]], by)
    opened = reader(paths, web, pages=WAYS[by], items="data.items")
    pin = opened.pin()
    assert set(pin) == {"name", "kind", "documents", "fingerprint"} and pin["documents"] == 4
    assert [(d.id, d.text) for d in opened.read(pin)] == [
        (f"s/{i}", f"text {i}") for i in (1, 2, 3, 4)
    ]
    if by in ("cursor", "number"):
        assert all(asked.query["key"] == SECRET for asked in web.asked)


def test_fields_lie_at_dotted_paths_and_times_come_in_utc(paths: Paths, web: Web) -> None:
    web.answer = lambda _: (200, {}, [
        {"a": {"body": "t", "tags": [{"name": "tech"}], "when": "2024-05-01T14:00:00+02:00"},
         "no": 7, "by": {"name": "Ann"}}])  # fmt: skip
    opened = reader(paths, web, text="a.body", label="a.tags.0.name", time="a.when", id="no",
                    author="by.name")  # fmt: skip
    noon = datetime(2024, 5, 1, 12, tzinfo=UTC)
    assert list(opened.read(opened.pin())) == [RawDocument("s/7", "t", "tech", noon, "Ann")]


def test_bad_items_are_marked_and_the_rest_go_on(paths: Paths, web: Web) -> None:
    bad: list[Any] = ["SECRET", {"id": 5, "label": "a"}, item(6, text=["SECRET"]), None]
    web.answer = lambda _: (200, {}, [item(1), *bad, item(2)])
    opened = reader(paths, web)
    found = list(opened.read(opened.pin()))
    assert [d.id for d in found] == ["s/1", "s/2", "s/5", "s/6", "s/5", "s/2"]
    assert [bool(d.fault) for d in found] == [False, True, True, True, True, False]
    assert "SECRET" not in repr(found)


@pytest.mark.parametrize(
    ("now", "same"),
    [
        ([[item(9, at=30), item(1, at=20)], [item(2, at=10)]], True),
        ([[item(9, at=30), item(8, at=21)], [item(1, at=20), item(2, at=10)]], True),
        ([[item(9, at=30), item(1, at=20)], [item(1, at=20), item(2, at=10)]], True),
        ([[item(1, at=20)]], False),
        ([[item(1, at=20), item(3, at=20), item(2, at=10)]], False),
        ([[item(1, at=20), item(2, at=10, text="SECRET")]], False),
    ],
    ids=["new first", "new page", "moved to the next page", "gone", "below", "changed"],
)
def test_what_came_since_the_pin(paths: Paths, web: Web, now: list[list[Any]], same: bool) -> None:
    opened = reader(paths, web, pages=WAYS["number"], items="data.items", watermark="at")
    web.answer = paged([[item(1, at=20), item(2, at=10)]], "number")
    pin = opened.pin()
    assert pin["watermark"] == 20
    web.answer = paged(now, "number")
    if same:
        assert [d.text for d in opened.read(pin)] == ["text 1", "text 2"]
    else:
        with pytest.raises(SourceError, match=r"pinned.*newsloop run") as caught:
            list(opened.read(pin))
        assert "SECRET" not in str(caught.value)


def test_items_without_ids_keep_their_names_when_newer_ones_come_first(
    paths: Paths, web: Web
) -> None:
    def no_id(text: str, hour: str) -> dict[str, str]:
        return {"text": text, "label": "a", "at": f"2024-05-01T{hour}"}

    old = [no_id("b", "14:00:00+02:00"), no_id("a", "11:00:00Z")]
    opened = reader(paths, web, watermark="at")
    web.answer = lambda _: (200, {}, old)
    pin = opened.pin()
    assert pin["watermark"] == "2024-05-01T12:00:00+00:00"
    web.answer = lambda _: (200, {}, [no_id("c", "08:00:01-04:00"), *old])
    assert [(d.id, d.text) for d in opened.read(pin)] == [("s/1", "b"), ("s/2", "a")]


def test_items_without_a_watermark_are_counted_in_the_pin(paths: Paths, web: Web) -> None:
    odd: list[Any] = [item(7), item(8, at=None), item(9, at=True), item(6, at=1.5), "no object"]
    opened = reader(paths, web, watermark="at")
    web.answer = lambda _: (200, {}, [item(1, at=10), *odd])
    pin = opened.pin()
    assert (pin["documents"], pin["skipped"]) == (1, 5)
    web.answer = lambda _: (200, {}, [*odd[:2], item(1, at=10)])
    assert [d.text for d in opened.read(pin)] == ["text 1"]
    web.answer = lambda _: (200, {}, [item(1, at=10), item(2, at="2024-05-01")])
    with pytest.raises(SourceError, match="watermarks of one type"):
        opened.pin()


def test_without_a_watermark_any_change_is_refused(paths: Paths, web: Web) -> None:
    opened = reader(paths, web)
    web.answer = lambda _: (200, {}, [item(1)])
    pin = opened.pin()
    web.answer = lambda _: (200, {}, [item(2), item(1)])
    with pytest.raises(SourceError, match="2 other documents"):
        list(opened.read(pin))


class Flaky:
    """Fails as it is told, then answers."""

    def __init__(self, *failures: Reply) -> None:
        self.failures = list(failures)

    def __call__(self, _: Asked) -> Reply:
        return self.failures.pop(0) if self.failures else (200, {}, [item(1)])


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_what_may_pass_is_tried_again(paths: Paths, web: Web, status: int) -> None:
    web.answer = Flaky((status, {}, b""), (status, {"Retry-After": "0"}, b""))
    assert reader(paths, web).pin()["documents"] == 1
    assert len(web.asked) == 3


@pytest.mark.parametrize(
    ("reply", "words", "attempts"),
    [
        ((500, {}, b""), r"status 500, after the last of 3", 3),
        ((429, {"Retry-After": "60"}, b""), r"status 429, which asks to wait 60 s", 1),
        ((404, {}, b""), r"status 404", 1),
        ((401, {}, b""), r"status 401.*key", 1),
        ((200, {}, b"<html>"), r"JSON from", 1),
        ((200, {}, {"data": 1}), r"a list of items as .*dict, with the keys 'data'", 1),
        ((200, {"Content-Length": "99"}, b"[]"), r"RemoteProtocolError", 3),
        ((200, {"Content-Encoding": "gzip"}, b"no gzip"), r"cannot be unpacked", 3),
        ((200, {}, [{"id": 1, "label": "a"}]), r"'text' in the items.*`text:`", 1),
        ((200, {}, b'["' + b"x" * 2**20 + b'"]'), r"at most 1,048,576 bytes", 1),
        ((200, {"Content-Encoding": "gzip"}, GZIP_BOMB), r"at most", 1),
        ((302, {"Location": "/news"}, b""), r"more than 5 redirects", 6),
        ((302, {"Location": "file:///etc/passwd"}, b""), r"every address at", 1),
    ],
)
def test_a_server_that_fails_is_said_without_the_key(
    paths: Paths, web: Web, reply: Reply, words: str, attempts: int
) -> None:
    web.answer = lambda _: reply
    with pytest.raises(SourceError, match=words) as caught:
        reader(paths, web, header="Authorization", header_env="NEWS_TOKEN").pin()
    assert len(web.asked) == attempts
    assert SECRET not in str(caught.value)


def test_a_server_that_hangs_is_left(paths: Paths, web: Web) -> None:
    def hang(_: Asked) -> Reply:
        time.sleep(0.6)
        return 200, {}, []

    web.answer = hang
    with pytest.raises(SourceError, match="ReadTimeout"):
        reader(paths, web, limits={"attempts": 1, "timeout_seconds": 0.3}).pin()


def test_an_answer_that_drips_is_left(paths: Paths, web: Web) -> None:
    """Each byte comes in time, and the last never would."""

    def drip(_: Asked) -> Reply:
        return 200, {"Content-Length": "1000000"}, (b" " for _ in iter(lambda: time.sleep(0.1), 1))

    web.answer = drip
    with pytest.raises(SourceError, match=r"more than 0\.3 s of answering"):
        reader(paths, web, limits={"attempts": 1, "answer_seconds": 0.3}).pin()


def test_a_page_that_does_not_come_fails_the_whole(paths: Paths, web: Web) -> None:
    answer = paged([[item(1)], [item(2)]], "number")
    web.answer = lambda asked: (500, {}, b"") if asked.query["page"] == "2" else answer(asked)
    with pytest.raises(SourceError, match="status 500"):
        reader(paths, web, pages=WAYS["number"], items="data.items").pin()


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda a: (200, {}, {"items": [item(1)], "next": "news?again"}), "the same page twice"),
        (lambda a: (200, {}, {"items": [], "next": "/news?key=hunter2"}), "asked for before"),
        (lambda a: (200, {}, {"items": [], "next": f"/news?{len(a.query.get('n', ''))}&n=x"
                              + a.query.get("n", "")}), "more than 5 pages"),
        (lambda a: (200, {}, {"items": [], "next": {}}), "a link at 'next'"),
    ],
)  # fmt: skip
def test_pages_without_an_end(
    paths: Paths, web: Web, answer: Callable[[Asked], Reply], words: str
) -> None:
    web.answer = answer
    with pytest.raises(SourceError, match=words) as caught:
        reader(paths, web, items="items", pages={"by": "link", "path": "next"}).pin()
    assert SECRET not in str(caught.value)


def test_the_key_is_sent_to_its_own_server_only(paths: Paths, web: Web) -> None:
    secret = {"header": "X-Key", "header_env": "NEWS_TOKEN"}
    web.answer = lambda _: (200, {}, [item(1)])
    assert reader(paths, web, **secret).pin()["documents"] == 1
    assert web.asked[-1].headers["x-key"] == f"Bearer {SECRET}"
    with serving() as other:
        other.answer = web.answer
        web.answer = lambda _: (302, {"Location": f"{other.url}/x"}, b"")
        with pytest.raises(SourceError, match="a key goes to one server only"):
            reader(paths, web, **secret).pin()
        web.answer = lambda _: (200, {}, {"i": [item(1)], "next": f"{other.url}/x"})
        pages = {"by": "link", "path": "next"}
        with pytest.raises(SourceError, match="a key goes to one server only"):
            reader(paths, web, **secret, items="i", pages=pages).pin()
        assert other.asked == []
        # Without a key it may go on elsewhere, which is this machine here.
        web.answer = lambda _: (302, {"Location": f"{other.url}/x"}, b"")
        assert reader(paths, web, allow_private_addresses=True).pin()["documents"] == 1


@pytest.mark.parametrize("value", [None, " ", "a\nb", "ké"])
def test_a_key_that_is_missing_or_no_header_is_said(
    paths: Paths, web: Web, monkeypatch: pytest.MonkeyPatch, value: str | None
) -> None:
    if value is None:
        monkeypatch.delenv("NEWS_TOKEN")
    else:
        monkeypatch.setenv("NEWS_TOKEN", value)
    with pytest.raises(SourceError, match="environment variable NEWS_TOKEN"):
        reader(paths, web, header="X-Key", header_env="NEWS_TOKEN").pin()
    assert web.asked == []


def complain(expected: str, came: str, todo: str) -> SourceError:
    return SourceError(f"{expected}, {came}, {todo}")


def test_waits_double_and_follow_the_server(paths: Paths, web: Web) -> None:
    """Retry-After in seconds and as a time; never longer than the limit."""
    soon = email.utils.format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True)
    past = "Mon, 01 Jan 2024 00:00:00 GMT"
    web.answer = Flaky(
        (503, {}, b""), (503, {}, b""), (503, {"Retry-After": "7"}, b""),
        (503, {"Retry-After": soon}, b""), (503, {"Retry-After": past}, b""),
        (503, {"Retry-After": "soon"}, b""),
    )  # fmt: skip
    waits: list[float] = []
    settings = source(web, limits={"attempts": 9, "longest_wait_seconds": 40.0})
    with getter(settings, complain=complain, sleep=waits.append) as http:
        http.get(f"{web.url}/news")
    assert waits[:3] == [0.5, 1.0, 7.0]
    assert 25 < waits[3] <= 30 and waits[4:] == [8.0, 16.0]


def test_no_address_with_a_key_is_logged(
    paths: Paths, web: Web, caplog: pytest.LogCaptureFixture
) -> None:
    web.answer = lambda _: (200, {}, [item(1)])
    with caplog.at_level(logging.INFO):
        texts(reader(paths, web))
    assert SECRET not in caplog.text


# Feeds


def feed(*numbers: int, author: str = "Ann Smith") -> bytes:
    items = "".join(
        f"<item><guid>{i}</guid><title>Angela Merkel wrote {i} lines</title>"
        f"<category>tech</category><category>Boris Johnson</category>"
        f"<author>{author}</author></item>"
        for i in numbers
    )
    return f'<rss version="2.0"><channel>{items}</channel></rss>'.encode()


class Masks:
    """Stands in for the scrubber; counts what it is given."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def __call__(self, path: Path) -> Masks:
        assert path.name == "params.yaml"
        return self

    def scrub_many(self, texts: list[str]) -> list[Scrubbed]:
        self.texts += texts
        return [
            Scrubbed("", {}, dropped=True)
            if " 13 " in text
            else Scrubbed(text.replace("Angela Merkel", "<PERSON>"), {})
            for text in texts
        ]


@pytest.fixture
def masks(paths: Paths) -> Masks:
    shutil.copy(Path(__file__).parents[2] / "params.yaml", paths.root)
    return Masks()


def feed_reader(paths: Paths, web: Web, masks: Masks, **settings: Any) -> FeedReader:
    return FeedReader(source(web, kind="feed", **settings), paths, masks)


def test_a_feed_that_forgets_is_remembered_scrubbed(paths: Paths, web: Web, masks: Masks) -> None:
    opened = feed_reader(paths, web, masks)
    web.answer = lambda _: (200, {}, feed(1, 2))
    first = opened.pin()
    web.answer = lambda _: (200, {}, feed(2, 3))
    second = opened.pin()
    assert (first["documents"], second["documents"]) == (2, 3)
    web.answer = lambda _: (500, {}, b"")  # reading asks nobody
    assert [d.text for d in opened.read(first)] == [
        "<PERSON> wrote 1 lines",
        "<PERSON> wrote 2 lines",
    ]
    assert len(list(opened.read(second))) == 3
    assert {d.label for d in opened.read(second)} == {"tech"}
    assert len(masks.texts) == 3  # each once
    kept = b"".join(file.read_bytes() for file in paths.home.rglob("*") if file.is_file())
    for word in (b"Merkel", b"Ann Smith", b"Johnson", SECRET.encode()):
        assert word not in kept


def test_an_entry_that_the_policy_drops_is_seen_and_not_kept(
    paths: Paths, web: Web, masks: Masks
) -> None:
    web.answer = lambda _: (200, {}, feed(1, 13, 2))
    opened = feed_reader(paths, web, masks)
    for _ in range(2):
        assert [d.text[-7:] for d in opened.read(opened.pin())] == ["1 lines", "2 lines"]
    assert len(masks.texts) == 3


def test_the_projects_own_scrubber_and_settings_are_used(
    paths: Paths, web: Web, masks: Masks
) -> None:
    found = dict.fromkeys(ENTITIES, "keep") | {"EMAIL_ADDRESS": "mask"}
    edit.set_values(paths.params, {"ingest.scrub.entities": found})
    web.answer = lambda _: (200, {}, feed(1).replace(b"lines", b"lines to ann@example.org"))
    opened = open_source(source(web, kind="feed"), paths)
    (found,) = opened.read(opened.pin())
    assert found.text == "Angela Merkel wrote 1 lines to <EMAIL_ADDRESS>"


def test_a_server_is_asked_for_what_is_new_only(paths: Paths, web: Web, masks: Masks) -> None:
    def answer(asked: Asked) -> Reply:
        if asked.headers.get("if-none-match") == '"one"':
            return 304, {}, b""
        return 200, {"ETag": '"one"', "Last-Modified": "Wed, 01 May 2024 12:00:00 GMT"}, feed(1)

    web.answer = answer
    opened = feed_reader(paths, web, masks)
    assert opened.pin() == opened.pin()
    assert web.asked[1].headers["if-modified-since"] == "Wed, 01 May 2024 12:00:00 GMT"
    # Another address is another feed.
    feed_reader(paths, web, masks, url="/other").pin()
    assert "if-none-match" not in web.asked[2].headers


def test_seen_entries_that_are_gone_or_changed_are_an_error(
    paths: Paths, web: Web, masks: Masks
) -> None:
    web.answer = lambda _: (200, {}, feed(1, 2))
    opened = feed_reader(paths, web, masks)
    pin = opened.pin()
    for statement in ("UPDATE entries SET text = 'x' WHERE seq = 1",
                      "DELETE FROM entries WHERE seq = 1"):  # fmt: skip
        with closing(sqlite3.connect(paths.feeds)) as database, database:
            database.execute(statement)
        with pytest.raises(SourceError, match=r"pinned.*seen entries.*newsloop run"):
            list(opened.read(pin))
    paths.feeds.unlink()
    with pytest.raises(SourceError, match="0 seen entries"):
        list(opened.read(pin))


def test_where_the_scrubber_fails_no_entry_is_kept(paths: Paths, web: Web) -> None:
    def broken(_: Path) -> Any:
        raise ScrubError("no model")

    shutil.copy(Path(__file__).parents[2] / "params.yaml", paths.root)
    web.answer = lambda _: (200, {}, feed(1))
    with pytest.raises(ScrubError):
        FeedReader(source(web, kind="feed"), paths, broken).pin()
    assert not paths.home.exists()
