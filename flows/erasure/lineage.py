"""Data lineage of a subject: bundle -> commit -> dvc.lock -> tables.

An output holds a subject if an input did: a model that was trained on a table with the subject's
rows, a report about such a table, a bundle with such a model.
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
FOLDS = "folds.parquet"  # with cross-validation the documents of all sides; older splits lack it
LEARNED_FROM = ("train.parquet", "validation.parquet", FOLDS)
SIDES = ("train.parquet", "validation.parquet", "test.parquet")
_LONG = 40  # characters, from which two equal texts are the same document and not a mere phrase


@dataclass
class Traces:
    """Known traces of a subject; a search adds more.

    Attributes:
        authors: pseudonyms.
        ids: ids of documents.
        texts: scrubbed texts of these documents, which find repeats under other names.
    """

    authors: set[str] = field(default_factory=set)
    ids: set[str] = field(default_factory=set)
    texts: set[str] = field(default_factory=set)

    def rows(self, table: pl.DataFrame) -> pl.Series:
        """Returns a bool for each row: True if id, author or text belongs to the subject.

        Args:
            table: has the column id; author and text are optional.
        """
        matches = pl.col("id").is_in(sorted(self.ids)).fill_null(value=False)
        if "author" in table.columns:
            matches = matches | pl.col("author").is_in(sorted(self.authors)).fill_null(value=False)
        if "text" in table.columns:
            matches = matches | pl.col("text").is_in(sorted(self.texts)).fill_null(value=False)
        return table.select(matches.alias("matches"))["matches"]

    def learn(self, table: pl.DataFrame) -> bool:
        """Adds ids and texts of the subject's rows; returns True if the table has such rows.

        The author of a row is not added: an erasure of a document must not erase its author's
        other documents.
        """
        rows = table.filter(self.rows(table))
        self.ids.update(rows["id"].drop_nulls().to_list())
        if "text" in rows.columns:
            long = rows["text"].drop_nulls()
            self.texts.update(long.filter(long.str.len_chars() >= _LONG).to_list())
        return rows.height > 0


@dataclass
class Held:
    """Objects with a subject in DVC's stores.

    Attributes:
        files: ids of tables with the subject's rows.
        tables: ids of the folders of ingest, validate and split with such a table.
        drawn: ids of evaluations that read its rows, or measured a model trained on them.
        models: ids of models that were trained on its rows, and of bundles with such a model or
            with signals of its texts in their reference.
    """

    files: set[str] = field(default_factory=set)
    tables: set[str] = field(default_factory=set)
    drawn: set[str] = field(default_factory=set)
    models: set[str] = field(default_factory=set)

    @property
    def folders(self) -> set[str]:
        return self.tables | self.drawn | self.models


def search(library: Library, ids: set[str], traces: Traces) -> set[str]:
    """Returns the tables among the objects `ids` with the subject, and extends `traces`.

    Repeats the search until no trace is new: a text found under one id may be under another id in
    a table that was searched before.
    """
    object_ids: set[str] = set()
    while True:
        known = (len(traces.ids), len(traces.texts))
        for object_id, table in library.tables(ids):
            if traces.learn(table):
                object_ids.add(object_id)
        if (len(traces.ids), len(traces.texts)) == known:
            return object_ids


def follow(library: Library, steps: Iterable[Step], files: set[str]) -> Held:
    """Returns all objects made from the tables `files`, through all steps that DVC recorded."""
    affected = Held(files=set(files))
    steps = list(steps)
    for step in steps:
        for path, object_id in step.outs.items():
            if path in TABLES and set((library.files(object_id) or {}).values()) & files:
                affected.tables.add(object_id)
    # Each loop needs the one before it: split, train, evaluate, package.
    for step in steps:
        if step.stage == "train" and learned_from(step, affected):
            affected.models.update(step.outs.values())
    for step in steps:
        read = step.deps.get(SPLIT) in affected.tables or step.deps.get(TRAINED) in affected.models
        if step.stage == "evaluate" and read:
            affected.drawn.update(step.outs.values())
    for step in steps:
        wraps = (
            step.deps.get(TRAINED) in affected.models or step.deps.get(EVALUATED) in affected.drawn
        )
        if step.stage == "package" and wraps:
            affected.models.update(step.outs.values())
    return affected


def learned_from(train: Step, affected: Held) -> bool:
    """Returns True if a run of the train stage read the subject's rows."""
    return any(train.deps.get(f"{SPLIT}/{name}") in affected.files for name in LEARNED_FROM)


