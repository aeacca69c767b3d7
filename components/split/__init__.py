"""Puts each document on one side by its content or its time, near duplicates together.

    data/02_validated/documents.parquet, data/baseline.json
        -> data/03_split/{train,validation,test}.parquet  (core/schema.py DOCUMENT), in ingest order
           data/03_split/split.json                       counts, duplicates, hash of the test side

A text's side is decided by itself, or by the first text that it almost repeats; later texts decide
nothing about earlier ones. So documents added after the others never move one of them, with one
exception: a class that is missing on a side borrows a group for it until it has one of its own.

By content, a hash decides. By time, the newest go to the test side; by_time.py tells
how a document stays where it is when newer ones come.
"""

from __future__ import annotations

import hmac
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from components.core import baseline, schema, tables
from components.core import params as parameters
from components.core.baseline import Era
from components.core.errors import DataError
from components.core.params import Params
from components.core.paths import Paths
from components.core.progress import say
from components.near_duplicates import group, normalise, shingles, similar_pairs
from components.split import by_time

SIDES = ("train", "validation", "test")
_LEAST_GROUPS = 3  # of a class: one a side


@dataclass(frozen=True)
class Split:
    """The sides, and what was found on the way: `counts` for split.json."""

    sides: dict[str, pl.DataFrame]
    counts: dict[str, Any]


def split(table: pl.DataFrame, settings: parameters.Split, eras: Sequence[Era] = ()) -> Split:
    """Splits documents so that nothing on one side is (almost) repeated on another.

    Exact repeats with the same label are kept once, the first of them. A text that occurs with
    different labels is kept nowhere: nobody can say which is right. A text that almost repeats
    texts of different sides is dropped too: it would carry one side's content to the other.

    Args:
        table: documents, in ingest order; all labelled.
        settings: shares, similarity, seed; by what.
        eras: of the last release, where it was split by time.

    Raises:
        DataError: a class has fewer than three groups of different texts, or no document has a time
            where time is asked for.
    """
    normal = [normalise(text) for text in table["text"]]
    first: dict[str, int] = {}  # normalised text -> its first row
    labels: dict[str, set[str]] = defaultdict(set)
    for i, (text, label) in enumerate(zip(normal, table["label"], strict=True)):
        first.setdefault(text, i)
        labels[text].add(label)
    rows = list(first.values())
    told: dict[str, Any] = {"by": settings.by}
    if settings.by == "time":
        times = [table["time"][row] for row in rows]
        eras = by_time.extended(eras, times, settings)
        places = [by_time.place(time, eras, settings) for time in times]
        told |= {"eras": by_time.described(eras), "untimed": times.count(None)}
    else:
        places = [place(text, settings.seed) for text in first]
    groups = group(
        similar_pairs([shingles(text, settings.shingle_words) for text in first], settings),
        [side_of(x, settings) for x in places],
    )
    # Texts with conflicting labels have helped to group, so that losing them moves nobody.
    kept = [k for k, text in enumerate(first) if groups[k] is not None and len(labels[text]) == 1]
    classes = [table["label"][row] for row in rows]
    side, moved = fill_sides(
        {k: g for k in kept if (g := groups[k]) is not None}, classes, places, settings
    )
    tables_ = {name: table[sorted(rows[k] for k in kept if side[k] == name)] for name in SIDES}
    sizes = Counter(groups[k] for k in kept)
    conflicting = {text for text, found in labels.items() if len(found) > 1}
    counts = {
        **told,
        "sides": {name: _describe(found) for name, found in tables_.items()},
        "near_duplicate_groups": sum(1 for n in sizes.values() if n > 1),
        "near_duplicate_documents": sum(n for n in sizes.values() if n > 1),
        "dropped": {
            "exact_duplicates": sum(text not in conflicting for text in normal)
            - sum(text not in conflicting for text in first),
            "conflicting_labels": sum(text in conflicting for text in normal),
            "between_sides": sum(
                groups[k] is None and text not in conflicting for k, text in enumerate(first)
            ),
        },
        "borrowed_groups": moved,
        "test_hash": content_hash(tables_["test"]),
    }
    return Split(tables_, counts)


