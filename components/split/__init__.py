"""Splits documents into train, validation and test by content, time or a column of the source.

    data/02_validated/documents.parquet, data/baseline.json
        -> data/03_split/{train,validation,test}.parquet  (core/schema.py DOCUMENT), in ingest order
           data/03_split/folds.parquet                    folds of a cross-validation, else empty
           data/03_split/split.json                       counts, duplicates, hash of the test side

Near duplicates lie together. The side of a text depends on the text alone, or on the first text of
its group of near duplicates. So documents that are added later never move an earlier one, with one
exception: a class without a group on a side borrows one from another side, until it has a group
there.

Split by content, a keyed hash of the text chooses the side. Split by time, the newest documents go
to the test side; by_time.py keeps documents on their side when newer ones come. Split by column,
the source names the sides; see by_column.py. Where the test side would be too small, the documents
get folds too, and the later stages cross-validate; see components/folds.py.
"""

from __future__ import annotations

import hmac
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from components import fold_assignment, folds
from components.core import baseline, schema, tables
from components.core import params as parameters
from components.core.baseline import Era
from components.core.errors import DataError
from components.core.params import Params
from components.core.paths import Paths
from components.core.progress import say
from components.near_duplicates import group, near_pairs, normalise
from components.split import by_column, by_time

SIDES = ("train", "validation", "test")
_FIRST = ("train", "test", "validation")  # the order in which a small class gets its sides


@dataclass(frozen=True)
class SplitResult:
    """The documents by side, folds.parquet, and `counts`, the content of split.json."""

    sides: dict[str, pl.DataFrame]
    folds: pl.DataFrame
    counts: dict[str, Any]


def split(table: pl.DataFrame, settings: parameters.Split, eras: Sequence[Era] = ()) -> SplitResult:
    """Splits documents so that no two sides share a text or a near duplicate.

    Of exact repeats with the same label, the first stays. A text with several labels is dropped,
    since the right label is unknown. A near duplicate of texts on different sides is dropped too,
    since it would leak content from one side to the other. Split by column, the copy on the test
    side stays, else the copy on the validation side.

    Args:
        table: documents, in ingest order; all labelled.
        settings: shares, similarity, seed, and the order (content, time or column).
        eras: of the last release, where that was split by time.

    Raises:
        DataError: split.by is "time" and no document has a time; or split.by is "column" and a
            class has no document with the part train; or there are too few texts for folds.
    """
    normal = [normalise(text) for text in table["text"]]
    first: dict[str, int] = {}  # normalised text -> its first row
    labels: dict[str, set[str]] = defaultdict(set)
    official = settings.by == "column"
    parts: list[str | None] = table["part"].to_list() if official else [None] * table.height
    for i in sorted(range(table.height), key=lambda i: by_column.RANK[parts[i]]):
        if parts[first.setdefault(normal[i], i)] == parts[i]:
            labels[normal[i]].add(table["label"][i])
    rows = list(first.values())
    counts: dict[str, Any] = {"by": settings.by}
    may_lie: list[tuple[str, ...]] = [SIDES] * len(rows)
    filled: tuple[str, ...] = SIDES
    if official:
        sides_by_part = by_column.sides_of_parts(parts)
        may_lie, filled = [sides_by_part[parts[row]] for row in rows], sides_by_part["train"]
        positions = [
            by_column.position_on(position_of(text, settings.seed), sides, settings)
            for text, sides in zip(first, may_lie, strict=True)
        ]
        counts["parts"] = {part or "none": parts.count(part) for part in by_column.RANK}
    elif settings.by == "time":
        times = [table["time"][row] for row in rows]
        eras = by_time.extended(eras, times, settings)
        positions = [by_time.position_of(time, eras, settings) for time in times]
        counts |= {"eras": by_time.described(eras), "untimed": times.count(None)}
    else:
        positions = [position_of(text, settings.seed) for text in first]
    groups = group(
        near_pairs(list(first), [table["label"][row] for row in rows], settings),
        [side_of(x, settings) for x in positions],
        may_lie,
    )
    # Texts with conflicting labels take part in the grouping, so that a new conflict moves no other
    # text.
    valid = [k for k, text in enumerate(first) if groups[k] is not None and len(labels[text]) == 1]
    classes = [table["label"][row] for row in rows]
    side, moved = fill_sides(
        {k: g for k in valid if (g := groups[k]) is not None}, classes, positions, settings, filled
    )
    by_side = {name: table[sorted(rows[k] for k in valid if side[k] == name)] for name in SIDES}
    sizes = Counter(groups[k] for k in valid)
    conflicting = {text for text, names in labels.items() if len(names) > 1}
    # Copies of a text in another part than the copy that stays.
    leaking = sum(parts[first[text]] != part for text, part in zip(normal, parts, strict=True))
    counts |= {
        "sides": {name: _describe(documents) for name, documents in by_side.items()},
        "near_duplicate_groups": sum(1 for n in sizes.values() if n > 1),
        "near_duplicate_documents": sum(n for n in sizes.values() if n > 1),
        "dropped": {
            "exact_duplicates": sum(text not in conflicting for text in normal)
            - sum(text not in conflicting for text in first)
            - leaking,
            "conflicting_labels": sum(text in conflicting for text in normal),
            "between_sides": leaking
            + sum(groups[k] is None and text not in conflicting for k, text in enumerate(first)),
        },
        "borrowed_groups": moved,
        "test_hash": content_hash(by_side["test"]),
        "folds": 0,
    }
    chosen = fold_assignment.EMPTY
    if valid and settings.by == "content" and too_small(by_side["test"], len(valid), settings):
        ordered = sorted(valid, key=lambda k: rows[k])
        chosen = fold_assignment.table(
            table[[rows[k] for k in ordered]],
            [groups[k] for k in ordered],
            [side[k] for k in ordered],
            settings,
        )
        counts["folds"] = chosen["fold"].n_unique()
        counts["test_hash"] = content_hash(table[sorted(rows[k] for k in valid)])
    return SplitResult(by_side, chosen, counts)


