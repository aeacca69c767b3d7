"""Each connector pins what is there and reads exactly that, in a stable order."""

from __future__ import annotations

import gzip
import json
import shutil
import sqlite3
import sys
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from pydantic import ValidationError

from components import snapshot
from components.core import ledger, tables
from components.core.errors import ParamsError, SourceError
from components.core.ledger import labels
from components.core.ledger.labels import Sender
from components.core.params import Source
from components.core.params import sources as source_params
from components.core.paths import Paths
from components.sources import READERS, RawDocument, SourceReader, open_source

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths(tmp_path, tmp_path / ".newsloop")


def reader(paths: Paths, **settings: str) -> SourceReader:
    return open_source(Source.model_validate({"name": "s", **settings}), paths)


def read(opened: SourceReader) -> list[RawDocument]:
    return list(opened.read(opened.pin()))


def rows_of(
    paths: Paths, name: str, content: bytes, kind: str = "jsonl", **settings: str
) -> list[RawDocument]:
    (paths.root / name).write_bytes(content)
    return read(reader(paths, kind=kind, path=name, **settings))


def texts(root: Path, files: dict[str, bytes]) -> None:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def test_every_kind_has_a_reader() -> None:
    assert set(READERS) >= set(source_params.TAKES)


def test_a_kind_that_nobody_knows_is_named(paths: Paths) -> None:
    with pytest.raises(ParamsError, match=r"s: expected one of the kinds annotations, .*, got ftp"):
        reader(paths, kind="ftp")


# Folders and packages


def test_folder_gives_texts_by_name_and_label_by_first_folder(paths: Paths) -> None:
    texts(
        paths.root / "news",
        {
            "tech/b.txt": b"bee",
            "tech/2023/c.txt": b"sea",
            "business/a.txt": b"ay",
            "README.txt": b"no label",
            "tech/._b.txt": b"a shadow of macOS",
            "tech/photo.jpg": b"no text",
        },
    )
    assert read(reader(paths, kind="folder", path="news")) == [
        RawDocument("s/business/a.txt", "ay", "business"),
        RawDocument("s/tech/2023/c.txt", "sea", "tech"),
        RawDocument("s/tech/b.txt", "bee", "tech"),
    ]


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"caf\xc3\xa9", "café"),
        (b"\xef\xbb\xbfmark", "mark"),
        (b"costs \xa35 \x80", "costs £5 €"),
    ],
)
def test_folder_decodes_utf8_then_cp1252(paths: Paths, content: bytes, text: str) -> None:
    texts(paths.root, {"news/a/1.txt": content})
    assert read(reader(paths, kind="folder", path="news"))[0].text == text


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"", "empty"),
        (b"\x81\x8d\xff", "unknown encoding"),
        ("word".encode("utf-16-le"), "NUL"),
    ],
)
def test_folder_marks_files_that_are_no_text(paths: Paths, content: bytes, fault: str) -> None:
    texts(paths.root, {"news/a/1.txt": content, "news/a/2.txt": b"good"})
    bad, good = read(reader(paths, kind="folder", path="news"))
    assert bad.text == "" and fault in (bad.fault or "") and bad.label == "a"
    assert good.fault is None


@pytest.mark.parametrize(
    ("files", "message"),
    [({}, "a folder at"), ({"news/top.txt": b"x"}, "<label>"), ({"news/a/x.mp3": b"x"}, "<label>")],
)
def test_folder_without_texts_is_an_error(
    paths: Paths, files: dict[str, bytes], message: str
) -> None:
    texts(paths.root, files)
    with pytest.raises(SourceError, match=message):
        reader(paths, kind="folder", path="news").pin()


