"""The audit finds what was planted, wherever and however it was written, and repeats no value."""

from __future__ import annotations

import base64
import gzip
import html
import io
import json
import re
import sqlite3
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from urllib.parse import quote

import numpy as np
import polars as pl
import pytest

from components.core import audit
from components.core.audit import Canaries, scan
from components.core.errors import UsageError
from components.core.scrub import Finding

CANARY = 'zoë "o\'brien" <zoe+1@canary-7.example.org>'
MAIL = re.compile(r"[\w.]+@[\w.]+\w")


class Finder:
    """Stands where the scrubber stands: e-mail addresses, and Bob."""

    def find_many(self, texts: Sequence[str]) -> list[list[Finding]]:
        patterns = (("EMAIL_ADDRESS", MAIL), ("PERSON", re.compile("Bob")))
        return [
            [
                Finding(found.start(), found.end(), entity, 1.0)
                for entity, pattern in patterns
                for found in pattern.finditer(text)
            ]
            for text in texts
        ]


def arrow(value: str) -> bytes:
    file = io.BytesIO()
    pl.DataFrame({"n": [1, 2], "text": ["none", f"a {value} b"]}).write_parquet(file)
    return file.getvalue()


def nested(value: str) -> bytes:
    file = io.BytesIO()
    pl.DataFrame({"reasons": [["none"], [f"a {value} b"]]}).write_parquet(file)
    return file.getvalue()