def place(text: str, seed: int) -> float:
    """Where a normalised text lies in [0, 1): its SHA-256 keyed by `seed`."""
    digest = hmac.digest(str(seed).encode(), text.encode("utf-8"), "sha256")
    # 53 bits are what a float holds exactly; more could round up to 1.
    return (int.from_bytes(digest[:8], "big") >> 11) / 2**53


def side_of(x: float, settings: parameters.Split) -> str:
    """The side to which the place `x` in [0, 1) belongs."""
    return next(
        side
        for side in SIDES
        if by_time.bounds(side, settings)[0] <= x < by_time.bounds(side, settings)[1]
    )


def fill_sides(
    groups: dict[int, int],
    classes: Sequence[str],
    places: Sequence[float],
    settings: parameters.Split,
) -> tuple[dict[int, str], int]:
    """The side of each kept text, every class on every side; and how many groups that moved.

    Args:
        groups: kept text -> the first text of its group.
        classes: of each text.
        places: of each text, in [0, 1).

    Raises:
        DataError: a class has too few groups.
    """
    side = {g: side_of(places[g], settings) for g in sorted(set(groups.values()))}
    holds: dict[int, set[str]] = defaultdict(set)  # group -> its classes
    for k, g in groups.items():
        holds[g].add(classes[k])

    def having(label: str, name: str) -> list[int]:
        return [g for g in side if side[g] == name and label in holds[g]]

    def distance(g: int, name: str) -> tuple[float, int]:
        low, high = by_time.bounds(name, settings)
        return max(low - places[g], places[g] - high, 0.0), g

    names = sorted(set(classes))
    few = {n: sum(n in found for found in holds.values()) for n in names}
    few = {label: n for label, n in few.items() if n < _LEAST_GROUPS}
    moved = 0
    for label in names if not few else []:
        for name in SIDES:
            if having(label, name):
                continue
            # A group may leave where each of its classes has another one.
            free = [
                g
                for g in side
                if label in holds[g] and all(len(having(c, side[g])) > 1 for c in holds[g])
            ]
            if not free:
                few[label] = sum(label in found for found in holds.values())
                break
            side[min(free, key=lambda g: distance(g, name))] = name
            moved += 1
    if few:
        told = ", ".join(f"{n} of {label}" for label, n in few.items())
        raise DataError(
            f"Expected at least {_LEAST_GROUPS} documents of each class, not (almost) the "
            f"same, one for each of {', '.join(SIDES)}, got {told}. Add documents of these "
            "classes, or take the classes out of ingest.labels."
        )
    return {k: side[g] for k, g in groups.items()}, moved


def content_hash(table: pl.DataFrame) -> str:
    """SHA-256 of the texts with their labels, whatever their order and ids."""
    lines = sorted(
        f"{tables.text_hash(text)} {label}\n"
        for text, label in zip(table["text"], table["label"], strict=True)
    )
    return tables.text_hash("".join(lines))


def _describe(table: pl.DataFrame) -> dict[str, Any]:
    counts = Counter(table["label"].to_list())
    return {"documents": table.height, "by_class": dict(sorted(counts.items()))}


def run(params: Params, paths: Paths) -> None:
    """The stage: reads, splits, writes."""
    where = paths.validated / "documents.parquet"
    table = schema.check_documents(tables.read_table(where), str(where))
    done = split(table, params.split, baseline.read(paths.baseline).eras)
    for name, found in done.sides.items():
        tables.write_table(found, paths.split / f"{name}.parquet")
    tables.write_json(done.counts, paths.split / "split.json")
    sizes = ", ".join(f"{found.height} {name}" for name, found in done.sides.items())
    dropped = done.counts["dropped"]
    why = ", ".join(f"{count} {reason.replace('_', ' ')}" for reason, count in dropped.items())
    say(
        f"split: {sizes}; {done.counts['near_duplicate_documents']} near duplicates kept together, "
        f"{sum(dropped.values())} dropped ({why})"
    )
