"""newsloop erase: removes one subject from all data of this installation.

1. Hold the learning lock. Find the subject's traces: rows by pseudonym and id, repeats by text, in
   the trees, in every store of DVC and, for an e-mail address, in the sources' raw texts.
2. Put the subject's keyed hash on the suppression list, so that nothing ingests it again.
3. Write the journal (.newsloop/erasures/, mode 0600), from which a killed run continues.
4. Retire the versions that were trained on it; remove rows from trees, ledger and caches; remove
   objects from the cache and the remotes; request a retraining.
5. Search everything for the traces, and write a signed certificate.

Each step is idempotent.
"""

from __future__ import annotations

import fcntl
import hashlib
import sqlite3
from datetime import datetime
from pathlib import Path
from typing import Any

from components.core import keys, tables
from components.core.audit import Canaries, scan
from components.core.errors import LedgerError, UsageError
from components.core.ledger import Ledger, decisions
from components.core.ledger import retention as ledger_retention
from components.core.ledger.verdicts import DecisionKind, GovernorVerdict
from components.core.params import Params
from components.core.paths import Paths
from components.core.scrub import cache as scrub_cache
from components.core.scrub import suppression
from components.core.scrub.suppression import Subject
from components.sources.feed import store as feed_store
from flows.dvc import workspace
from flows.dvc.stores import (
    DvcStore,
    Library,
    open_stores,
    remove_tree,
)
from flows.erasure import certificate, lineage
from flows.erasure import plan as erasure_plan
from flows.erasure.certificate import ErasureLog
from flows.erasure.plan import Plan

_DISTINCT = 8  # characters of an id or a name, from which a search has no false hits
_EXCERPT = 60  # characters of a text that are searched for


def erase(
    params: Params,
    paths: Paths,
    ledger: Ledger,
    subject: Subject,
    now: datetime,
    *,
    dry_run: bool = False,
    retire_now: bool = False,
) -> dict[str, Any]:
    """Erases `subject`.

    Args:
        params, paths: settings and paths of the checkout.
        ledger: open ledger; the caller closes it.
        subject: person or document.
        now: UTC.
        dry_run: search and report, change nothing.
        retire_now: deploy the newest version that was not trained on the subject at once.

    Returns:
        The plan's summary; after an erasure also `champion`, `retrain`, `certificate`, `left`.

    Raises:
        Busy: a learning run holds the lock.
        UsageError: `retire_now` without another version to serve.
        LedgerError: predictions wait in the service's spool; see `need_delivered`.
        NewsloopError: a store, the ledger or a source cannot be reached.
    """
    with workspace.alone(paths):
        roots = [root for root in (paths.root, paths.workspace) if (root / "dvc.yaml").is_file()]
        stores = open_stores(paths.root)
        plan = erasure_plan.find(params, paths, ledger, subject, roots, Library(stores))
        replacement = _replacement(ledger, plan) if retire_now else None
        if dry_run:
            trees = [deed for root in roots for deed in lineage.clean_tree(
                root, plan.traces, plan.held, dry_run=True)]  # fmt: skip
            return {**plan.summary(), "dry_run": True, "trees": trees}
        need_delivered(paths)
        suppression.add(paths, subject, now)
        journal = erasure_plan.write_journal(paths, plan)
        deeds = ErasureLog(journal.with_suffix(".done"))
        _retire(paths, ledger, plan, replacement, now, deeds)
        for root in roots:
            for deed in lineage.clean_tree(root, plan.traces, plan.held, dry_run=False):
                deeds.once(**deed)
            if root != paths.root:
                suppression.pin(Paths(root, paths.home))
        _forget(paths, ledger, plan, deeds)
        _purge(plan, stores, deeds)
        asked = _ask_for_retraining(ledger, plan, now)
        left = _search(params, paths, subject, plan, stores)
        written = certificate.newest(paths, plan.id)
        if deeds.all or written is None:
            facts = {**plan.summary(), "time": now.isoformat(), "done": deeds.all, "left": left}
            facts["subject"] = subject.hash(keys.suppression_key(paths.keys))
            facts["not_reached"] = certificate.NOT_REACHED + plan.unread
            written = certificate.write(paths, plan.id, facts, now)
        if not left:
            deeds.forget()
            erasure_plan.remove_journal(journal)
    champion = ledger.champion()
    return {
        **plan.summary(),
        "dry_run": False,
        "done": deeds.new,
        "champion": champion.tag if champion else None,
        "champion_retired": bool(champion and champion.version in ledger.retired()),
        "retrain": asked,
        "certificate": str(written),
        "left": left,
    }