def zipped(value: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("inside.txt", "first\n" + value)
        archive.writestr("inside.txt.gz", gzip.compress(b"nothing here"))
    return file.getvalue()


def array(value: str) -> bytes:
    file = io.BytesIO()
    np.savez_compressed(file, words=np.array(["none", value]))
    return file.getvalue()


WAYS: list[tuple[str, str, Callable[[str], bytes]]] = [
    ("text", "a.txt", lambda v: f"one\ntwo {v}\n".encode()),
    ("upper case", "a.log", lambda v: v.encode().upper()),
    ("bytes before and after", "a.pb", lambda v: b"\0\xff\x01" + v.encode() + b"\0\xfe"),
    ("UTF-16", "a.bin", lambda v: v.encode("utf-16")),
    ("big-endian UTF-16", "a.bin", lambda v: v.encode("utf-16-be")),
    ("JSON", "a.json", lambda v: json.dumps({"x": [v]}).encode()),
    ("plain JSON", "a.json", lambda v: json.dumps(v, ensure_ascii=False).encode()),
    ("JSON lines", "a.jsonl", lambda v: b'{"x": 1}\n' + json.dumps({"x": v}).encode()),
    ("percent", "a.txt", lambda v: quote(v, safe="").encode()),
    ("HTML", "a.html", lambda v: f"<p>{html.escape(v)}</p>".encode()),
    ("base64", "a.txt", lambda v: base64.b64encode(v.encode())),
    ("base64, shifted by one", "a.txt", lambda v: base64.b64encode(b"x" + v.encode() + b"y")),
    ("base64, shifted by two", "a.txt", lambda v: base64.b64encode(b"xx" + v.encode() + b"yy")),
    ("url-safe base64", "a.txt", lambda v: base64.urlsafe_b64encode(b"??>" + v.encode())),
    ("gzip", "a.txt.gz", lambda v: gzip.compress(v.encode())),
    ("zip", "a.zip", zipped),
    ("zip in gzip", "a.zip.gz", lambda v: gzip.compress(zipped(v))),
    ("Parquet", "a.parquet", arrow),
    ("a list in Parquet", "a.parquet", nested),
    ("a compressed array", "a.npz", array),
]  # fmt: skip


@pytest.mark.parametrize(("name", "make"), [way[1:] for way in WAYS], ids=[way[0] for way in WAYS])
def test_a_canary_is_found_however_it_is_written(
    tmp_path: Path, name: str, make: Callable[[str], bytes]
) -> None:
    (tmp_path / name).write_bytes(make(CANARY))
    (tmp_path / "clean").mkdir()
    (tmp_path / "clean" / name).write_bytes(make("nothing of that kind, but as long as it"))
    report = scan([tmp_path], Canaries.of([CANARY]))
    assert {hit.file for hit in report.hits} == {str(tmp_path / name)}
    assert (report.files, report.unread) == (2, [])
    assert "zo" not in " ".join(f"{hit.where} {hit.entity}" for hit in report.hits)
    assert not report.clean


@pytest.mark.parametrize("size", [8 * 1024 * 1024 - 10, 8 * 1024 * 1024, 2 * 8 * 1024 * 1024 - 1])
def test_a_canary_on_the_edge_of_two_chunks_is_found_once(tmp_path: Path, size: int) -> None:
    (tmp_path / "large.bin").write_bytes(b"\0" * size + b"canary-in-a-large-file" + b"\0" * size)
    (hit,) = scan([tmp_path], Canaries.of(["canary-in-a-large-file"])).hits
    assert (hit.where, hit.count) == (f"offset {size}", 1)


def test_deleted_rows_and_the_write_ahead_log_are_searched(tmp_path: Path) -> None:
    database = sqlite3.connect(tmp_path / "a.sqlite")
    database.execute("PRAGMA secure_delete=OFF")
    database.execute("CREATE TABLE t (x TEXT)")
    database.executemany("INSERT INTO t VALUES (?)", [("gone@example.org " * 9,)] * 50)
    database.execute("INSERT INTO t VALUES ('kept@example.org')")
    database.commit()
    database.execute("DELETE FROM t WHERE x LIKE 'gone%'")
    database.commit()
    database.execute("PRAGMA journal_mode=WAL")
    database.execute("INSERT INTO t VALUES ('waiting@example.org')")
    database.commit()
    report = scan([tmp_path / "a.sqlite"], Canaries.of(["gone@example.org", "waiting@example.org"]))
    files = {Path(hit.file).name for hit in report.hits}
    assert files == {"a.sqlite", "a.sqlite-wal"}
    found = scan([tmp_path / "a.sqlite"], Canaries.of([]), Finder()).hits
    places = [hit.where for hit in found if hit.file.endswith(".sqlite")]
    assert "table t, row 1, column x" in places  # the waiting one is read from the log
    assert any(place.endswith("(deleted)") for place in places)
    database.close()


@pytest.mark.parametrize(
    ("name", "content", "where"),
    [
        ("a.txt", b"one\ntwo\nann@example.org\n", "line 3"),
        ("a.csv", b"id,text\n1,ann@example.org\n", "line 2"),
        ("a.json", b'{"a": [{"b": "ann\\u0040example.org"}]}', "$.a[0].b"),
        ("a.jsonl", b'{"a": 1}\n{"a": "ann@example.org"}', "line 2, $.a"),
        ("a.html", b"<svg>\n<path d='1 2'/></svg>\n<p>ann&#64;example.org</p>", "line 3"),
        ("a.parquet", arrow("ann@example.org"), "row 1, column text"),
        ("a.pb", b"\0\0\0\0ann@example.org\0", "offset 4"),
        ("a.gz", gzip.compress(b"ann@example.org", mtime=0), "a.gz unpacked: line 1"),
    ],
)
def test_personal_data_are_told_by_their_place(
    tmp_path: Path, name: str, content: bytes, where: str
) -> None:
    (tmp_path / name).write_bytes(content)
    (hit,) = scan([tmp_path], Canaries.of([]), Finder()).hits
    assert (hit.where, hit.entity, hit.count) == (where, "EMAIL_ADDRESS", 1)
    assert "ann" not in f"{hit}".replace(str(tmp_path), "")


@pytest.mark.parametrize(
    "text",
    ["<EMAIL_ADDRESS> and <PERSON>", "d41d8cd98f00b204e9800998ecf8427e", "0.4916338801",
     "2026-11-23 14:39:46,123", "550e8400-e29b-41d4-a716-446655440000",
     "anon-3998259662792704"],
)  # fmt: skip
def test_placeholders_hashes_times_and_fractions_are_never_searched(
    tmp_path: Path, text: str
) -> None:
    class Anything:
        def find_many(self, texts: Sequence[str]) -> list[list[Finding]]:
            found = [list(re.finditer(r"[^\s]+", text.replace("and", ""))) for text in texts]
            return [[Finding(m.start(), m.end(), "X", 1.0) for m in ms] for ms in found]

    (tmp_path / "a.txt").write_text(text)
    assert scan([tmp_path], Canaries.of([]), Anything()).clean


def test_a_pseudonym_of_digits_only_is_no_card_and_a_card_elsewhere_is_one(tmp_path: Path) -> None:
    class Cards:
        def find_many(self, texts: Sequence[str]) -> list[list[Finding]]:
            return [
                [Finding(m.start(), m.end(), "CREDIT_CARD", 1.0) for m in re.finditer(r"\d{16}", t)]
                for t in texts
            ]

    card = "3998259662792704"
    columns = {"author": [card, "4" * 15], "text": [None, card]}
    pl.DataFrame(columns).write_parquet(tmp_path / "a.parquet")
    (hit,) = scan([tmp_path], Canaries.of([]), Cards()).hits
    assert hit.where == "row 1, column text"
    assert {hit.where for hit in scan([tmp_path], Canaries.of([card])).hits} >= {
        "row 0, column author",
        "row 1, column text",
    }


@pytest.mark.parametrize(("address", "counts"), [("127.0.0.1", False), ("8.8.8.8", True)])
def test_this_machine_s_own_address_is_no_finding(address: str, counts: bool) -> None:
    found = [Finding(0, len(address), "IP_ADDRESS", 1.0)]
    assert bool(list(audit.findings(address, found))) is counts


def test_persons_are_not_looked_for_in_bytes(tmp_path: Path) -> None:
    (tmp_path / "a.pb").write_bytes(b"\0\0\0Bob and Bob\0")
    (tmp_path / "a.txt").write_bytes(b"Bob and Bob")
    assert scan([tmp_path], Canaries.of([]), Finder()).counts() == {"PERSON": 2}


def test_a_long_text_is_searched_to_its_end(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps("x " * 50_000 + "ann@example.org"))
    assert scan([tmp_path], Canaries.of([]), Finder()).counts() == {"EMAIL_ADDRESS": 1}


def test_a_file_s_name_is_searched_too(tmp_path: Path) -> None:
    (tmp_path / "ann@example.org.txt").write_text("nothing")
    (hit,) = scan([tmp_path], Canaries.of(["ann@example.org"])).hits
    assert hit.where == "the file's name"


def test_a_file_that_cannot_be_read_is_no_clean_file(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_bytes(b"PAR1 and no more")
    (tmp_path / "b.gz").write_bytes(b"\x1f\x8b and no more")
    report = scan([tmp_path], Canaries.of(["x"]))
    assert len(report.unread) == 2
    assert not report.clean


def test_what_is_left_out_is_left_out_and_what_is_missing_is_said(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a.txt").write_text("canary-1")
    assert scan([tmp_path], Canaries.of(["canary-1"]), leave_out=[tmp_path / "out"]).clean
    with pytest.raises(UsageError):
        scan([tmp_path / "none"], Canaries.of([]))


@pytest.mark.parametrize(("text", "found"), [("mine/12", 1), ("mine/123", 0), ('"mine/12"', 1)])
def test_whole_words_are_no_parts_of_others(tmp_path: Path, text: str, found: int) -> None:
    (tmp_path / "a.txt").write_text(text)
    report = scan([tmp_path], Canaries.of(["mine/12"], whole_words=True))
    assert len(report.hits) == found
