"""Who was erased stays out, in any clone; the list and the ids name nobody."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from components.core import keys, tables
from components.core.errors import DataError, UsageError
from components.core.paths import Paths
from components.core.scrub import pseudonyms, suppression
from components.core.scrub.suppression import Subject, SuppressionFilter
from components.sources import RawDocument

NOW = datetime(2026, 1, 5, tzinfo=UTC)
ANN = "Ann Example <ann@example.org>"
LABELS = ("sports", "alt.atheism")


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths(tmp_path / "project", tmp_path / "home")


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("001.txt", True), ("sports", True), ("T-1234", True), ("2024-01-05", True),
        ("article_17.json", True), ("0123456789abcdef", True),
        ("550e8400-e29b-41d4-a716-446655440000", True), ("99999999", True),
        ("ann@example.org", False), ("john_smith.txt", False), ("Merkel", False),
        ("AngelaMerkel1", False), ("4111111111111111", False), ("2125550123", False),
        ("078-05-1120", False), ("Merkel 12", False), ("", False),
    ],
)  # fmt: skip
def test_plain_names(name: str, plain: bool) -> None:
    assert pseudonyms.is_plain(name) is plain


@pytest.mark.parametrize(
    ("id_", "same"),
    [
        ("bbc/sports/001.txt", True),
        ("news/alt.atheism/49960", True),  # a label is known, whatever it looks like
        ("mine/ann@example.org", False),
        ("mine/sports/john smith.txt", False),
    ],
)
def test_an_id_that_names_somebody_becomes_a_keyed_hash(id_: str, same: bool) -> None:
    found = pseudonyms.plain_id(id_, b"key", frozenset(LABELS))
    assert (found == id_) is same
    assert found.split("/")[0] == id_.split("/", maxsplit=1)[0]
    assert (
        pseudonyms.plain_id(found, b"key", frozenset(LABELS)) == found
    )  # coming back, it stays as it is
    assert pseudonyms.plain_id(id_, b"another key", frozenset(LABELS)) == found or not same


@pytest.mark.parametrize(
    ("label", "same"),
    [
        ("alt.atheism", True),
        ("weather", True),
        (None, True),
        ("Ann Smith", False),
        ("a@b.org", False),
    ],
)
def test_a_label_column_with_names_is_masked(label: str | None, same: bool) -> None:
    assert (pseudonyms.plain_label(label, b"key", frozenset(LABELS)) == label) is same


ALL = [
    RawDocument("s/1", "a text", author=ANN),
    RawDocument("s/2", "a text", author="Bob"),
    RawDocument("s/3", "write to Ann@Example.ORG, please", author="Bob"),
    RawDocument("s/john smith", "a text"),
]


@pytest.mark.parametrize(
    ("subject", "left"),
    [
        (Subject("author", ANN.upper()), ["s/2", "s/3", "anon"]),
        (Subject("author", "bob"), ["s/1", "anon"]),
        (Subject("author", "Bobby"), ["s/1", "s/2", "s/3", "anon"]),
        (Subject("email", "ann@example.org"), ["s/2", "anon"]),
        (Subject("document", "s/2"), ["s/1", "s/3", "anon"]),
        (Subject("document", "s/john smith"), ["s/1", "s/2", "s/3"]),
    ],
)
def test_the_guard_leaves_out_whom_the_list_names(
    paths: Paths, subject: Subject, left: list[str]
) -> None:
    assert suppression.add(paths, subject, NOW)
    assert not suppression.add(paths, subject, NOW)
    guard = SuppressionFilter.load(paths, LABELS)
    ids = [found.id for raw in ALL if (found := guard.admit(raw)) is not None]
    assert ["anon" if "anon-" in id_ else id_ for id_ in ids] == left
    assert guard.left_out == len(ALL) - len(left)


def test_the_list_holds_keyed_hashes_only(paths: Paths) -> None:
    suppression.add(paths, Subject.of(ANN, "author"), NOW)
    # The second is in git, and dvc.yaml names it.
    for file in (paths.home / "suppression.json", paths.root / "data" / "suppression.json"):
        text = file.read_text()
        assert "ann" not in text.casefold()
        (entry,) = json.loads(text)["subjects"]
        assert sorted(entry) == ["hash", "kind", "time"]
        assert len(entry["hash"]) == 64


def test_a_clone_obeys_what_the_installation_knows_and_what_git_brings(paths: Paths) -> None:
    clone = Paths(paths.home / "workspace", paths.home)
    tables.write_json(suppression.EMPTY, suppression.pinned_file(clone.root))
    suppression.add(paths, Subject("author", "Ann"), NOW)
    guard = SuppressionFilter.load(clone, LABELS)  # an old commit, whose own list is empty
    assert guard.admit(RawDocument("s/1", "a text", author="ann")) is None
    assert suppression.pin(clone)  # so that DVC runs ingest anew
    assert not suppression.pin(clone)
    suppression.home_file(paths).unlink()  # the installation was reset, git still knows
    assert (
        SuppressionFilter.load(clone, LABELS).admit(RawDocument("s/1", "a text", author="ann"))
        is None
    )


def test_with_another_key_nothing_is_taken_in(paths: Paths) -> None:
    suppression.add(paths, Subject("author", "Ann"), NOW)
    elsewhere = Paths(paths.root, paths.home.parent / "another home")
    with pytest.raises(DataError, match=r"suppression\.key"):
        SuppressionFilter.load(elsewhere, LABELS)


@pytest.mark.parametrize("content", ["[]", "{}", '{"subjects": [1], "rotations": 0}', "no JSON"])
def test_a_broken_list_is_refused(paths: Paths, content: str) -> None:
    tables.write_text(content, suppression.pinned_file(paths.root))
    with pytest.raises(DataError):
        SuppressionFilter.load(paths, LABELS)


def test_an_empty_list_changes_nothing(paths: Paths) -> None:
    tables.write_json(suppression.EMPTY, suppression.pinned_file(paths.root))
    assert not suppression.pin(paths)
    assert not suppression.home_file(paths).exists()
    guard = SuppressionFilter.load(paths, LABELS)
    assert [guard.admit(raw) for raw in ALL[:3]] == ALL[:3]


@pytest.mark.parametrize(
    ("key", "kind", "expected"),
    [
        ("Ann", None, "author"), ("ann@example.org", None, "email"), ("mine/12", None, "document"),
        ("mine/12", "author", "author"), (" Ann ", "author", "author"),
    ],
)  # fmt: skip
def test_the_kind_is_guessed(key: str, kind: str | None, expected: str) -> None:
    found = Subject.of(key, kind)
    assert (found.kind, found.key) == (expected, key.strip())


@pytest.mark.parametrize(("key", "kind"), [("", None), ("Ann", "email"), ("Ann", "person")])
def test_what_is_no_subject_is_refused(key: str, kind: str | None) -> None:
    with pytest.raises(UsageError):
        Subject.of(key, kind)


def test_a_new_pseudonym_key_unlinks_and_makes_ingest_run_anew(paths: Paths) -> None:
    before = keys.pseudonym_key(paths.keys)
    suppression.add(paths, Subject("author", "Ann"), NOW)
    keys.rotate_pseudonym_key(paths.keys)
    suppression.note_rotation(paths)
    after = keys.pseudonym_key(paths.keys)
    assert len(after) == len(before) == 32
    assert pseudonyms.pseudonym("Ann", before) != pseudonyms.pseudonym("Ann", after)
    assert tables.read_json(suppression.pinned_file(paths.root))["rotations"] == 1
    assert (
        SuppressionFilter.load(paths, LABELS).admit(RawDocument("s/1", "text", author="Ann"))
        is None
    )
    assert (paths.keys / keys.PSEUDONYM).stat().st_mode & 0o777 == 0o600
