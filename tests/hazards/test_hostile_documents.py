"""Hazard 46 for documents in files: bombs, loops and endless nesting cost one file, not a run.

Each hostile file is converted with a limit of 0.3 seconds of processor time, and a good file is
read after it.
"""

from __future__ import annotations

import io
import resource
import zipfile
from collections.abc import Callable, Iterator

import pytest

from components.formats import FileText
from components.formats.converter import Converter
from tests.files import docx, odt, paragraph, pdf

MIB = 1024 * 1024
SECONDS = 0.3
GOOD = docx(paragraph("a good text"))


def nested(depth: int) -> bytes:
    head = b"".join(
        b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (i, i) for i in range(depth)
    )
    return b"Subject: x\n" + head


def cyclic() -> bytes:
    """A page tree that holds itself."""
    return pdf("text").replace(b"/Kids[5 0 R]", b"/Kids[2 0 R]")


def forms() -> bytes:
    """A page that draws the same text 500,000 times."""
    return pdf("", stream=b"BT /F1 12 Tf " + b"(aaaaaaaa) Tj " * (MIB // 2) + b"ET")


def renamed(content: bytes, size: int) -> bytes:
    """A zip whose directory says that its parts have `size` bytes."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        sizes = [info.file_size for info in archive.infolist()]
    for old in sizes:
        content = content.replace(old.to_bytes(4, "little"), size.to_bytes(4, "little"))
    return content


ENTITIES = "".join(f'<!ENTITY a{i} "{f"&a{i - 1};" * 10}">' for i in range(1, 10))
FILES: dict[str, tuple[str, Callable[[], bytes], str]] = {
    # name: format, content, words of the fault; "" where text may come
    "xml of zeros": ("docx", lambda: docx(" " * 16 * MIB), "unpacks to more than"),
    "long text": ("docx", lambda: docx(paragraph("a" * 4 * MIB)), "longer than 1,048,576 bytes"),
    "entities": (
        "docx", lambda: docx(paragraph("&a9;"), f'<!DOCTYPE x [<!ENTITY a0 "a">{ENTITIES}]>'),
        "document type declaration"),
    "deep xml": ("docx", lambda: docx("<w:p>" * 200_000), "the file"),
    "a small size in the directory": (
        "docx", lambda: renamed(docx(" " * 16 * MIB), 10), "the file is"),
    "spaces": ("odt", lambda: odt('<t:p><t:s t:c="999999999"/>x</t:p>'), ""),
    "many spaces": (
        "odt", lambda: odt('<t:p><t:s t:c="999"/></t:p>' * 9999), "longer than"),
    "nested parts": ("mail", lambda: nested(3000), "the file"),
    "many parts": (
        "mail", lambda: b"Content-Type: multipart/mixed; boundary=b\n\n" + b"--b\n\n\n" * MIB,
        "the file"),
    "addresses": ("mail", lambda: b"From: " + b"(<" * MIB + b"\n\nx", ""),
    "encoded words": ("mail", lambda: b"Subject: " + b"=?utf-8?q?" * MIB + b"\n\nx", ""),
    "continued header": ("mail", lambda: b"Subject: x\n" + b" y\n" * MIB + b"\nx", ""),
    "page stream": ("pdf", lambda: pdf("", stream=b" " * 16 * MIB), "the file"),
    "page of text": ("pdf", forms, "the file"),
    "pages in a circle": ("pdf", cyclic, "the file"),
    "nested arrays": (
        "pdf", lambda: pdf("x").replace(b"/MediaBox[", b"/A" + b"[" * MIB), "the file"),
    "nested groups": ("rtf", lambda: b"{\\rtf1 " + b"{" * MIB, ""),
    "fields": ("rtf", lambda: b"{\\rtf1 " + b"{\\field{\\*\\fldinst{HYPERLINK " * 50_000, ""),
    "words": ("rtf", lambda: b"{\\rtf1 " + b"\\u-1" * MIB, ""),
}  # fmt: skip


@pytest.fixture(scope="module")
def converter() -> Iterator[Converter]:
    with Converter(SECONDS, MIB) as made:
        yield made


@pytest.mark.parametrize("name", FILES)
def test_a_hostile_file_is_a_bad_row_and_the_next_one_is_read(
    converter: Converter, name: str
) -> None:
    format_, make, words = FILES[name]
    content = make()
    before = resource.getrusage(resource.RUSAGE_SELF)
    found = converter.convert(content, format_, 4 * MIB)
    after = resource.getrusage(resource.RUSAGE_SELF)
    if words:
        assert words in str(found.fault) and found.text == ""
    assert len(found.text) <= MIB
    assert after.ru_utime - before.ru_utime < 2 * SECONDS
    assert converter.convert(GOOD, "docx", MIB) == FileText("a good text")


def test_a_converter_that_ends_leaves_no_process() -> None:
    with Converter(SECONDS, MIB) as made:
        made.convert(GOOD, "docx", MIB)
        child = made._child
        assert child is not None and child.poll() is None
    assert child.returncode is not None
