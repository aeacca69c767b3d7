"""Plan of an erasure: the search before any change, and the journal that survives a kill.

Only the journal (.newsloop/erasures/, mode 0600, removed at the end) identifies the subject.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from components.core import keys, tables
from components.core.errors import SourceError
from components.core.ledger import Ledger
from components.core.ledger import retention as ledger_retention
from components.core.params import Params
from components.core.paths import Paths
from components.core.progress import say
from components.core.scrub import suppression
from components.core.scrub.pseudonyms import emails, normal, plain_id, pseudonyms_of
from components.core.scrub.suppression import Subject, SuppressionFilter
from components.sources import open_source
from flows.dvc import lockfile
from flows.dvc.stores import Library, people_columns
from flows.erasure import lineage
from flows.erasure.lineage import Held, Traces

_ID_LENGTH = 12  # hexadecimal characters of the subject's keyed hash that name its erasure
_GONE = ".gone"  # a journal that is being removed


@dataclass
class Plan:
    """Findings of an erasure. Only the journal stores `traces`.

    Attributes:
        id: id of the erasure, the same for the same subject.
        kind: kind of the subject.
        traces: pseudonyms, ids and texts.
        held: objects with these traces in DVC's stores.
        objects: ids of objects to remove from the stores.
        learned: versions that know the subject, or may know it; see `lineage.learned`.
        unknown: versions among `learned` whose data are missing, so that nobody can tell.
        predictions: ids of predictions in the ledger with one of the subject's texts.
        unread: a sentence for each source that could not be searched.
    """

    id: str
    kind: str
    traces: Traces = field(default_factory=Traces)
    held: Held = field(default_factory=Held)
    objects: set[str] = field(default_factory=set)
    learned: set[int] = field(default_factory=set)
    unknown: set[int] = field(default_factory=set)
    predictions: set[str] = field(default_factory=set)
    unread: list[str] = field(default_factory=list)

    def summary(self) -> dict[str, Any]:
        """Returns counts and versions, without a trace of the subject."""
        return {
            "erasure": self.id,
            "kind": self.kind,
            "documents": len(self.traces.ids),
            "objects": len(self.objects),
            "predictions": len(self.predictions),
            "versions": sorted(self.learned),
            "unknown_versions": sorted(self.unknown),
            "unread_sources": self.unread,
        }


def find(
    params: Params,
    paths: Paths,
    ledger: Ledger,
    subject: Subject,
    roots: list[Path],
    library: Library,
) -> Plan:
    """Searches for the subject everywhere, and adds the findings of a killed run."""
    plan = Plan(subject.hash(keys.suppression_key(paths.keys))[:_ID_LENGTH], subject.kind)
    _read_journal(paths, plan)
    _first_traces(params, paths, subject, plan)
    for root in roots:
        for path in sorted((root / "data").glob("0[123]_*/*.parquet")):
            table = people_columns(path)
            if table is not None:
                plan.traces.learn(table)
    ids = {object_id for store in library.stores for object_id in store.ids()}
    say(f"erase: looking through {len(ids)} objects of DVC")
    files = lineage.search(library, ids, plan.traces) | plan.held.files
    known = {commit: steps for root in roots for commit, steps in lockfile.everywhere(root).items()}
    steps = [step for recorded in known.values() for step in recorded]
    steps += [step for store in library.stores for step in store.remembered()]
    affected = lineage.follow(library, steps, files)
    for name in ("files", "tables", "drawn", "models"):
        getattr(plan.held, name).update(getattr(affected, name))
    plan.objects |= lineage.objects(library, steps, plan.held)
    retired = ledger.retired()
    plan.learned |= {v for v, row in retired.items() if row["erasure"] == plan.id}
    for row in ledger.versions():
        locks = (lockfile.of_commit(root, row["commit"]) for root in roots)
        lock = next((steps for steps in locks if steps), None)
        answer = lineage.learned(library, lock, plan.held)
        # An unknown version counts only if the subject has documents and it is not retired yet.
        if answer or (answer is None and row["version"] not in retired and plan.traces.ids):
            plan.learned.add(row["version"])
            if answer is None:
                plan.unknown.add(row["version"])
    named = [document_id.rpartition("/")[2] for document_id in plan.traces.ids]
    plan.predictions.update(ledger_retention.find(ledger, plan.traces.texts, named))
    return plan


def _first_traces(params: Params, paths: Paths, subject: Subject, plan: Plan) -> None:
    """Adds the traces that follow from the subject's key, and those in the raw sources."""
    secret = keys.pseudonym_key(paths.keys)
    labels = frozenset(params.ingest.labels)
    if subject.kind == "document":
        plan.traces.ids.update({subject.key, plain_id(subject.key, secret, labels)})
        return
    plan.traces.authors |= pseudonyms_of(subject.key, secret)
    if subject.kind == "author" and not suppression.read(paths)["rotations"]:
        return
    # An address is masked in every stored text; only the sources show its documents.
    subject_hash = subject.hash(keys.suppression_key(paths.keys))
    guard = SuppressionFilter(
        [(subject.kind, subject_hash)], keys.suppression_key(paths.keys), secret, labels
    )
    for source in params.ingest.sources:
        reader = open_source(source, paths)
        try:
            for raw in reader.read(reader.pin()):
                if guard.admit(raw) is None:
                    plan.traces.ids.add(plain_id(raw.id, secret, labels))
                    if raw.author and normal(subject.key) in emails(raw.author):
                        plan.traces.authors |= pseudonyms_of(raw.author, secret)
        except SourceError:
            plan.unread.append(
                f"source {source.name} cannot be read now: documents that only its raw texts would "
                "show were not looked for"
            )


def _journal(paths: Paths, plan: Plan) -> Path:
    return paths.home / "erasures" / f"{plan.id}.json"


def write_journal(paths: Paths, plan: Plan) -> Path:
    """Writes the plan for a run after a kill; only this user may read the file."""
    path = _journal(paths, plan)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    for suffix in (_GONE, ".partial"):  # files of killed runs
        for file_left in path.parent.glob(f"*{suffix}"):
            _overwrite(file_left)
    text = json.dumps(asdict(plan), default=sorted)

    def write(partial: Path) -> None:
        with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(text)

    return tables.write_atomic(path, write)


def _read_journal(paths: Paths, plan: Plan) -> None:
    path = _journal(paths, plan)
    if not path.exists():
        return
    journal = tables.read_json(path)
    for name in ("authors", "ids", "texts"):
        getattr(plan.traces, name).update(journal["traces"][name])
    for name in ("files", "tables", "drawn", "models"):
        getattr(plan.held, name).update(journal["held"][name])
    for name in ("objects", "learned", "unknown", "predictions"):
        getattr(plan, name).update(journal[name])
    say(f"erase: continuing erasure {plan.id}, which was interrupted")


def remove_journal(path: Path) -> None:
    """Overwrites and removes the journal.

    The journal is renamed first. After a kill here the erasure counts as finished, and the next
    erasure overwrites the renamed file.
    """
    if path.exists():
        _overwrite(path.replace(path.with_suffix(_GONE)))


def _overwrite(path: Path) -> None:
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.write(b"\0" * size)
        file.flush()
        os.fsync(file.fileno())
    path.unlink()
