"""Folders and archives of documents: formats, encodings, layouts, and what is left alone."""

from __future__ import annotations

import gzip
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from components.core.errors import SourceError
from components.core.params import Limits, Source
from components.core.paths import Paths
from components.sources import RawDocument, open_source
from components.sources.documents.layout import layout_of
from tests.unit.sources.made_files import MAIL, docx, odt, paragraph, pdf, tarred, zipped

CAT = "The cat sat on the mat"
LONG = "Правительство вчера утвердило новый закон о налогах, который поможет бизнесу."


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths(tmp_path, tmp_path / ".newsloop")


def read(paths: Paths, files: dict[str, bytes], **settings: Any) -> list[RawDocument]:
    """Reads `files` as a folder; with `path` as an archive of that name."""
    name = settings.setdefault("path", "texts")
    if name == "texts":
        for file, content in files.items():
            (paths.root / name / file).parent.mkdir(parents=True, exist_ok=True)
            (paths.root / name / file).write_bytes(content)
    else:
        pack = zipped if name.endswith(".zip") else tarred
        (paths.root / name).write_bytes(pack(files))
    source = {"name": "s", "kind": "folder", "limits": Limits(document_mib=1), **settings}
    opened = open_source(Source.model_validate(source), paths)
    return list(opened.read(opened.pin()))


@pytest.fixture(scope="module")
def formats(tmp_path_factory: pytest.TempPathFactory) -> dict[str, RawDocument]:
    """All files of FILES, read by one process."""
    root = tmp_path_factory.mktemp("formats")
    found = read(Paths(root, root / ".newsloop"), {f"a/{name}": FILES[name][0] for name in FILES})
    assert {document.label for document in found} == {"a"}
    return {document.id.removeprefix("s/a/"): document for document in found}


FILES: dict[str, tuple[bytes, str]] = {
    "59001": (CAT.encode(), CAT),
    "1.": (CAT.encode(), CAT),
    "00001.7c53336b37003a9286aba55d2945844c": (CAT.encode(), CAT),
    "1.TXT": (CAT.encode(), CAT),
    "2.Txt": (CAT.encode(), CAT),
    "3.md": (b"# " + CAT.encode(), f"# {CAT}"),
    "4.text": (CAT.encode(), CAT),
    "5.txt.gz": (gzip.compress(CAT.encode()), CAT),
    "plain.txt.gz": (CAT.encode(), CAT),
    "packed.txt": (gzip.compress(CAT.encode()), CAT),
    "6.HTML": (b"<html><head><title>t</title></head><p>The cat<br>sat</p>", "The cat\nsat"),
    "7.htm": (b'<meta charset="windows-1251"><p>' + LONG.encode("cp1251"), LONG),
    "8.html.gz": (gzip.compress(b"<p>one"), "one"),
    "mark.txt": (b"\xef\xbb\xbf" + CAT.encode(), CAT),
    "utf16.txt": (CAT.encode("utf-16"), CAT),
    "utf32.txt": (CAT.encode("utf-32"), CAT),
    "pound.txt": (b"costs \xa35 \x80", "costs £5 €"),
    "russian.txt": (LONG.encode("cp1251"), LONG),
    "koi8.txt": (LONG.encode("koi8-r"), LONG),
    "german.txt": ("Die Größe für öffentliche Gebäude überträgt".encode("cp1252"),
                   "Die Größe für öffentliche Gebäude überträgt"),
    "polish.txt": ("Związki są oburzone i zapowiadają strajk, jeśli płace".encode("cp1250"),
                   "Związki są oburzone i zapowiadają strajk, jeśli płace"),
    "chinese.txt": ("政府昨天批准了新的税法，以帮助小型企业。".encode("gb18030"),
                    "政府昨天批准了新的税法，以帮助小型企业。"),
    "full.eml": (MAIL, "Café closed\n\nThe café is closed."),
    "html.eml": (b"Subject: s\nContent-Type: text/html\n\n<p>one<p>two", "s\n\none\ntwo"),
    "bare.eml": (b"Subject: s\n\nbody\r\nmore\r\n", "s\n\nbody\nmore"),
    "bytes.eml": (b"Subject: caf\xe9\n\ncaf\xe9 au lait", "café\n\ncafé au lait"),
    "wrong.eml": (b"Date: yesterday\nSubject: =?none?q?x?=\nContent-Type: text/plain; "
                  b"charset=none\n\nbody", "=?none?q?x?=\n\nbody"),
    "packed.eml.gz": (gzip.compress(MAIL), "Café closed\n\nThe café is closed."),
    "one.pdf": (pdf("The cat", "sat"), "The cat\nsat"),
    "one.docx": (docx(paragraph("The cat") + "<w:p><w:r><w:t>sat</w:t><w:tab/><w:t>on</w:t>"
                      "<w:br/><w:t>it</w:t></w:r></w:p><w:del><w:r><w:t>x</w:t></w:r></w:del>"),
                 "The cat\nsat\ton\nit"),
    "one.odt": (odt('<t:h>The cat</t:h><t:p>sat<t:s t:c="2"/>on<t:span> it</t:span></t:p>'),
                "The cat\nsat  on it"),
    "one.rtf": (rb"{\rtf1\ansi{\fonttbl{\f0 Arial;}}The caf\'e9\par is \b closed\b0}",
                "The café\nis closed"),
}  # fmt: skip


