"""Which data, models and versions hold a subject: bundle -> commit -> dvc.lock -> tables.

What a step makes holds a subject if what it read did: a model that was trained on a table with one
of its rows, a report that was drawn over one, a bundle that wraps such a model.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from components.core import tables
from flows.dvc import lockfile
from flows.dvc.lockfile import Step
from flows.dvc.stores import Library, remove_tree

TABLES = ("data/01_ingested", "data/02_validated", "data/03_split")
SPLIT, TRAINED, EVALUATED, PACKAGED = (
    "data/03_split", "data/04_trained", "data/05_evaluated", "data/06_packaged",
)  # fmt: skip
LEARNED_FROM = ("train.parquet", "validation.parquet")
SIDES = (*LEARNED_FROM, "test.parquet")
_LONG = 40  # characters from which two equal texts are the same document, and no mere phrase


@dataclass
class Traces:
    """What is known of a subject in our data; grows while one looks.

    Attributes:
        authors: pseudonyms.
        ids: of documents.
        texts: scrubbed, of these documents; so that repeats under other names are found.
    """

    authors: set[str] = field(default_factory=set)
    ids: set[str] = field(default_factory=set)
    texts: set[str] = field(default_factory=set)

    def rows(self, table: pl.DataFrame) -> pl.Series:
        """Which rows of a table with an id, and perhaps author and text, belong to the subject."""
        found = pl.col("id").is_in(sorted(self.ids)).fill_null(value=False)
        if "author" in table.columns:
            found = found | pl.col("author").is_in(sorted(self.authors)).fill_null(value=False)
        if "text" in table.columns:
            found = found | pl.col("text").is_in(sorted(self.texts)).fill_null(value=False)
        return table.select(found.alias("found"))["found"]

    def learn(self, table: pl.DataFrame) -> bool:
        """Takes ids, author and texts of the subject's rows over; True if there are such rows.

        The author of a row counts only where authors are looked for: a document that is erased by
        its id does not take its author's other documents with it.
        """
        rows = table.filter(self.rows(table))
        self.ids.update(rows["id"].drop_nulls().to_list())
        if "text" in rows.columns:
            long = rows["text"].drop_nulls()
            self.texts.update(long.filter(long.str.len_chars() >= _LONG).to_list())
        return rows.height > 0


@dataclass
class Held:
    """Where a subject is in DVC's stores.

    Attributes:
        files: ids of tables with its rows.
        tables: ids of the folders of ingest, validate and split that hold such a table.
        drawn: ids of evaluations that read its rows, or measured a model that did.
        models: ids of models that were trained on it, and of bundles that wrap such a model, or
            keep signals of its texts in their reference.
    """

    files: set[str] = field(default_factory=set)
    tables: set[str] = field(default_factory=set)
    drawn: set[str] = field(default_factory=set)
    models: set[str] = field(default_factory=set)

    @property
    def folders(self) -> set[str]:
        return self.tables | self.drawn | self.models


def search(library: Library, ids: set[str], traces: Traces) -> set[str]:
    """The tables among the objects `ids` that hold the subject; `traces` learns from them.

    Looks again as long as something new is learned: a text that was found under one id may stand
    under another one in a table that was looked at before.
    """
    held: set[str] = set()
    while True:
        known = (len(traces.ids), len(traces.texts))
        for id_, table in library.tables(ids):
            if traces.learn(table):
                held.add(id_)
        if (len(traces.ids), len(traces.texts)) == known:
            return held


def follow(library: Library, steps: Iterable[Step], files: set[str]) -> Held:
    """Everything that was made from the tables `files`, through all steps that DVC remembers."""
    held = Held(files=set(files))
    steps = list(steps)
    for one in steps:
        for path, id_ in one.outs.items():
            if path in TABLES and set((library.files(id_) or {}).values()) & files:
                held.tables.add(id_)
    # Each loop needs the one before it: split, train, evaluate, package.
    for one in steps:
        if one.stage == "train" and learned_from(one, held):
            held.models.update(one.outs.values())
    for one in steps:
        read = one.deps.get(SPLIT) in held.tables or one.deps.get(TRAINED) in held.models
        if one.stage == "evaluate" and read:
            held.drawn.update(one.outs.values())
    for one in steps:
        wraps = one.deps.get(TRAINED) in held.models or one.deps.get(EVALUATED) in held.drawn
        if one.stage == "package" and wraps:
            held.models.update(one.outs.values())
    return held


def learned_from(train: Step, held: Held) -> bool:
    """Whether a run of the train stage read the subject's rows."""
    return any(train.deps.get(f"{SPLIT}/{name}") in held.files for name in LEARNED_FROM)