def test_pin_of_a_folder_is_the_same_elsewhere_and_tells_content_and_names(paths: Paths) -> None:
    texts(paths.root, {"one/a/1.txt": b"x", "one/b/2.txt": b"y"})
    shutil.copytree(paths.root / "one", paths.root / "two")
    texts(paths.root, {"content/a/1.txt": b"x", "content/b/2.txt": b"z"})
    texts(paths.root, {"names/a/1.txt": b"x", "names/b/3.txt": b"y"})
    pins = {
        name: reader(paths, kind="folder", path=name).pin()
        for name in ("one", "two", "content", "names")
    }
    assert pins["one"] == pins["two"]
    assert len({pin["fingerprint"] for pin in pins.values()}) == 3
    assert set(pins["one"]) == {"name", "kind", "files", "fingerprint"}
    assert pins["one"]["files"] == 2
    assert str(paths.root) not in json.dumps(pins)


@pytest.mark.parametrize("change", ["content", "new file", "gone"])
def test_folder_changed_after_the_pin_is_refused(paths: Paths, change: str) -> None:
    texts(paths.root, {"news/a/1.txt": b"x", "news/a/2.txt": b"y"})
    opened = reader(paths, kind="folder", path="news")
    pin = opened.pin()
    if change == "content":
        texts(paths.root, {"news/a/1.txt": b"z"})
    elif change == "new file":
        texts(paths.root, {"news/a/3.txt": b"z"})
    else:
        (paths.root / "news/a/1.txt").unlink()
    with pytest.raises(SourceError, match=r"pinned.*newsloop run"):
        list(opened.read(pin))


def test_folder_changed_while_it_is_read_is_refused(paths: Paths) -> None:
    texts(paths.root, {"news/a/1.txt": b"x", "news/a/2.txt": b"y"})
    opened = reader(paths, kind="folder", path="news")
    stream = opened.read(opened.pin())
    next(stream)
    texts(paths.root, {"news/a/2.txt": b"z"})
    with pytest.raises(SourceError, match=r"a/2\.txt"):
        next(stream)


def test_a_pin_of_another_source_is_refused(paths: Paths) -> None:
    texts(paths.root, {"news/a/1.txt": b"x"})
    opened = reader(paths, kind="folder", path="news")
    with pytest.raises(SourceError, match="pinned"):
        list(opened.read({**opened.pin(), "name": "other"}))


def test_package_is_read_without_importing_it(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = paths.root / "site" / "newsloop_texts_for_test"
    texts(package, {"__init__.py": b"raise SystemExit", "inner/data/tech/1.txt": b"x"})
    monkeypatch.syspath_prepend(str(paths.root / "site"))
    for name, path in (
        ("newsloop_texts_for_test", "inner/data"),
        ("newsloop_texts_for_test.inner", "data"),
    ):
        found = read(reader(paths, kind="package", package=name, path=path))
        assert found == [RawDocument("s/tech/1.txt", "x", "tech")]
    assert "newsloop_texts_for_test" not in sys.modules


@pytest.mark.parametrize("package", ["no_such_package_here", "json.decoder", "antigravity"])
def test_package_that_is_not_there(paths: Paths, package: str) -> None:
    with pytest.raises(SourceError, match="expected"):
        reader(paths, kind="package", package=package, path="data").pin()


# Rows

GOOD = {
    "text": "a text",
    "label": "tech",
    "id": "x",
    "time": "2024-05-01T12:00:00Z",
    "author": "Ann",
}


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (GOOD, RawDocument("s/x", "a text", "tech", NOON, "Ann")),
        ({"text": "t", "label": "l"}, RawDocument("s/1", "t", "l")),
        ({"text": "t", "label": None, "id": None}, RawDocument("s/1", "t", None)),
        ({"text": "t", "label": 3, "id": 7}, RawDocument("s/7", "t", "3")),
        (
            {"text": "t", "label": "l", "time": "2024-05-01T12:00"},
            RawDocument("s/1", "t", "l", NOON),
        ),
        (
            {"text": "t", "label": "l", "time": "2024-05-01T14:00:00+02:00"},
            RawDocument("s/1", "t", "l", NOON),
        ),
        (
            {"text": "t", "label": "l", "time": "2024-05-01"},
            RawDocument("s/1", "t", "l", datetime(2024, 5, 1, tzinfo=UTC)),
        ),
        ({"text": "t", "label": "l", "time": "", "author": ""}, RawDocument("s/1", "t", "l")),
        ({"text": "t", "label": "l", "part": "test"}, RawDocument("s/1", "t", "l")),
    ],
)
def test_a_row_becomes_a_document(
    paths: Paths, row: dict[str, object], expected: RawDocument
) -> None:
    line = json.dumps({"label": None, **row}).encode()
    assert rows_of(paths, "d.jsonl", line) == [expected]