def need_delivered(paths: Paths) -> None:
    """Refuses while rows of the service lie in files, which would reach the ledger later.

    Raises:
        LedgerError: the spool is not empty, or a service that was killed left rows that its
            successor has not moved there yet. A living one has only those of this moment.
    """
    spooled = paths.spool.is_dir() and any(paths.spool.iterdir())
    if spooled or any(map(_is_left, paths.ahead.glob("*.jsonl"))):
        raise LedgerError(
            f"Expected all predictions in the ledger, found some waiting in {paths.home}. Start "
            "the service, wait until its metric newsloop_spool_bytes is 0, and erase again."
        )


def _is_left(file: Path) -> bool:
    """Tests if a file has rows and no process that holds its lock."""
    try:
        with file.open("rb") as opened:
            fcntl.flock(opened, fcntl.LOCK_SH | fcntl.LOCK_NB)
            return bool(opened.read(1))
    except (BlockingIOError, FileNotFoundError):
        return False


def _replacement(ledger: Ledger, plan: Plan) -> int | None:
    """Returns the newest version without the subject; None if the champion does not know it."""
    champion = ledger.champion()
    if champion is None or champion.version not in plan.learned:
        return None
    bad = plan.learned | set(ledger.retired())
    good = [row["version"] for row in ledger.versions() if row["version"] not in bad]
    if not good:
        raise UsageError(
            f"Expected a version without the subject in its training data to serve instead of "
            f"{champion.tag}, there is none. Erase without --retire-now and then `newsloop run`, "
            "or stop the service with `newsloop down` first."
        )
    return max(int(version) for version in good)


def _retire(
    paths: Paths,
    ledger: Ledger,
    plan: Plan,
    replacement: int | None,
    now: datetime,
    deeds: ErasureLog,
) -> None:
    """Retires versions, deploys the replacement if there is one, and removes bundles."""
    rows = {row["version"]: row for row in ledger.versions()}
    retired = ledger.retired()
    for version in sorted(plan.learned):
        row = rows[version]
        if version not in retired:
            deeds.once("ledger", f"{row['tag']} retired", row["bundle"])
        ledger.retire(version, row["bundle"], now, f"erasure {plan.id}", plan.id)
    if replacement is not None:
        tag = rows[replacement]["tag"]
        ledger.deploy(replacement, now, f"erasure {plan.id}: {tag} instead")
        deeds.add("ledger", f"{tag} made the champion")
    for folder in retired_bundles(paths, ledger):
        deeds.once(str(folder), "bundle removed", folder.name)
        remove_tree(folder)


def retired_bundles(paths: Paths, ledger: Ledger) -> list[Path]:
    """Returns the stored bundles of retired versions, except the champion's."""
    champion = ledger.champion()
    serving = champion.bundle if champion else None
    retired = {row["bundle"] for row in ledger.retired().values()} - {serving}
    return [paths.bundles / name for name in sorted(retired) if (paths.bundles / name).exists()]


