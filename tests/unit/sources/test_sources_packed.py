"""Zip, gz and tar: the same documents as plain, and nothing that explodes."""

from __future__ import annotations

import gzip
import io
import json
import sqlite3
import struct
import tarfile
import tracemalloc
import zipfile
from contextlib import closing
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from components.core.errors import SourceError
from components.core.params import Limits, Source
from components.core.paths import Paths
from components.sources import RawDocument, SourceReader, open_source
from tests.unit.sources.made_files import tarred, zipped

LIMITS: dict[str, Any] = {
    "document_mib": 1, "unpacked_mib": 4, "unpacked_ratio": 20, "answer_mib": 1,
    "answer_seconds": 9.0, "pages": 3,
    "timeout_seconds": 1.0, "attempts": 1, "longest_wait_seconds": 1.0,
}  # fmt: skip
MIB = 1024 * 1024
ROWS = {
    "csv": b"text,label\none,a\ntwo,b\n",
    "jsonl": b'{"text": "one", "label": "a"}\n{"text": "two", "label": "b"}\n',
}
NEWS = {"tech/b.txt": b"bee", "tech/old/c.txt": b"sea", "art/a.txt": b"ay"}


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths(tmp_path, tmp_path / ".newsloop")


def reader(paths: Paths, **settings: Any) -> SourceReader:
    limits = Limits.model_validate(LIMITS | settings.pop("limits", {}))
    return open_source(Source.model_validate({"name": "s", "limits": limits, **settings}), paths)


def read(paths: Paths, name: str, content: bytes, **settings: Any) -> list[RawDocument]:
    (paths.root / name).write_bytes(content)
    opened = reader(paths, path=name, **settings)
    return list(opened.read(opened.pin()))


def parquet() -> bytes:
    table = pl.DataFrame({"text": ["one", "two"], "label": ["a", "b"]})
    table.write_parquet(buffer := io.BytesIO())
    return buffer.getvalue()


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA])
def test_rows_in_a_zip(paths: Paths, kind: str, method: int) -> None:
    rows = parquet() if kind == "parquet" else ROWS[kind]
    files = {f"b.{kind}": rows, f"in/a.{kind}": rows, "read.me": b"x", f"__MACOSX/._b.{kind}": b"x"}
    found = read(paths, "d.zip", zipped(files, method), kind=kind)
    expected = [(f"s/{file}/{n}", text, label)
                for file in (f"b.{kind}", f"in/a.{kind}")
                for n, text, label in ((1, "one", "a"), (2, "two", "b"))]  # fmt: skip
    assert [(d.id, d.text, d.label) for d in found] == expected
    inside = read(paths, "d.zip", zipped(files, method), kind=kind, inside="in")
    assert [d.id for d in inside] == [f"s/a.{kind}/1", f"s/a.{kind}/2"]


def test_parquet_in_gz_of_several_row_groups(paths: Paths) -> None:
    table = pl.DataFrame({"text": [f"text {i}" for i in range(5000)], "label": ["a"] * 5000})
    table.write_parquet(buffer := io.BytesIO(), row_group_size=700)
    found = read(paths, "d.parquet.gz", gzip.compress(buffer.getvalue()), kind="parquet")
    assert [d.text for d in found] == table["text"].to_list()
    assert found[-1].id == "s/5000"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("n.zip", zipped(NEWS)),
        ("n.tar", tarred(NEWS, "w:")),
        ("n.tar.gz", tarred(NEWS)),
        ("n.tgz", tarred({f"./{name}": text for name, text in NEWS.items()})),
    ],
)
def test_texts_in_an_archive_are_those_of_the_folder(
    paths: Paths, name: str, content: bytes
) -> None:
    for text, body in NEWS.items():
        (paths.root / "n" / text).parent.mkdir(parents=True, exist_ok=True)
        (paths.root / "n" / text).write_bytes(body)
    folder = reader(paths, kind="folder", path="n")
    plain = list(folder.read(folder.pin()))
    assert sorted(read(paths, name, content, kind="folder"), key=lambda d: d.id) == plain


def test_a_folder_inside_an_archive_and_what_is_passed_over(paths: Paths) -> None:
    files = {f"bbc/{name}": text for name, text in NEWS.items()}
    files |= {"bbc/top.txt": b"no label", "../tech/out.txt": b"x", "other/tech/a.txt": b"x"}
    for name, content in (("n.zip", zipped(files)), ("n.tar.gz", tarred(files))):
        found = read(paths, name, content, kind="folder", inside="bbc/")
        assert sorted(d.id for d in found) == ["s/art/a.txt", "s/tech/b.txt", "s/tech/old/c.txt"]
        out = read(paths, name, content, kind="folder")
        assert not [d for d in out if ".." in d.id]