@pytest.mark.parametrize("kind", ["jsonl", "csv", "parquet", "sql"])
def test_a_column_names_the_side_of_an_official_split(
    paths: Paths, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    sides = {"Train": "train", " VAL": "validation", "dev": "validation", "test": "test", "": None}
    table = pl.DataFrame(
        {"id": range(6), "text": ["t"] * 6, "label": ["l"] * 6, "split": [*sides, "Mrs Smith"]}
    )
    file = paths.root / "rows"
    settings = {"path": "rows"}
    if kind == "sql":
        with closing(sqlite3.connect(file)) as database, database:
            database.execute("CREATE TABLE rows (id, text, label, split)")
            database.executemany("INSERT INTO rows VALUES (?, ?, ?, ?)", table.rows())
        monkeypatch.setenv("ROWS", f"sqlite:///{file}")
        settings = {"url_env": "ROWS", "table": "rows", "watermark": "id"}
    else:
        write = {
            "jsonl": table.write_ndjson,
            "csv": table.write_csv,
            "parquet": table.write_parquet,
        }
        write[kind](file)
    *good, bad = read(reader(paths, kind=kind, part="split", **settings))
    assert [document.part for document in good] == list(sides.values())
    assert bad.text == "" and "the column of the key `part`, must be train" in str(bad.fault)
    assert "Smith" not in repr(bad)
    with pytest.raises(SourceError, match="a column 'side'"):
        read(reader(paths, kind=kind, part="side", **settings))


def test_a_source_has_one_side(paths: Paths) -> None:
    (paths.root / "f" / "tech").mkdir(parents=True)
    (paths.root / "f" / "tech" / "a.txt").write_text("ay")
    found = read(reader(paths, kind="folder", path="f", fixed_part="test"))
    assert found == [RawDocument("s/tech/a.txt", "ay", "tech", part="test")]
    for kind, part, said in (("folder", None, "no columns"), ("csv", "train", "one of part and")):
        with pytest.raises(ValidationError, match=said):
            reader(
                paths, kind=kind, path="f", part="split", **({"fixed_part": part} if part else {})
            )


@pytest.mark.parametrize(
    ("line", "name", "fault"),
    [
        (b"{not json", "2", "no JSON"),
        (b"[" * 100_000, "2", "no JSON"),
        (b'["text"]', "2", "no JSON object"),
        (b'{"text": "\xff", "label": "a"}', "2", "not valid UTF-8"),
        (b'{"label": "a", "id": "x"}', "x", "must be a text, got none"),
        (b'{"text": null, "label": "a"}', "2", "must be a text, got none"),
        (b'{"text": 5, "label": "a"}', "2", "type int"),
        (b'{"text": ["SECRET"], "label": "a"}', "2", "type list"),
        (b'{"text": "", "label": "a"}', "2", "empty"),
        (b'{"text": "SECRET \\ud800", "label": "a"}', "2", "not valid UTF-8"),
        (b'{"text": "SECRET \\u0000", "label": "a"}', "2", "NUL"),
        (b'{"text": "t", "label": {"SECRET": 1}}', "2", "'label' must be a text"),
        (b'{"text": "t", "label": ["SECRET", "b"]}', "2", "holds 2 labels"),
        (b'{"text": "t", "label": "a", "id": "\\ud800"}', "2", "'id' is not valid UTF-8"),
        (b'{"text": "t", "label": "a", "time": "SECRET"}', "2", "ISO 8601"),
        (b'{"text": "t", "label": "a", "time": 12}', "2", "ISO 8601"),
        (b'{"text": "t", "label": "a", "time": "0001-01-01T00:00:00+14:00"}', "2", "ISO 8601"),
    ],
)
def test_a_bad_row_is_marked_without_its_content_and_the_rest_go_on(
    paths: Paths, line: bytes, name: str, fault: str
) -> None:
    good = b'{"text": "t", "label": "a"}'
    content = b"\n".join([good, line, good, b""])
    before, bad, after = rows_of(paths, "d.jsonl", content, time="time", id="id")
    assert (before.fault, after.fault, after.id) == (None, None, "s/3")
    assert bad.id == f"s/{name}" and bad.text == "" and fault in (bad.fault or "")
    assert "SECRET" not in repr(bad)


CSV = b"id,text,label,time,author\nx,a text,tech,2024-05-01T12:00:00Z,Ann\n"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("d.csv", CSV),
        ("d.csv", b"\xef\xbb\xbf" + CSV),
        ("d.csv", CSV.replace(b"\n", b"\r\n") + b"\r\n"),
        ("d.csv.gz", gzip.compress(CSV, mtime=0)),
        ("d.jsonl", json.dumps(GOOD).encode()),
        ("d.jsonl", b"\xef\xbb\xbf" + json.dumps(GOOD).encode() + b"\r\n\n"),
        ("d.jsonl.gz", gzip.compress(json.dumps(GOOD).encode(), mtime=0)),
    ],
)
def test_plain_and_packed_files_say_the_same(paths: Paths, name: str, content: bytes) -> None:
    found = rows_of(paths, name, content, kind=name.split(".")[1])
    assert found == [RawDocument("s/x", "a text", "tech", NOON, "Ann")]


