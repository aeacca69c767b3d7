"""Counts the documents of all rows: classes, lengths, repeats, sides of an official split."""

from __future__ import annotations

import random
from array import array
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Generic, TypeVar

from components.near_duplicates import normalise
from components.profile.columns import as_text
from components.profile.names import part_of
from components.profile.roles import Roles

T = TypeVar("T")
_TEXTS = 2_000  # of the sample; the standard error of a share is 1.1 % at most
_JOINT = "\n\n"  # between the columns of a text
OTHER_PART = "(other)"  # a value that names no side of a split


class Reservoir(Generic[T]):
    """Uniform sample of a stream (Vitter 1985, algorithm R).

    Args:
        size: items of the sample, at most.

    Attributes:
        items: the sample; in the order of the stream as long as it holds all items.
        seen: number of all items.
    """

    def __init__(self, size: int) -> None:
        self._size, self._random = size, random.Random(1)  # noqa: S311 - no secret
        self.items: list[T] = []
        self.seen = 0

    def add(self, item: T) -> None:
        self.seen += 1
        if len(self.items) < self._size:
            self.items.append(item)
        elif (place := self._random.randrange(self.seen)) < self._size:
            self.items[place] = item


class DocumentCounts:
    """Counts over the documents of one or several sources.

    Attributes:
        documents: number of rows.
        labels: label in the source -> number of rows.
        unlabelled: rows without a label.
        several: rows with a list of several labels.
        empty: rows without a text.
        repeated: rows whose text repeats an earlier one, but for case and white space.
        contradicting: repeated rows with another label than the first.
        characters: of all texts.
        parts: side of an official split, or OTHER_PART -> number of rows.
        texts: sample of the texts.
    """

    def __init__(self) -> None:
        self.documents = self.unlabelled = self.several = self.empty = 0
        self.repeated = self.contradicting = self.characters = 0
        self.labels: Counter[str] = Counter()
        self.parts: Counter[str] = Counter()
        self.texts: Reservoir[tuple[str, str | None]] = Reservoir(_TEXTS)
        self._lengths = array("Q")
        self._labels_seen: dict[int, str | None] = {}

    def add(self, text: str, label: str | None, part: str | None = None) -> None:
        """Adds a document; an empty text or no label is counted as such."""
        self.documents += 1
        if part is not None:
            self.parts[part] += 1
        if label is None:
            self.unlabelled += 1
        else:
            self.labels[label] += 1
        if not text:
            self.empty += 1
            return
        self.characters += len(text)
        self._lengths.append(len(text))
        self.texts.add((text, label))
        key = hash(normalise(text))
        if key in self._labels_seen:
            self.repeated += 1
            self.contradicting += label is not None and self._labels_seen[key] != label
        else:
            self._labels_seen[key] = label

    def add_rows(
        self, rows: Iterable[Mapping[str, object]], roles: Roles, part: str | None = None
    ) -> None:
        """Adds flat rows; `part` is the side of rows without a column for it."""
        for row in rows:
            label = row.get(roles.label) if roles.label else None
            self.several += isinstance(label, list | tuple) and len(label) > 1
            side = part
            if roles.part:
                side = part_of(as_text(row.get(roles.part)) or "") or OTHER_PART
            self.add(text_of(row, roles.text), as_text(label), side)

    def length(self, share: float) -> int:
        """Returns a quantile of the lengths in characters; 0 without texts."""
        ordered = sorted(self._lengths)
        return ordered[min(int(share * len(ordered)), len(ordered) - 1)] if ordered else 0


def text_of(row: Mapping[str, object], columns: Iterable[str]) -> str:
    """Joins the text columns of a row; missing ones are left out.

    >>> text_of({"title": "A", "body": None, "note": "b"}, ["title", "body", "note"])
    'A\\n\\nb'
    """
    return _JOINT.join(part for name in columns if (part := as_text(row.get(name))))
