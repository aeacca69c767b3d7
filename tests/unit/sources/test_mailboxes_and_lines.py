"""Mailboxes (mbox), and text files with a document a line."""

from __future__ import annotations

import gzip
import shutil
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from components.core.errors import SourceError
from components.core.params import Limits, Source
from components.core.paths import Paths
from components.sources import RawDocument, open_source
from tests.unit.sources.made_files import MAIL, zipped

PROJECT = Path(__file__).parents[3] / "params.yaml"
ENVELOPE = b"From ann@example.org Wed May  1 12:00:00 2024\n"
SECOND = b"Subject: two\nX-Gmail-Labels: Inbox,Important,tech\n\nbody\n>From here on\n"


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    shutil.copy(PROJECT, tmp_path / "params.yaml")
    return Paths(tmp_path, tmp_path / ".newsloop")


def read(paths: Paths, kind: str, files: dict[str, bytes], **settings: Any) -> list[RawDocument]:
    for name, content in files.items():
        (paths.root / name).write_bytes(content)
    source = {"name": "s", "kind": kind, "path": next(iter(files)),
              "limits": Limits(document_mib=1), **settings}  # fmt: skip
    opened = open_source(Source.model_validate(source), paths)
    return list(opened.read(opened.pin()))


MBOX = ENVELOPE + MAIL + b"\n" + ENVELOPE + SECOND


@pytest.mark.parametrize(
    ("name", "content", "prefix"),
    [("m.mbox", MBOX, ""), ("m.mbox.gz", gzip.compress(MBOX), ""),
     ("m.zip", zipped({"in/box.mbox": MBOX, "x.txt": b"x"}), "in/box.mbox/")],
)  # fmt: skip
def test_each_message_of_a_mailbox_is_a_document(
    paths: Paths, name: str, content: bytes, prefix: str
) -> None:
    one, two = read(paths, "mbox", {name: content})
    assert (one.id, one.text, one.label) == (
        f"s/{prefix}1", "Café closed\n\nThe café is closed.", "late",
    )  # fmt: skip
    assert one.author == "ann@example.org" and str(one.time) == "2024-05-01 12:00:00+00:00"
    assert (two.text, two.label) == ("two\n\nbody\nFrom here on", None)


@pytest.mark.parametrize(
    ("settings", "label", "first"),
    [
        ({"label": "x-gmail-labels"}, "tech", "s/1"),  # params.yaml has the class tech
        ({"label": "X-Gmail-Labels", "label_names": {"Important": "late"}}, "late", "s/1"),
        ({"fixed_label": "late", "id": "Message-ID"}, "late", "s/<1@example.org>"),
        ({"label": "Subject"}, "two", "s/1"),
    ],
)
def test_the_label_of_a_message_is_a_header(
    paths: Paths, settings: dict[str, Any], label: str, first: str
) -> None:
    found = read(paths, "mbox", {"m.mbox": MBOX}, **settings)
    assert [d.id for d in found] == [first, "s/2"] and found[1].label == label


def test_a_long_message_is_a_bad_row_and_another_file_is_refused(paths: Paths) -> None:
    long = ENVELOPE + b"Subject: x\n\n" + b"line\n" * 300_000 + b"\n"
    bad, good = read(paths, "mbox", {"m.mbox": long + ENVELOPE + SECOND})
    assert bad.fault == "the text is longer than 1,048,576 bytes" and good.text[:3] == "two"
    assert read(paths, "mbox", {"m.mbox": b"\n"}) == []
    with pytest.raises(SourceError, match="expected an mbox file"):
        read(paths, "mbox", {"m.mbox": b"Subject: x\n\nbody"})
    with pytest.raises(SourceError, match=r"expected \*\.mbox or \*\.mbx"):
        read(paths, "mbox", {"m.zip": zipped({"a.eml": MAIL})})


TEXTS, LABELS = b"one\r\ntwo caf\xc3\xa9\nthree", b"a\nb \nc\n"