def test_csv_quotes_lines_and_long_fields(paths: Paths) -> None:
    long = b"word " * 100_000
    content = b'text,label\n"two\nlines, ""quoted""",a\n' + long + b",b\n"
    first, second = rows_of(paths, "d.csv", content, kind="csv")
    assert first == RawDocument("s/1", 'two\nlines, "quoted"', "a")
    assert second.text == long.decode() and second.id == "s/2"


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        (b"only one", "expected 2 fields, got 1"),
        (b"t,a,SECRET", "expected 2 fields, got 3"),
        (b'"SECRET"s,a', "quotes"),
        (b"SECRET \xa35,a\n\xc2\xa35,a", "not valid UTF-8"),
        (b",a", "empty"),
    ],
)
def test_a_bad_row_of_csv(paths: Paths, line: bytes, fault: str) -> None:
    content = b"text,label\nt,a\n" + line + b"\nt,b\n"
    before, bad, *_, after = rows_of(paths, "d.csv", content, kind="csv")
    assert (before.label, bad.id, after.label) == ("a", "s/2", "b")
    assert bad.text == "" and fault in (bad.fault or "") and "SECRET" not in repr(bad)


def test_parquet_takes_named_columns_and_times_of_any_unit(paths: Paths) -> None:
    table = pl.DataFrame(
        {
            "body": ["one", None, "three"],
            "class": ["a", "b", None],
            "when": [NOON.replace(tzinfo=None), None, datetime(1969, 7, 20)],
            "day": [date(2024, 5, 1)] * 3,
            "raw": [b"x"] * 3,
        },
        schema_overrides={"when": pl.Datetime("ns"), "class": pl.Categorical},
    )
    table.write_parquet(paths.root / "d.parquet")
    settings = {"kind": "parquet", "path": "d.parquet", "text": "body", "label": "class"}
    first, second, third = read(reader(paths, **settings, time="when"))
    assert first == RawDocument("s/1", "one", "a", NOON)
    assert second.fault == "'body' must be a text, got none"
    assert third == RawDocument("s/3", "three", None, datetime(1969, 7, 20, tzinfo=UTC))
    assert read(reader(paths, **settings, time="day"))[0].time == NOON.replace(hour=0)
    faults = [found.fault for found in read(reader(paths, **{**settings, "text": "raw"}))]
    assert faults == ["'raw' must be a text, got a value of type bytes"] * 3


