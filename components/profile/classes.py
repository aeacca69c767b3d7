"""Class names out of the labels of a source: spelling variants, numbers, rare and joined labels."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from components.core.params.data import is_class_name

_WHOLE = re.compile(r"-?\d+")
_JOINTS = ("|", ";", ",")
_JOINED = 0.2  # share of distinct labels that join others
_MANY = 0.5  # distinct labels per document, from which they look like identifiers
_SELDOM = 5  # documents a label, below which codes are identifiers and not classes
_ID_LIKE = re.compile(r"(?=.*\d.*\d)[\w.:/#@-]{6,}")
NAME_FILES = (
    "classes.txt", "class.txt", "labels.txt", "label.txt", "class_names.txt", "label_names.txt",
    "categories.txt",
)  # fmt: skip
_NAME_BYTES = 100_000  # of such a file


@dataclass(frozen=True)
class Classes:
    """Classes that are proposed for `ingest.labels`.

    Attributes:
        counts: class -> documents, in the order of `ingest.labels`.
        names: label in the source -> class, where they differ.
        rare: class -> documents, with too few documents to be learned.
        invalid: number of documents whose label can be no class name.
        variants: class -> other spellings that are counted as this class.
        numbers: whether all labels are whole numbers without names.
        joined: the character that joins several labels, or "".
        id_like: whether the labels look like identifiers.
    """

    counts: Mapping[str, int]
    names: Mapping[str, str] = field(default_factory=dict)
    rare: Mapping[str, int] = field(default_factory=dict)
    invalid: int = 0
    variants: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    numbers: bool = False
    joined: str = ""
    id_like: bool = False


def classes(
    labels: Counter[str], names: Mapping[str, str] | None = None, least: int = 1
) -> Classes:
    """Proposes classes for the labels of the sources.

    Args:
        labels: label in the source -> documents.
        names: label in the source -> class, from a person or a file beside the data.
        least: documents of a class; classes with fewer are left out.
    """
    names = dict(names or {})
    named: Counter[str] = Counter()
    for label, number in labels.items():
        named[names.get(label, label)] += number
    spelled, variants = _spellings(named)
    names |= {label: spelled[names.get(label, label)] for label in labels}
    counts: Counter[str] = Counter()
    invalid = 0
    for label, number in named.items():
        if is_class_name(spelled[label]):
            counts[spelled[label]] += number
        else:
            invalid += number
    rare = {name: number for name, number in counts.items() if number < least}
    learned = [name for name in counts if name not in rare]
    return Classes(
        counts={name: counts[name] for name in sorted(learned, key=_order)},
        names={label: name for label, name in names.items() if label != name and label in labels},
        rare=dict(sorted(rare.items(), key=lambda item: _order(item[0]))),
        invalid=invalid,
        variants=variants,
        numbers=bool(counts) and all(map(_WHOLE.fullmatch, counts)),
        joined=_joint(counts),
        id_like=_looks_like_ids(counts),
    )


def _order(name: str) -> tuple[float, str]:
    """Sorts numbers by value, before names.

    >>> sorted(["b", "10", "9", "a"], key=_order)
    ['9', '10', 'a', 'b']
    """
    return (float(name), "") if _WHOLE.fullmatch(name) else (float("inf"), name)


def _spellings(counts: Counter[str]) -> tuple[dict[str, str], dict[str, tuple[str, ...]]]:
    """Maps labels that differ only by case or white space to the most frequent spelling."""
    groups: dict[str, list[str]] = {}
    for label in counts:
        groups.setdefault(" ".join(label.casefold().split()), []).append(label)
    spelled: dict[str, str] = {}
    variants: dict[str, tuple[str, ...]] = {}
    for group in groups.values():
        best = max(group, key=lambda label: (counts[label], label))
        spelled |= dict.fromkeys(group, best)
        if len(group) > 1:
            variants[best] = tuple(sorted(set(group) - {best}))
    return spelled, variants


def _joint(counts: Counter[str]) -> str:
    """Returns the character that joins several classes to one label, as in "a|b"; "" if none.

    The parts must be labels of their own, so that a name such as "Arts, Crafts" is no list.
    """
    for joint in _JOINTS:
        joined = [label for label in counts if joint in label]
        parts = {part.strip() for label in joined for part in label.split(joint)}
        alone = parts.intersection(counts)
        if len(joined) >= _JOINED * len(counts) and len(alone) * 2 > len(parts) > 1:
            return joint
    return ""


def _looks_like_ids(counts: Counter[str]) -> bool:
    documents = counts.total()
    codes = sum(bool(_ID_LIKE.fullmatch(label)) for label in counts)
    seldom = documents < _SELDOM * len(counts)
    return len(counts) > _MANY * documents or (seldom and codes > len(counts) / 2)


def names_beside(file: Path, labels: Counter[str]) -> dict[str, str]:
    """Reads class names for numbered labels from a list beside the data, one name a line.

    Args:
        file: data file; lists such as classes.txt in its folder are tried.
        labels: labels of the data, whole numbers that start at 0 or 1.

    Returns:
        Label -> name; empty if no list has one name for each label.
    """
    if not labels or not all(map(_WHOLE.fullmatch, labels)):
        return {}
    numbers = sorted(map(int, labels))
    for name in NAME_FILES:
        path = file.parent / name
        if not path.is_file() or path.stat().st_size > _NAME_BYTES:
            continue
        lines = path.read_text("utf-8", "replace").splitlines()
        listed = [line.strip() for line in lines if line.strip()]
        first = numbers[0]
        if (
            first in (0, 1)
            and numbers[-1] - first < len(listed)
            and all(map(is_class_name, listed))
        ):
            return {str(number): listed[number - first] for number in numbers}
    return {}