def too_small(test: pl.DataFrame, documents: int, settings: parameters.Split) -> bool:
    """Returns True if cross-validation shall take the place of the test side.

    Args:
        test: the test side.
        documents: number on all sides.
    """
    if settings.cross_validation != "small":
        return settings.cross_validation == "always"
    if test.height < settings.min_test_documents:
        return True
    fewest = test["label"].value_counts()["count"].min()
    few = fewest is None or int(str(fewest)) < settings.min_class_test_documents
    return few and documents <= settings.max_cross_validated


def position_of(text: str, seed: int) -> float:
    """Maps a normalised text to [0, 1) by HMAC-SHA256 with the key `seed`."""
    digest = hmac.digest(str(seed).encode(), text.encode("utf-8"), "sha256")
    # A float holds 53 bits exactly; more bits could round up to 1.
    return (int.from_bytes(digest[:8], "big") >> 11) / 2**53


def side_of(x: float, settings: parameters.Split) -> str:
    """Returns the side whose interval of [0, 1) holds the position `x`."""
    return next(
        side
        for side in SIDES
        if by_time.bounds(side, settings)[0] <= x < by_time.bounds(side, settings)[1]
    )


def fill_sides(
    groups: dict[int, int],
    classes: Sequence[str],
    positions: Sequence[float],
    settings: parameters.Split,
    filled: Sequence[str] = SIDES,
) -> tuple[dict[int, str], int]:
    """Assigns groups to sides so that every side of `filled` has every class.

    A class with fewer groups than sides is on the train side first, then on the test side.

    Args:
        groups: index of a text -> index of the first text of its group.
        classes: of each text.
        positions: of each text, in [0, 1).
        settings: the shares of the sides.
        filled: sides between which groups may move.

    Returns:
        Index of a text -> side; the number of groups that moved to fill a side.

    Raises:
        DataError: a class has no group on the sides of `filled`.
    """
    side = {g: side_of(positions[g], settings) for g in sorted(set(groups.values()))}
    holds: dict[int, set[str]] = defaultdict(set)  # group -> its classes
    for k, g in groups.items():
        holds[g].add(classes[k])
    of_class: dict[str, list[int]] = defaultdict(list)  # class -> its groups
    for g in side:
        for label in holds[g]:
            of_class[label].append(g)

    def having(label: str, name: str) -> list[int]:
        return [g for g in of_class[label] if side[g] == name]

    def distance(g: int, name: str) -> tuple[float, int]:
        low, high = by_time.bounds(name, settings)
        return max(low - positions[g], positions[g] - high, 0.0), g

    absent, moved = [], 0
    for label in sorted(of_class):
        movable = [g for g in of_class[label] if side[g] in filled]
        if not movable:
            absent.append(label)
        enough = len(movable) >= len(filled)
        order = filled if enough else sorted(filled, key=_FIRST.index)
        for name in order:
            if having(label, name):
                continue
            # A group may move where its side has another group of each of its classes.
            free = [
                g
                for g in movable
                if (not enough and _FIRST.index(name) < _FIRST.index(side[g]))
                or all(len(having(c, side[g])) > 1 for c in holds[g])
            ]
            if free:
                side[min(free, key=lambda g: distance(g, name))] = name
                moved += 1
    if absent:
        raise DataError(
            "Expected documents of each class in the part train, got none of "
            f"{', '.join(absent)}. Add documents of these classes, or take the classes out of "
            "ingest.labels."
        )
    return {k: side[g] for k, g in groups.items()}, moved


def content_hash(table: pl.DataFrame) -> str:
    """Hashes the texts with their labels by SHA-256, independent of order and ids."""
    lines = sorted(
        f"{tables.text_hash(text)} {label}\n"
        for text, label in zip(table["text"], table["label"], strict=True)
    )
    return tables.text_hash("".join(lines))


def _describe(table: pl.DataFrame) -> dict[str, Any]:
    counts = Counter(table["label"].to_list())
    return {"documents": table.height, "by_class": dict(sorted(counts.items()))}


def run(params: Params, paths: Paths) -> None:
    """Runs the stage: reads, splits, writes."""
    path = paths.validated / "documents.parquet"
    table = schema.check_documents(tables.read_table(path), str(path))
    result = split(table, params.split, baseline.read(paths.baseline).eras)
    for name, documents in result.sides.items():
        tables.write_table(documents, paths.split / f"{name}.parquet")
    tables.write_table(result.folds, paths.split / folds.FILE)
    tables.write_json(result.counts, paths.split / "split.json")
    sizes = ", ".join(f"{documents.height} {name}" for name, documents in result.sides.items())
    dropped = result.counts["dropped"]
    why = ", ".join(f"{count} {reason.replace('_', ' ')}" for reason, count in dropped.items())
    say(
        f"split: {sizes}; {result.counts['near_duplicate_documents']} near duplicates kept "
        f"together, {sum(dropped.values())} dropped ({why})"
    )
    if count := result.counts["folds"]:
        say(
            f"split: a test side would be too small (split.min_test_documents, "
            f"min_class_test_documents): the later stages cross-validate with {count} folds"
        )