def parquet(**columns: list[str]) -> bytes:
    from io import BytesIO

    pl.DataFrame(columns).write_parquet(buffer := BytesIO())
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("d.csv", b"text,class\nt,a\n", "'label'.*only 'text', 'class'"),
        ("d.csv", b"body,label\nt,a\n", "column 'text'"),
        ("d.csv", b"", "column 'text'"),
        ("d.csv", b'text,label\n"never closed,a\nt,b\n', "unexpected end of data"),
        ("d.csv.gz", b"no gzip", "gzipped"),
        ("d.jsonl", b'{"body": "t", "label": "a"}\n' * 3, "column 'text'"),
        ("d.jsonl", b'{"text": "t"}\n' * 3, "column 'label'.*`label:`"),
        (
            "d.jsonl.gz",
            gzip.compress(b'{"text": "t", "label": "a"}\n' * 99, mtime=0)[:-12],
            "readable",
        ),
        ("d.parquet", b"no parquet", "readable parquet"),
        ("d.parquet", parquet(text=["t"]), "column 'label'"),
        ("d.parquet", parquet(label=["t"]), "column 'text'"),
    ],
)
def test_a_file_that_cannot_be_read_is_an_error(
    paths: Paths, name: str, content: bytes, message: str
) -> None:
    with pytest.raises(SourceError, match=message):
        rows_of(paths, name, content, kind=name.split(".")[1])


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_a_missing_file_and_a_folder_in_its_place(paths: Paths, kind: str) -> None:
    (paths.root / "folder").mkdir()
    for path in ("nothing", "folder"):
        with pytest.raises(SourceError, match="a file at"):
            reader(paths, kind=kind, path=path).pin()


@pytest.mark.parametrize("when", ["before", "while"])
def test_a_file_changed_after_the_pin_is_refused(paths: Paths, when: str) -> None:
    path = paths.root / "d.jsonl"
    line = b'{"text": "t", "label": "a"}\n'
    path.write_bytes(line)
    opened = reader(paths, kind="jsonl", path="d.jsonl")
    pin, stream = opened.pin(), opened.read(opened.pin())
    if when == "while":
        assert next(stream).text == "t"
    path.write_bytes(line * 2)
    with pytest.raises(SourceError, match=r"pinned.*newsloop run"):
        list(stream)
    assert opened.pin() != pin


def test_an_absolute_path_pins_the_same_as_a_relative_one(paths: Paths) -> None:
    (paths.root / "d.csv").write_bytes(CSV)
    relative = reader(paths, kind="csv", path="d.csv").pin()
    assert reader(paths, kind="csv", path=str(paths.root / "d.csv")).pin() == relative


# Feedback


