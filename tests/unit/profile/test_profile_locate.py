"""Sources at an address: files, folders, archives, databases."""

from __future__ import annotations

import gzip
import io
import sqlite3
import tarfile
import zipfile
from pathlib import Path

import pytest

from components.core.errors import NewsloopError, SourceError, UsageError
from components.core.paths import Paths
from components.profile.locate import locate, unique

TEXT, JSON_LINE = b"text,label\na b,x\n", b'{"text": "a"}\n'


def tree(root: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    return root


def zipped(*names: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for name in names:
            file.writestr(name, b"a,b\n1,2\n")
    return buffer.getvalue()


# name of a file, its content, kind
FILES = [
    ("a.csv", TEXT, "csv"), ("A.TSV", TEXT, "csv"), ("a.csv.gz", gzip.compress(TEXT), "csv"),
    ("a.jsonl", JSON_LINE, "jsonl"), ("a.ndjson", JSON_LINE, "jsonl"), ("a.json", b"[]", "json"),
    ("a.parquet", b"PAR1", "parquet"), ("a.feather", b"ARROW1", "arrow"),
    ("a.ods", zipped("opendocument.spreadsheet"), "excel"),
    ("a.xlsx", zipped("xl/workbook.xml"), "excel"), ("a.csv", zipped("xl/workbook.xml"), "excel"),
    ("a.mbox", b"From x", "mbox"), ("a.txt", b"__label__a x\n", "lines"),
    ("a.tar.gz", b"x", "folder"),
    ("SMSSpamCollection", b"ham\thello\n", "csv"), ("a.txt", b"ham\thello\n", "csv"),
    ("export", JSON_LINE * 2, "jsonl"), ("export", b'[\n{"a": 1}]', "json"),
    ("export", b'{\n "a": 1}', "json"), ("export", b"PAR1x", "parquet"),
    ("export", gzip.compress(JSON_LINE * 2), "jsonl"),
    ("utf16.txt", "a\tb".encode("utf-16"), "csv"),
    ("a.zip", zipped("texts/a/1.txt", "texts/b/2.txt"), "folder"),
    ("a.zip", zipped("only.csv"), "csv"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "content", "kind"), FILES)
def test_kind_of_a_file(tmp_path: Path, name: str, content: bytes, kind: str) -> None:
    (tmp_path / name).write_bytes(content)
    (entry,) = locate(str(tmp_path / name), Paths(tmp_path, tmp_path))
    assert (entry["kind"], entry["path"]) == (kind, name)


# files of a folder -> (kind, path below the folder, side) of each source
FOLDERS = {
    "texts of classes": (["pos/1.txt", "neg/2.txt", "README"], [("folder", "", None)]),
    "texts without suffix": (["sci.med/59001", "rec.autos/102"], [("folder", "", None)]),
    "train and test": (
        ["train.csv", "test.csv", "README.csv"],
        [("csv", "test.csv", "test"), ("csv", "train.csv", "train")],
    ),
    "parts of parquet": (
        ["data/train-00000-of-00002.parquet", "data/train-00001-of-00002.parquet",
         "data/test-00000-of-00001.parquet"],
        [("parquet", "data/test-00000-of-00001.parquet", "test"),
         ("parquet", "data/train-*.parquet", "train")],
    ),
    "folders of sides": (
        ["train/part-1.jsonl", "train/part-2.jsonl", "dev/part-1.jsonl"],
        [("jsonl", "dev/part-1.jsonl", "validation"), ("jsonl", "train/part-*.jsonl", "train")],
    ),
    "a table without suffix": (
        ["SMSSpamCollection", "readme"], [("csv", "SMSSpamCollection", None)],
    ),
    "fastText": (
        ["train.txt", "test.txt"], [("lines", "test.txt", "test"), ("lines", "train.txt", "train")],
    ),
    "lines and labels": (["sentences.txt", "labels.txt"], [("lines", "sentences.txt", None)]),
    "hidden files": ([".git/x.csv", "__MACOSX/a.csv", "b.csv"], [("csv", "b.csv", None)]),
}  # fmt: skip


@pytest.mark.parametrize("name", FOLDERS)
def test_sources_of_a_folder(tmp_path: Path, name: str) -> None:
    files, expected = FOLDERS[name]
    content = b"__label__a some text\n" if name == "fastText" else TEXT
    tree(tmp_path / "data", dict.fromkeys(files, content))
    entries = locate(str(tmp_path / "data"), Paths(tmp_path, tmp_path))
    listed = [(e["kind"], e["path"][5:], e.get("fixed_part")) for e in entries]
    assert listed == expected
    assert len({entry["name"] for entry in entries}) == len(entries)


def test_members_of_a_zip_are_sources(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(zipped("set/train.csv", "set/test.csv", "set/readme.txt"))
    entries = locate(str(tmp_path / "a.zip"), Paths(tmp_path, tmp_path))
    assert [(e["inside"], e["fixed_part"]) for e in entries] == [
        ("set/test.csv", "test"), ("set/train.csv", "train"),
    ]  # fmt: skip


def test_a_path_outside_the_project_is_absolute(tmp_path: Path) -> None:
    tree(tmp_path, {"mine.csv": TEXT})
    project = Paths(tmp_path / "project", tmp_path)
    assert locate(str(tmp_path / "mine.csv"), project)[0]["path"] == str(tmp_path / "mine.csv")


def test_a_database_is_named_by_its_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TICKETS_DATABASE_URL", "postgresql://u:secret@host/db")
    for address in ("TICKETS_DATABASE_URL", "$TICKETS_DATABASE_URL", "env:TICKETS_DATABASE_URL"):
        (entry,) = locate(address, Paths(tmp_path, tmp_path))
        assert entry == {"name": "tickets", "kind": "sql", "url_env": "TICKETS_DATABASE_URL"}


def test_names_of_sources_differ() -> None:
    entries = [{"name": name} for name in ("a", "a", "feedback", "a")]
    assert [e["name"] for e in unique(entries)] == ["a", "a_2", "feedback_2", "a_3"]


@pytest.mark.parametrize(
    ("name", "content", "error", "words"),
    [
        ("nothing.csv", None, UsageError, "got none"),
        ("empty.csv", b"", SourceError, "an empty file"),
        ("a.bin", b"\0\1\2" * 100, SourceError, "a binary file"),
        ("a.pdf", b"%PDF-1.7", SourceError, "a PDF"),
        ("a.docx", zipped("word/document.xml"), SourceError, "a document of Word"),
        ("a.xls", b"<html><table>", SourceError, "an HTML page"),
        ("a.zip", b"PK\3\4broken", SourceError, "readable file or archive"),
        ("a.gz", b"\x1f\x8bbroken", SourceError, "got"),
        ("photos/a.jpg", b"x", UsageError, r"\.jpg 1"),
        ("https://example.org/a.csv", None, UsageError, "Save the file"),
        ("postgresql://u:secret@host/db", None, UsageError, "environment variable"),
    ],
)
def test_what_is_no_data_is_one_sentence(
    tmp_path: Path, name: str, content: bytes | None, error: type[NewsloopError], words: str
) -> None:
    address = name if "://" in name else str(tmp_path / name.partition("/")[0])
    if content is not None:
        tree(tmp_path, {name: content})
    with pytest.raises(error, match=words) as raised:
        locate(address, Paths(tmp_path, tmp_path))
    assert "\n" not in str(raised.value)
    assert "secret" not in str(raised.value)


def test_an_sqlite_file_is_a_database(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "a.db") as connection:
        connection.execute("create table t (a)")
    connection.close()
    entries = locate(str(tmp_path / "a.db"), Paths(tmp_path, tmp_path))
    assert entries == [{"name": "a", "kind": "sql", "path": "a.db"}]


def test_a_tar_is_a_folder_of_texts(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a.tgz", "w:gz"):
        pass
    assert locate(str(tmp_path / "a.tgz"), Paths(tmp_path, tmp_path))[0]["kind"] == "folder"
