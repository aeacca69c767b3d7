"""newsloop erase: takes one subject out of everything that this installation keeps.

1. Hold the learning lock; put the subject's keyed hash on the suppression list, so that nothing
   takes it in again while the rest is done.
2. Find its traces: rows by pseudonym and id, repeats by text, in the trees, every store of DVC and,
   where only the raw text can tell (an e-mail address), in the sources.
3. Write down what is to go (.newsloop/erasures/, mode 0600): a run that was killed goes on from it.
4. Retire the versions that were trained on it; take rows out of trees, ledger and caches; remove
   objects from the cache and the remotes; ask for a retraining.
5. Search everything for what should be gone, and write a signed certificate.

Each step does nothing when it was done before.
"""

from __future__ import annotations

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
from components.sources import feed_store
from flows.dvc import workspace
from flows.dvc.stores import (
    DvcStore,
    Library,
    open_stores,
    remove_tree,
)
from flows.erasure import certificate, lineage
from flows.erasure import plan as erasure_plan
from flows.erasure.certificate import Deeds
from flows.erasure.plan import Plan

_DISTINCT = 8  # characters from which an id or a name can be searched for without false hits
_EXCERPT = 60  # characters of a text that is searched for


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
        params, paths: of the checkout.
        ledger: open; it is left open.
        subject: who, or which document.
        now: UTC.
        dry_run: find and tell, change nothing.
        retire_now: let an earlier version that never learned from the subject serve at once.

    Returns:
        The plan's summary; after the deed also `champion`, `retrain`, `certificate`, `left`.

    Raises:
        Busy: a learning run is at work.
        UsageError: `retire_now` without another version to serve.
        LedgerError: predictions are on their way to the ledger; see `need_delivered`.
        NewsloopError: a store, the ledger or a source cannot be reached.
    """
    with workspace.alone(paths):
        roots = [root for root in (paths.root, paths.workspace) if (root / "dvc.yaml").is_file()]
        stores = open_stores(paths.root)
        plan = erasure_plan.find(params, paths, ledger, subject, roots, Library(stores))
        replacement = _replacement(ledger, plan) if retire_now else None
        if dry_run:
            trees = [one for root in roots for one in lineage.clean_tree(
                root, plan.traces, plan.held, dry_run=True)]  # fmt: skip
            return {**plan.summary(), "dry_run": True, "trees": trees}
        need_delivered(paths)
        suppression.add(paths, subject, now)
        journal = erasure_plan.write_journal(paths, plan)
        deeds = Deeds(journal.with_suffix(".done"))
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
    """Refuses while the service's spool holds texts, which would reach the ledger afterwards.

    Raises:
        LedgerError: it does.
    """
    if paths.spool.is_dir() and any(paths.spool.iterdir()):
        raise LedgerError(
            f"Expected all predictions in the ledger, found some waiting in {paths.spool}. Start "
            "the service, see in its metrics that newsloop_spool_bytes is 0, and erase again."
        )


def _replacement(ledger: Ledger, plan: Plan) -> int | None:
    """The version to serve in place of a champion that knows the subject."""
    champion = ledger.champion()
    if champion is None or champion.version not in plan.learned:
        return None
    bad = plan.learned | set(ledger.retired())
    good = [row["version"] for row in ledger.versions() if row["version"] not in bad]
    if not good:
        raise UsageError(
            f"Expected a version that never learned from the subject to serve instead of "
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
    deeds: Deeds,
) -> None:
    """Marks versions, changes the champion if that was asked for, removes bundles."""
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
    """The bundles of retired versions that do not serve any more."""
    champion = ledger.champion()
    serving = champion.bundle if champion else None
    retired = {row["bundle"] for row in ledger.retired().values()} - {serving}
    return [paths.bundles / name for name in sorted(retired) if (paths.bundles / name).exists()]


def _forget(paths: Paths, ledger: Ledger, plan: Plan, deeds: Deeds) -> None:
    """The ledger's texts, the scrub cache, and copies that are made anew when they are needed."""
    if count := ledger_retention.forget(ledger, sorted(plan.predictions)):
        deeds.add("ledger", f"{count} texts emptied")
        for page in sorted(paths.monitoring_reports.glob("*.html")):  # they show examples of texts
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
    if not plan.traces.ids:
        return
    # What an unfinished training has learned from, nobody can read out of its weights.
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
    """Deletes the rows with these texts; the whole cache if it is built in a way unknown here."""
    try:
        count = scrub_cache.forget(path, texts)
    except sqlite3.Error:
        for file in path.parent.glob(f"{path.name}*"):
            file.unlink(missing_ok=True)
        return "removed; it is made anew"
    return f"{count} rows deleted" if count else ""


def _purge(plan: Plan, stores: list[DvcStore], deeds: Deeds) -> None:
    """Removes the objects from every store."""
    for store in stores:
        for id_ in sorted(plan.objects & store.ids()):
            # The cache keeps the lists of tables' folders: a later erasure asks them which
            # version learned from what. They hold names of files and hashes only.
            if store.name == "cache" and id_ in plan.held.tables:
                continue
            deeds.once(f"DVC {store.name}", "object removed", id_)
            store.delete(id_)
        if count := store.forget_runs(plan.objects - plan.held.tables):
            deeds.add(f"DVC {store.name}", f"{count} remembered runs removed")


def _ask_for_retraining(ledger: Ledger, plan: Plan, now: datetime) -> str | None:
    """A decision that the next monitoring run hands to the learning deployment; its id."""
    champion = ledger.champion()
    if champion is None or champion.version not in ledger.retired():
        return None
    id_ = hashlib.sha256(f"erasure {plan.id} {champion.bundle}".encode()).hexdigest()[:32]
    if decisions.decision(ledger, id_) is None:
        reason = f"{champion.tag} was trained on a subject that was erased (erasure {plan.id})."
        ledger.add_decision(
            {
                "id": id_,
                "kind": DecisionKind.GOVERNOR,
                "time": now,
                "verdict": GovernorVerdict.RETRAIN,
                "reasons": [reason],
                "details": {"bundle": champion.bundle, "erasure": plan.id},
            }
        )
    return id_


def _search(
    params: Params, paths: Paths, subject: Subject, plan: Plan, stores: list[DvcStore]
) -> list[str]:
    """Looks for everything that should be gone; the places where it still is."""
    traces = plan.traces
    needles = {one for one in traces.authors if one}
    needles |= {one for one in traces.ids if len(one) >= _DISTINCT}
    needles |= {text.strip()[:_EXCERPT] for text in traces.texts}
    if len(subject.key) >= _DISTINCT:
        needles.add(subject.key)
    canaries = Canaries.of(needles, whole_words=True)
    ours = [paths.home / "erasures", paths.keys]
    sources = [paths.sources / source.path for source in params.ingest.sources if source.path]
    places = [paths.root / "data", paths.root / ".dvc", paths.home]
    left = [
        f"{hit.file}: {hit.where}"
        for hit in scan(places, canaries, leave_out=[*ours, *sources]).hits
    ]
    for store in stores:
        left += [f"DVC {store.name}: {id_}" for id_ in sorted(plan.held.files & store.ids())]
    return sorted(set(left))