@pytest.fixture
def book(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> ledger.Ledger:
    monkeypatch.delenv("NEWSLOOP_DATABASE_URL", raising=False)
    opened = ledger.Ledger(ledger.url(paths.ledger))
    columns = {"bundle": "b", "label": "model's own", "confidence": 0.9, "probabilities": {}}
    columns |= {"words": 1, "unknown_share": 0.0, "features": []}
    opened.insert(ledger.PREDICTIONS, [{"id": i, "time": NOON, **columns} for i in "pqr"])
    opened.insert(ledger.TEXTS, [{"prediction_id": i, "text": f"text {i}"} for i in "pq"])
    return opened


def test_feedback_gives_what_people_said_up_to_the_watermark(
    paths: Paths, book: ledger.Ledger
) -> None:
    opened = reader(paths, kind="feedback")
    assert opened.pin() == {"name": "s", "kind": "feedback", "watermark": 0}
    book.add_labels([("p", "tech"), ("q", "sport")], NOON)
    pin = opened.pin()
    assert pin["watermark"] == 2
    book.add_labels([("p", "business"), ("r", "tech")], NOON)
    assert list(opened.read(pin)) == [
        RawDocument("s/p", "text p", "tech", NOON),
        RawDocument("s/q", "text q", "sport", NOON),
    ]
    renamed = Source(name="s", kind="feedback", label_names={"sport": "sports"})
    assert [d.label for d in open_source(renamed, paths).read(pin)] == ["tech", "sports"]
    # r's text still waits for the scrubber.
    assert opened.pin()["watermark"] == 3
    book.close()


def test_a_label_that_is_withdrawn_makes_a_new_snapshot(paths: Paths, book: ledger.Ledger) -> None:
    opened = reader(paths, kind="feedback")
    book.add_labels([("p", "tech"), ("q", "sport")], NOON, sender=Sender("a", trusted=True))
    book.add_labels([("p", "sport")], NOON, sender=Sender("b", trusted=True))
    pin = opened.pin()
    assert [row.label for row in opened.read(pin)] == ["sport", "sport"]
    book.insert(ledger.TEXTS, [{"prediction_id": "r", "text": None}])
    assert opened.pin() == pin
    # Withdrawn in the middle: the watermark is as before.
    labels.set_aside(book, [1], "withdrawn", NOON)
    assert opened.pin() == pin  # of p the last word counts
    labels.set_aside(book, [2], "withdrawn", NOON)
    assert opened.pin()["watermark"] == pin["watermark"]
    assert opened.pin() != pin
    with pytest.raises(SourceError, match=r"set aside or taken back.*newsloop run"):
        list(opened.read(pin))
    assert [row.id for row in opened.read(opened.pin())] == ["s/p"]
    labels.take_back(book, [2])
    assert list(opened.read(pin)) == list(opened.read(opened.pin()))
    old = {name: pin[name] for name in ("name", "kind", "watermark")}  # of a release of before
    assert len(list(opened.read(old))) == 2
    book.close()


def test_of_one_caller_a_share_is_learned(paths: Paths, book: ledger.Ledger) -> None:
    tables.write_json({"by_source": {"news": 40, "s": 30}}, paths.validated / "validation.json")
    opened = reader(paths, kind="feedback", caller_share=0.05)
    book.add_labels([(i, "tech") for i in "pq"], NOON, sender=Sender("a"))
    assert "per_caller" not in opened.pin()  # two of 40 are 5 %
    opened = reader(paths, kind="feedback", caller_share=0.03)
    pin = opened.pin()
    assert pin["per_caller"] == 1
    assert [row.id for row in opened.read(pin)] == ["s/q"]  # the newest
    book.add_labels([("p", "sport")], NOON, sender=Sender("b"))
    assert [row.label for row in opened.read(opened.pin())] == ["tech", "sport"]
    (paths.validated / "validation.json").unlink()
    assert read(opened) == []
    book.add_labels([("p", "sport")], NOON, sender=Sender("b", trusted=True))  # as before
    assert labels.sent(book, "b", NOON - timedelta(hours=1)) == 1
    book.add_labels([("p", "tech")], NOON, sender=Sender("c", trusted=True))
    assert [row.label for row in opened.read(opened.pin())] == ["tech"]
    book.close()


def test_feedback_of_a_ledger_that_lost_rows_is_refused(paths: Paths, book: ledger.Ledger) -> None:
    book.close()
    with pytest.raises(SourceError, match=r"labels up to 5.*newsloop run"):
        list(reader(paths, kind="feedback").read({"name": "s", "kind": "feedback", "watermark": 5}))


def test_feedback_without_a_ledger_makes_none(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NEWSLOOP_DATABASE_URL", raising=False)
    opened = reader(paths, kind="feedback")
    assert opened.pin()["watermark"] == 0 and read(opened) == []
    assert not paths.home.exists()


@pytest.mark.parametrize(
    ("pins", "watermark"),
    [
        ([{"name": "f", "kind": "feedback", "watermark": 7}], 7),
        ([{"name": "f", "kind": "feedback", "watermark": 7},
          {"name": "q", "kind": "sql", "watermark": ["int", "99"]},
          {"name": "w", "kind": "feed", "watermark": 99}], 7),
        ([{"name": "t", "kind": "csv", "fingerprint": "x"}], 0),
    ],
)  # fmt: skip
def test_only_feedback_says_which_labels_are_new(
    paths: Paths, pins: list[dict[str, object]], watermark: int
) -> None:
    tables.write_json({"sources": pins}, paths.snapshot)
    assert snapshot.feedback_watermark(paths) == watermark