@pytest.mark.parametrize("name", FILES)
def test_a_file_of_each_format_becomes_its_text(formats: dict[str, RawDocument], name: str) -> None:
    document = formats[name]
    assert (document.text, document.fault) == (FILES[name][1], None)


def test_an_email_has_an_author_and_a_time(formats: dict[str, RawDocument]) -> None:
    mail = formats["full.eml"]
    assert mail.author == "ann@example.org"
    assert mail.time == datetime(2024, 5, 1, 12, tzinfo=UTC)
    assert (formats["wrong.eml"].time, formats["bare.eml"].author) == (None, None)


FAULTY: dict[str, tuple[bytes, str]] = {
    "empty.txt": (b"", "the text is empty"),
    "binary.txt": (b"a\0b", "NUL"),
    "bytes.txt": (b"\x81\x8d\xff", "unknown encoding"),
    "long.txt": (b"x" * 2**20 + b"x", "longer than 1,048,576 bytes"),
    "long.txt.gz": (gzip.compress(bytes(2**21)), "unpacked"),
    "cut.txt.gz": (gzip.compress(CAT.encode())[:-9], "damaged"),
    "no.pdf": (b"%PDF-1.4 and nothing", "damaged"),
    "scan.pdf": (pdf(" "), "without text"),
    "no.docx": (b"\xd0\xcf\x11\xe0 an encrypted one", "password"),
    "no.odt": (zipped({"mimetype": b""}), "not a valid .odt"),
    "xml.docx": (docx("<w:p>"), "not well-formed"),
    "no.rtf": (b"plain", "not RTF"),
    "no.eml": (b"Subject:\n\n", "empty"),
}


@pytest.fixture(scope="module")
def faults(tmp_path_factory: pytest.TempPathFactory) -> dict[str, RawDocument]:
    root = tmp_path_factory.mktemp("faulty")
    files = {f"a/{name}": FAULTY[name][0] for name in FAULTY} | {
        "a/good.docx": docx(paragraph(CAT))
    }
    found = read(Paths(root, root / ".newsloop"), files)
    return {document.id.removeprefix("s/a/"): document for document in found}


@pytest.mark.parametrize("name", FAULTY)
def test_a_file_that_cannot_be_read_is_a_bad_row(faults: dict[str, RawDocument], name: str) -> None:
    document = faults[name]
    assert document.text == "" and document.label == "a"
    assert FAULTY[name][1] in str(document.fault)
    assert faults["good.docx"].text == CAT


LAYOUTS: list[tuple[list[str], list[tuple[str, str | None]]]] = [
    (["pos/1", "neg/2"], [("neg/2", "neg"), ("pos/1", "pos")]),
    (["pos/x/1", "neg/2"], [("neg/2", "neg"), ("pos/x/1", "pos")]),
    # A single folder above the labels
    (["set/pos/1", "set/neg/2"], [("neg/2", "neg"), ("pos/1", "pos")]),
    (["a/b/pos/1", "a/b/neg/2", "a/README"], [("neg/2", "neg"), ("pos/1", "pos")]),
    (["set/pos/1", "set/neg/2", "set/about.txt"], [("neg/2", "neg"), ("pos/1", "pos")]),
    # A single label
    (["tech/1", "tech/2"], [("tech/1", "tech"), ("tech/2", "tech")]),
    (["tech/1", "tech/old/2"], [("tech/1", "tech"), ("tech/old/2", "tech")]),
    # Parts of an official split
    (["train/pos/1", "test/neg/2", "train/x.txt"],
     [("test/neg/2", "neg"), ("train/pos/1", "pos")]),
    (["imdb/train/pos/1", "imdb/train/unsup/3", "imdb/test/neg/2", "imdb/er.txt"],
     [("test/neg/2", "neg"), ("train/pos/1", "pos"), ("train/unsup/3", None)]),
    (["20news-bydate-train/sci.med/1", "20news-bydate-test/sci.med/2"],
     [("20news-bydate-test/sci.med/2", "sci.med"), ("20news-bydate-train/sci.med/1", "sci.med")]),
    (["Train/pos/1", "Dev/pos/2", "unlabeled/3"],
     [("Dev/pos/2", "pos"), ("Train/pos/1", "pos"), ("unlabeled/3", None)]),
    # Labels that only look like parts
    (["test/1", "drive/2"], [("drive/2", "drive"), ("test/1", "test")]),
]  # fmt: skip