def objects(library: Library, steps: Iterable[Step], held: Held) -> set[str]:
    """What to remove from the stores: the tables, and files that nothing else is made of.

    A file that a folder without the subject shares (the service's code in a bento, say) stays.
    """
    shared: set[str] = set()
    for one in steps:
        for id_ in one.outs.values():
            if id_ not in held.folders:
                shared.update((library.files(id_) or {}).values())
    gone = set(held.folders)
    for folder in held.drawn | held.models:
        gone.update((library.files(folder) or {}).values())
    return (gone - shared) | held.files


def learned(library: Library, steps: list[Step] | None, held: Held) -> bool | None:
    """Whether the version with this lock knows the subject; None if nobody can say.

    Its model learned from the sides that train it, and its reference keeps signals of the others.
    """
    evaluate = next((one for one in steps or [] if one.stage == "evaluate"), None)
    if evaluate is None:
        return None
    split = evaluate.deps.get(SPLIT, "")
    if split in held.tables:
        return True
    sides = [id_ for name, id_ in (library.files(split) or {}).items() if name in SIDES]
    if len(sides) < len(SIDES):
        return None
    return None if any(library.read(id_) is None for id_ in sides) else False


def clean_tree(
    root: Path, traces: Traces, held: Held, *, dry_run: bool
) -> Iterator[dict[str, Any]]:
    """Takes the subject's rows out of the tables under root/data, with what was made of them.

    Yields:
        Each deed, before a folder is removed and after rows are: `where`, `what`, `before` and
        `after` (SHA-256 of a file; None where there is none any more).
    """
    outs = {path: id_ for step in lockfile.read(root) for path, id_ in step.outs.items()}
    found: dict[Path, pl.DataFrame] = {}
    for path in sorted((root / "data").glob("0[123]_*/*.parquet")):
        table = tables.read_table(path)
        rows = traces.rows(table)
        if rows.any():
            found[path] = table.filter(~rows)
    split = {path.name for path in found if path.is_relative_to(root / SPLIT)}
    trained = bool(split & set(LEARNED_FROM))
    # What was made from the tables goes first: as long as they have the rows, they tell of it.
    for name, made in ((TRAINED, trained), (EVALUATED, bool(split)), (PACKAGED, bool(split))):
        folder = root / name
        if folder.exists() and (made or outs.get(name) in held.folders):
            yield _deed(folder, "made from it, removed", None)
            if not dry_run:
                remove_tree(folder)
    for path, kept in found.items():
        before = tables.file_hash(path)
        if not dry_run:
            tables.write_table(kept, path)
        yield _deed(path, "rows removed", before)
    faults = root / "data" / "01_ingested" / "faults.json"
    if faults.is_file():
        listed = tables.read_json(faults)
        left = [one for one in listed if one["id"] not in traces.ids]
        if len(left) < len(listed):
            before = tables.file_hash(faults)
            if not dry_run:
                tables.write_json(left, faults)
            yield _deed(faults, "entries removed", before)


def _deed(path: Path, what: str, before: str | None) -> dict[str, Any]:
    after = tables.file_hash(path) if path.is_file() else None
    return {"where": str(path), "what": what, "before": before, "after": after}