def _forget(paths: Paths, ledger: Ledger, plan: Plan, deeds: ErasureLog) -> None:
    """Erases the ledger's texts, cache entries, and copies that newsloop can make again."""
    if count := ledger_retention.forget(ledger, sorted(plan.predictions)):
        deeds.add("ledger", f"{count} texts emptied")
        for page in sorted(paths.monitoring_reports.glob("*.html")):  # pages show example texts
            page.unlink()
            deeds.add(str(page), "page of monitoring removed")
    ledger_retention.compact(ledger)
    if plan.traces.texts and paths.scrub_cache.exists():
        before = tables.file_hash(paths.scrub_cache)
        if what := _clean_scrub_cache(paths.scrub_cache, plan.traces.texts):
            after = tables.file_hash(paths.scrub_cache) if paths.scrub_cache.exists() else None
            deeds.add(str(paths.scrub_cache), what, before, after)
    if plan.traces.texts and paths.feeds.exists():
        before = tables.file_hash(paths.feeds)
        if count := feed_store.forget(paths.feeds, plan.traces.texts):
            what = f"{count} seen entries of feeds emptied"
            deeds.add(str(paths.feeds), what, before, tables.file_hash(paths.feeds))
    if paths.refused_rows.exists():
        deeds.once(str(paths.refused_rows), "bad rows of a refused run removed")
        paths.refused_rows.unlink()
    if not plan.traces.ids:
        return
    if paths.evaluation_page.exists():  # shows example texts
        paths.evaluation_page.unlink()
        deeds.add(str(paths.evaluation_page), "copy of the evaluation removed")
    # Weights of an unfinished training do not show which documents they were trained on.
    for folder, what in (
        (paths.home / "demo", "sandbox of the demo"),
        (paths.home / "drill", "sandbox of the drills"),
        (paths.checkpoints, "unfinished trainings"),
        (paths.vectors, "what pretrained models saw of documents"),
    ):
        if folder.exists():
            deeds.once(str(folder), f"{what} removed")
            remove_tree(folder)


def _clean_scrub_cache(path: Path, texts: set[str]) -> str:
    """Deletes the rows with these texts; the whole cache if its schema is unknown."""
    try:
        count = scrub_cache.forget(path, texts)
    except sqlite3.Error:
        for file in path.parent.glob(f"{path.name}*"):
            file.unlink(missing_ok=True)
        return "removed; it is made anew"
    return f"{count} rows deleted" if count else ""


def _purge(plan: Plan, stores: list[DvcStore], deeds: ErasureLog) -> None:
    """Removes the objects from every store."""
    for store in stores:
        for object_id in sorted(plan.objects & store.ids()):
            # The cache keeps the lists of the tables' folders, which hold only file names and
            # hashes: a later erasure reads from them which version was trained on which table.
            if store.name == "cache" and object_id in plan.held.tables:
                continue
            deeds.once(f"DVC {store.name}", "object removed", object_id)
            store.delete(object_id)
        if count := store.forget_runs(plan.objects - plan.held.tables):
            deeds.add(f"DVC {store.name}", f"{count} remembered runs removed")


def _ask_for_retraining(ledger: Ledger, plan: Plan, now: datetime) -> str | None:
    """Records a request, which the next monitoring run sends; returns the decision's id."""
    champion = ledger.champion()
    if champion is None or champion.version not in ledger.retired():
        return None
    decision_id = hashlib.sha256(f"erasure {plan.id} {champion.bundle}".encode()).hexdigest()[:32]
    if decisions.decision(ledger, decision_id) is None:
        reason = f"{champion.tag} was trained on a subject that was erased (erasure {plan.id})."
        ledger.add_decision(
            {
                "id": decision_id,
                "kind": DecisionKind.GOVERNOR,
                "time": now,
                "verdict": GovernorVerdict.RETRAIN,
                "reasons": [reason],
                "details": {"bundle": champion.bundle, "erasure": plan.id},
            }
        )
    return decision_id


def _search(
    params: Params, paths: Paths, subject: Subject, plan: Plan, stores: list[DvcStore]
) -> list[str]:
    """Searches for the subject's traces; returns the locations where one is left."""
    traces = plan.traces
    needles = {author for author in traces.authors if author}
    needles |= {document_id for document_id in traces.ids if len(document_id) >= _DISTINCT}
    needles |= {text.strip()[:_EXCERPT] for text in traces.texts}
    if len(subject.key) >= _DISTINCT:
        needles.add(subject.key)
    canaries = Canaries.of(needles, whole_words=True)
    journals = [paths.home / "erasures", paths.keys]
    sources = [paths.sources / source.path for source in params.ingest.sources if source.path]
    searched = [paths.root / "data", paths.root / ".dvc", paths.home]
    left = [
        f"{hit.file}: {hit.where}"
        for hit in scan(searched, canaries, leave_out=[*journals, *sources]).hits
    ]
    for store in stores:
        left += [
            f"DVC {store.name}: {object_id}" for object_id in sorted(plan.held.files & store.ids())
        ]
    return sorted(set(left))