@pytest.mark.parametrize("path", ["texts", "texts.zip", "texts.tar.gz"])
@pytest.mark.parametrize(("names", "expected"), LAYOUTS)
def test_the_layout_of_folders_gives_the_labels(
    paths: Paths, path: str, names: list[str], expected: list[tuple[str, str | None]]
) -> None:
    found = read(paths, {name: CAT.encode() for name in names}, path=path)
    assert sorted((d.id.removeprefix("s/"), d.label) for d in found) == expected


def test_parts_of_an_official_split_are_known() -> None:
    layout = layout_of({"set/news-train/a": 1, "set/news-test/a": 1, "set/unsup": 1})
    parts = [layout.place(f"set/{name}") for name in ("news-train/a/1", "news-test/a/1", "unsup/1")]
    assert [(place.label, place.part) for place in parts if place] == [
        ("a", "train"), ("a", "test"), (None, None),
    ]  # fmt: skip


def test_a_folder_that_params_yaml_names_is_a_label(paths: Paths) -> None:
    files = {"tech/ai/1": b"one", "tech/web/2": b"two"}
    assert {d.label for d in read(paths, files)} == {"ai", "web"}
    named = read(paths, files, label_names={"tech": "technology"})
    assert {d.label for d in named} == {"technology"}


def test_a_fixed_label_needs_no_folders(paths: Paths) -> None:
    files = {"1.txt": b"one", "2024/2.txt": b"two", "README.md": b"about these texts"}
    found = read(paths, files, fixed_label="tech")
    assert [(d.id, d.label) for d in found] == [("s/1.txt", "tech"), ("s/2024/2.txt", "tech")]


@pytest.mark.parametrize("path", ["texts", "texts.zip", "texts.tar.gz"])
def test_what_is_left_alone_is_counted(
    paths: Paths, path: str, capsys: pytest.CaptureFixture[str]
) -> None:
    files = {
        "a/1.txt": b"one", "b/2.txt": b"two", "top.txt": b"x", "a/x.jpg": b"x", "a/y.JPG": b"x",
        "b/z.doc": b"x", "b/n.ann smith": b"x", "a/.DS_Store": b"x", "b/Thumbs.db": b"x",
        "__MACOSX/a/1.txt": b"x", "a/.hidden/1.txt": b"x",
    }  # fmt: skip
    assert len(read(paths, files, path=path)) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(
        "ingest: s: 4 files of other kinds (.jpg 2, .doc 1, other 1) and 1 file outside a label's "
        "folder left alone; read are .txt, "
    )


@pytest.mark.parametrize("path", ["texts", "texts.zip", "texts.tar.gz"])
@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["a/1.jpg", "b/2.jpg", "b/3.doc"], r"3 files of other kinds \(\.jpg 2, \.doc 1\).*\.pdf"),
        (["1.txt", "2.txt"], r"got 2 files outside a label's folder.*`fixed_label`"),
    ],
)
def test_a_folder_without_documents_is_refused_with_what_it_has(
    paths: Paths, path: str, names: list[str], words: str
) -> None:
    with pytest.raises(SourceError, match=words):
        read(paths, dict.fromkeys(names, b"x"), path=path)


def test_a_name_in_a_message_names_no_person(paths: Paths) -> None:
    files = {"a/Ann Smith": b"one"}
    source = Source.model_validate({"name": "s", "kind": "folder", "path": "texts"})
    read(paths, files)
    opened = open_source(source, paths)
    documents = opened.read(opened.pin())
    (paths.root / "texts" / "a" / "Bob Smith.docx").write_bytes(b"x")
    opened = open_source(source, paths)
    documents = opened.read(opened.pin())
    next(documents)
    (paths.root / "texts" / "a" / "Bob Smith.docx").write_bytes(b"y")
    with pytest.raises(SourceError, match=r"a/<name withheld>\.docx"):
        list(documents)