def objects(library: Library, steps: Iterable[Step], affected: Held) -> set[str]:
    """Returns the objects to remove.

    They are the tables with the subject, the lists of the folders in `affected`, and all files of
    evaluations and models in `affected`. A file that is also in a folder without the subject stays.
    """
    shared: set[str] = set()
    for step in steps:
        for object_id in step.outs.values():
            if object_id not in affected.folders:
                shared.update((library.files(object_id) or {}).values())
    gone = set(affected.folders)
    for folder in affected.drawn | affected.models:
        gone.update((library.files(folder) or {}).values())
    return (gone - shared) | affected.files


def learned(library: Library, steps: list[Step] | None, affected: Held) -> bool | None:
    """Returns True if the version with this lock knows the subject; None if that is unknown.

    The model was trained on two sides of the split; the bundle's reference has signals of the
    test side.
    """
    evaluate = next((step for step in steps or [] if step.stage == "evaluate"), None)
    if evaluate is None:
        return None
    split = evaluate.deps.get(SPLIT, "")
    if split in affected.tables:
        return True
    files = library.files(split) or {}
    if not set(SIDES) <= set(files):
        return None
    documents = [files[name] for name in (*SIDES, FOLDS) if name in files]
    return None if any(library.read(id_) is None for id_ in documents) else False


def clean_tree(
    root: Path, traces: Traces, affected: Held, *, dry_run: bool
) -> Iterator[dict[str, Any]]:
    """Removes the subject's rows from the tables under root/data, and the folders made of them.

    Yields:
        Each deletion, before a folder and after rows are removed: `where`, `what`, `before` and
        `after` (SHA-256 of a file; None without a file).
    """
    outs = {
        path: object_id for step in lockfile.read(root) for path, object_id in step.outs.items()
    }
    cleaned: dict[Path, pl.DataFrame] = {}
    for path in sorted((root / "data").glob("0[123]_*/*.parquet")):
        table = tables.read_table(path)
        rows = traces.rows(table)
        if rows.any():
            cleaned[path] = table.filter(~rows)
    split = {path.name for path in cleaned if path.is_relative_to(root / SPLIT)}
    trained = bool(split & set(LEARNED_FROM))
    # Folders first: after a kill, the rows in the tables still show which folders to remove.
    for name, made in ((TRAINED, trained), (EVALUATED, bool(split)), (PACKAGED, bool(split))):
        folder = root / name
        if folder.exists() and (made or outs.get(name) in affected.folders):
            yield _deed(folder, "made from it, removed", None)
            if not dry_run:
                remove_tree(folder)
    for path, rest in cleaned.items():
        before = tables.file_hash(path)
        if not dry_run:
            tables.write_table(rest, path)
        yield _deed(path, "rows removed", before)
    faults = root / "data" / "01_ingested" / "faults.json"
    if faults.is_file():
        entries = tables.read_json(faults)
        left = [entry for entry in entries if entry["id"] not in traces.ids]
        if len(left) < len(entries):
            before = tables.file_hash(faults)
            if not dry_run:
                tables.write_json(left, faults)
            yield _deed(faults, "entries removed", before)


def _deed(path: Path, what: str, before: str | None) -> dict[str, Any]:
    after = tables.file_hash(path) if path.is_file() else None
    return {"where": str(path), "what": what, "before": before, "after": after}