@pytest.mark.parametrize(
    ("texts", "labels"),
    [
        (TEXTS, LABELS),
        (b"\xef\xbb\xbf" + TEXTS + b"\n\n\n", LABELS),
        (TEXTS.decode().encode("utf-16"), LABELS.decode().encode("utf-16")),
        (TEXTS.decode().encode("cp1252"), LABELS),
        (gzip.compress(TEXTS), gzip.compress(LABELS)),
    ],
)
def test_a_line_of_the_one_file_is_labelled_by_a_line_of_the_other(
    paths: Paths, texts: bytes, labels: bytes
) -> None:
    end = ".gz" if texts[:2] == b"\x1f\x8b" else ""
    files = {f"t.txt{end}": texts, f"l.txt{end}": labels}
    found = read(paths, "lines", files, labels_path=f"l.txt{end}", label_names={"a": "A"})
    assert [(d.id, d.text, d.label) for d in found] == [
        ("s/1", "one", "A"), ("s/2", "two café", "b"), ("s/3", "three", "c"),
    ]  # fmt: skip


def test_an_empty_line_is_a_bad_row(paths: Paths) -> None:
    found = read(paths, "lines", {"t": b"one\n\nx\n", "l": b"a\nb\n\n"}, labels_path="l")
    assert [(d.label, d.fault) for d in found] == [
        ("a", None), (None, "the text is empty"), (None, None),
    ]  # fmt: skip


@pytest.mark.parametrize(("labels", "words"), [
    (b"a\n", "as many labels in l as texts in .*, got 3 texts and 1 labels"),
    (b"a\n" * 5, "3 texts and 5 labels"),
])  # fmt: skip
def test_files_of_unequal_length_are_refused(paths: Paths, labels: bytes, words: str) -> None:
    with pytest.raises(SourceError, match=words):
        read(paths, "lines", {"t": TEXTS, "l": labels}, labels_path="l")


def test_other_labels_than_the_pinned_ones_are_refused(paths: Paths) -> None:
    (paths.root / "t").write_bytes(TEXTS)
    (paths.root / "l").write_bytes(LABELS)
    source = Source.model_validate({"name": "s", "kind": "lines", "path": "t", "labels_path": "l"})
    opened = open_source(source, paths)
    pin = opened.pin()
    (paths.root / "l").write_bytes(b"a\nb\na\n")
    with pytest.raises(SourceError, match=r"expected what the snapshot pinned.*other labels"):
        list(opened.read(pin))
    (paths.root / "l").unlink()
    with pytest.raises(SourceError, match=r"a file at .*/l, got none.*labels_path"):
        opened.pin()


def test_fasttext_lines_begin_with_their_label(paths: Paths) -> None:
    lines = b"__label__pos good film\nno label\n__label__a __label__b two\n __label__neg  bad\n"
    found = read(paths, "lines", {"t": lines})
    assert [(d.text, d.label, d.fault) for d in found] == [
        ("good film", "pos", None),
        ("", None, "the line does not begin with __label__"),
        ("", None, "the line has 2 labels, a document has one"),
        ("bad", "neg", None),
    ]
    first_words = read(paths, "lines", {"t": b"NUM:date when\nlonely\n1 __label__x y\n"})
    assert [(d.text, d.label, d.fault) for d in first_words] == [
        ("when", "NUM:date", None),
        ("", None, "the text is empty"),
        ("__label__x y", "1", None),
    ]
    fixed = read(paths, "lines", {"t": TEXTS}, fixed_label="a")
    assert [d.label for d in fixed] == ["a"] * 3


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"kind": "feedback", "fixed_label": "a"}, "feedback has no fixed_label"),
        (
            {"kind": "csv", "path": "x", "fixed_label": "a", "label_names": {"b": "a"}},
            "takes one of",
        ),
        ({"kind": "lines", "path": "x", "fixed_label": "a", "labels_path": "y"}, "takes one of"),
        ({"kind": "csv", "path": "x", "labels_path": "y"}, "no key labels_path"),
    ],
)
def test_settings_without_effect_are_refused(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        Source.model_validate({"name": "s", **settings})
