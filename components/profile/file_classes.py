"""Recognizes files that hold one class each, and the sides of an official split in file names."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import PurePosixPath

from components.profile.examine import FIELDS, Examined
from components.profile.locate import TABLES
from components.profile.names import part_of

_WORD = re.compile(r"[^\W_]+")
_PACKED = re.compile(r"\.(?:gz|zst|bz2|xz)$", re.IGNORECASE)


def by_file(examined: Sequence[Examined]) -> list[Examined]:
    """Labels files without a column of labels by their names, as spam.csv and ham.csv.

    All files must have texts and no labels, and names that differ in a word that is no number.
    """
    labels = file_labels([str(source.entry.get("path", "")) for source in examined])
    unlabelled = all(
        source.entry["kind"] == "mbox" or (source.roles.text and source.roles.label is None)
        for source in examined
    )
    if not labels or not unlabelled:
        return list(examined)
    return [_labelled(source, label) for source, label in zip(examined, labels, strict=True)]


def _labelled(source: Examined, label: str) -> Examined:
    entry = {**source.entry, "fixed_label": label}
    suffix = PurePosixPath(_PACKED.sub("", entry["path"])).suffix.lower()
    if entry["kind"] == "csv" and suffix not in TABLES:
        return Examined({**entry, "kind": "lines"}, (), FIELDS, 0)
    if entry["kind"] == "mbox":
        return replace(source, entry=entry)
    return replace(source, entry=entry, roles=replace(source.roles, label=FIELDS.label))


def file_labels(paths: Sequence[str]) -> list[str]:
    """Returns the words in which names of files differ, without sides; [] if they are no classes.

    >>> file_labels(["a/rt-polarity.pos", "a/rt-polarity.neg"]), file_labels(["p1.csv", "p2.csv"])
    (['pos', 'neg'], [])
    >>> file_labels(["train_spam.txt", "train_ham.txt", "test_spam.txt"])
    ['spam', 'ham', 'spam']
    >>> file_labels(["train.csv", "test.csv"]), file_labels(["2025.csv", "2026.csv"])
    ([], [])
    """
    names = [
        [word for word in _WORD.findall(PurePosixPath(path).name) if part_of(word) is None]
        for path in paths
    ]
    common = set.intersection(*({word.casefold() for word in name} for name in names))
    labels = [" ".join(w for w in name if w.casefold() not in common) for name in names]
    differ = len(set(labels)) > 1
    return labels if differ and all(re.search(r"[^\W\d_]{2}", label) for label in labels) else []


def with_sides(examined: Sequence[Examined]) -> list[Examined]:
    """Removes the sides of files unless one of several sides is the training side."""
    sides = {source.entry.get("fixed_part") for source in examined if source.usable} - {None}
    if len(sides) > 1 and "train" in sides:
        return list(examined)
    return [
        replace(s, entry={k: v for k, v in s.entry.items() if k != "fixed_part"}) for s in examined
    ]