@pytest.mark.parametrize("pack", [zipped, tarred])
def test_a_text_that_is_too_long_is_a_bad_row(paths: Paths, pack: Any) -> None:
    files = {"a/1.txt": b"long " * (MIB // 5 + 1), "a/2.txt": b"good"}
    name = "n.zip" if pack is zipped else "n.tar.gz"
    first, second = read(paths, name, pack(files), kind="folder", limits={"unpacked_ratio": 2000})
    assert first.fault == "the text is longer than 1,048,576 bytes" and first.text == ""
    assert second.text == "good"


def test_a_line_that_is_too_long_is_a_bad_row(paths: Paths) -> None:
    long = b'{"text": "' + b"x" * MIB + b'", "label": "a"}\n'
    before, bad, after = read(
        paths, "d.jsonl", ROWS["jsonl"][:30] + long + ROWS["jsonl"][30:], kind="jsonl"
    )
    assert (before.text, bad.fault, after.text) == ("one", "the line is too long", "two")
    with pytest.raises(SourceError, match=r"line 2: got|line 1"):
        read(paths, "d.csv", b"text,label\n" + b"x" * 2 * MIB + b",a\n", kind="csv")


BOMB = b'{"text": "t", "label": "a"}\n' * (3 * MIB // 28)


def overlapping() -> bytes:
    """One packed text that forty entries name: each says that it has its own."""
    packed = zipped({"a/1.txt": bytes(MIB // 2)})
    end = packed.rindex(b"PK\x05\x06")
    start = struct.unpack("<L", packed[end + 16 : end + 20])[0]
    entry = packed[start:end]
    count = 40
    tail = bytearray(packed[end:])
    tail[8:16] = struct.pack("<HHL", count, count, len(entry) * count)
    return packed[:start] + entry * count + bytes(tail)


@pytest.mark.parametrize(
    ("name", "kind", "content", "limits"),
    [
        ("d.jsonl.gz", "jsonl", gzip.compress(BOMB, mtime=0), {}),
        ("d.csv.gz", "csv", gzip.compress(b"text,label\n" + b"t,a\n" * MIB, mtime=0), {}),
        ("d.zip", "jsonl", zipped({"d.jsonl": BOMB}), {}),
        ("d.zip", "jsonl", zipped({"d.jsonl": BOMB}), {"unpacked_ratio": 10**6, "unpacked_mib": 1}),
        ("d.jsonl.gz", "jsonl", gzip.compress(BOMB, mtime=0),
         {"unpacked_ratio": 10**6, "unpacked_mib": 1}),
        ("n.tar.gz", "folder", tarred({f"a/{i}.txt": bytes(MIB // 2) for i in range(8)}), {}),
        ("n.tar.gz", "folder", tarred({"a/1.txt": b"x", "big.bin": bytes(4 * MIB)}), {}),
        ("n.zip", "folder", overlapping(), {"unpacked_mib": 1000}),
    ],
)  # fmt: skip
def test_a_bomb_is_refused_with_the_limit_that_it_breaks(
    paths: Paths, name: str, kind: str, content: bytes, limits: dict[str, int]
) -> None:
    assert len(content) < MIB // 8
    with pytest.raises(SourceError, match=r"within the limits.*unpacked_ratio"):
        read(paths, name, content, kind=kind, limits=limits)


def test_what_a_bomb_would_be_passes_where_it_is_allowed(paths: Paths) -> None:
    found = read(paths, "d.zip", zipped({"d.jsonl": BOMB}), kind="jsonl",
                 limits={"unpacked_ratio": 2000})  # fmt: skip
    assert len(found) == len(BOMB) // 28


def huge_header() -> bytes:
    entry = tarfile.TarInfo("x")
    entry.type, entry.size = tarfile.GNUTYPE_LONGNAME, 3 * MIB
    return gzip.compress(entry.tobuf() + b"n" * 3 * MIB)


def encrypted() -> bytes:
    content = bytearray(zipped({"d.jsonl": ROWS["jsonl"]}))
    content[6] |= 1
    content[content.index(b"PK\x01\x02") + 8] |= 1
    return bytes(content)


@pytest.mark.parametrize(
    ("name", "kind", "content", "words"),
    [
        ("d.zip", "csv", b"no zip", "not a zip file"),
        ("d.zip", "csv", zipped({"d.jsonl": b"{}"}), r"\*\.csv or .* in .*none.*inside"),
        ("d.zip", "jsonl", encrypted(), "encrypted"),
        ("d.zip", "jsonl", zipped({"d.jsonl": ROWS["jsonl"]})[:-9], "not a zip file"),
        ("d.zip", "jsonl", zipped({"d.jsonl": ROWS["jsonl"]}).replace(b"d.json", b"e.json", 1),
         "differ"),
        ("n.zip", "folder", zipped({"top.txt": b"x"}), "<label>"),
        ("n.tar.gz", "folder", tarred(NEWS)[:-30], "readable folder file"),
        ("n.tar", "folder", b"no tar", "readable folder file"),
        ("n.tar.gz", "folder", huge_header(), "more than 1 MiB"),
        ("d.parquet.gz", "parquet", gzip.compress(b"no parquet", mtime=0), "readable parquet"),
    ],
)  # fmt: skip
def test_a_damaged_archive_is_an_error(
    paths: Paths, name: str, kind: str, content: bytes, words: str
) -> None:
    with pytest.raises(SourceError, match=words):
        read(paths, name, content, kind=kind)


def test_inside_is_for_archives(paths: Paths) -> None:
    with pytest.raises(SourceError, match="`inside` for a zip only"):
        read(paths, "d.csv", ROWS["csv"], kind="csv", inside="x")
    (paths.root / "n" / "a").mkdir(parents=True)
    with pytest.raises(SourceError, match="`inside` for an archive only"):
        reader(paths, kind="folder", path="n", inside="a").pin()


@pytest.mark.parametrize("name", ["n.zip", "n.tar.gz"])
def test_an_archive_that_changed_is_refused(paths: Paths, name: str) -> None:
    pack = zipped if name == "n.zip" else tarred
    (paths.root / name).write_bytes(pack({"a/1.txt": b"one", "a/2.txt": b"two"}))
    opened = reader(paths, kind="folder", path=name)
    pin = opened.pin()
    assert set(pin) == {"name", "kind", "files", "bytes", "fingerprint"}
    (paths.root / name).write_bytes(pack({"a/1.txt": b"one", "a/2.txt": b"TWO"}))
    with pytest.raises(SourceError, match=r"pinned.*newsloop run"):
        list(opened.read(pin))


def test_a_file_of_the_same_size_that_no_longer_fits_is_said_to_have_changed(
    paths: Paths,
) -> None:
    (paths.root / "d.csv").write_bytes(b"text,label\none,a\n")
    opened = reader(paths, kind="csv", path="d.csv")
    pin = opened.pin()
    (paths.root / "d.csv").write_bytes(b"text,class\none,a\n")
    with pytest.raises(SourceError, match="pinned"):
        list(opened.read(pin))


def test_labels_may_be_fixed_or_renamed(paths: Paths) -> None:
    line = json.dumps({"text": "one", "label": "Tech & Web"}).encode()
    for settings, label in (
        ({}, "Tech & Web"),
        ({"label_names": {"Tech & Web": "tech", "x": "y"}}, "tech"),
        ({"fixed_label": "tech"}, "tech"),
    ):
        (found,) = read(paths, "d.jsonl", line, kind="jsonl", **settings)
        assert found.label == label
    (found,) = read(paths, "d.jsonl", b'{"text": "one"}', kind="jsonl", fixed_label="a")
    assert found.label == "a"


@pytest.mark.parametrize(
    ("name", "kind"),
    [("d.jsonl", "jsonl"), ("d.jsonl.gz", "jsonl"), ("d.zip", "jsonl"), ("d.csv", "csv"),
     ("d.csv.gz", "csv"), ("n.tar.gz", "folder"), ("n.zip", "folder"), ("n", "folder"),
     ("d.sqlite", "sql")],
)  # fmt: skip
def test_reading_keeps_no_documents(
    paths: Paths, name: str, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """15 MiB of documents, and 30 MiB where rows come in batches, pass through less memory."""
    text, count = b"word " * 1600, 4000 if kind == "sql" else 2000
    place = paths.root / name
    texts = {f"a/{i}.txt": text for i in range(count)}
    rows = b"".join(b'{"text": "%d %s", "label": "a"}\n' % (i, text) for i in range(count))
    if kind == "sql":
        monkeypatch.setenv("ROWS_URL", "sqlite:///d.sqlite")
        with closing(sqlite3.connect(place)) as database, database:
            database.execute("CREATE TABLE d (id INTEGER PRIMARY KEY, text, label)")
            database.executemany(
                "INSERT INTO d VALUES (?, ?, 'a')", ((i, text.decode()) for i in range(count))
            )
    elif name == "n":
        (place / "a").mkdir(parents=True)
        for file, content in texts.items():
            (place / file).write_bytes(content)
    elif kind == "folder":
        place.write_bytes(zipped(texts) if name == "n.zip" else tarred(texts))
    elif kind == "csv":
        content = b"text,label\n" + (text + b",a\n") * count
        place.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    elif name == "d.zip":
        place.write_bytes(zipped({"d.jsonl": rows}))
    else:
        place.write_bytes(gzip.compress(rows) if name.endswith(".gz") else rows)
    settings = {"url_env": "ROWS_URL", "table": "d", "watermark": "id"} if kind == "sql" else {}
    if kind != "sql":
        settings["path"] = name
    opened = reader(
        paths, kind=kind, limits={"unpacked_mib": 99, "unpacked_ratio": 9999}, **settings
    )
    peaks = []
    for _ in range(2):  # other threads of this process allocate, too, but hardly both times
        tracemalloc.start()
        try:
            assert sum(not document.fault for document in opened.read(opened.pin())) == count
            peaks.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
    # A few buffers of 1 MiB; the database driver fetches 1000 rows of 8 KB at once.
    assert min(peaks) < (24 if kind == "sql" else 9) * MIB
