"""Retention: removes what is older than params.yaml's `privacy` allows. A flow, daily.

1. Ledger: empty old texts, delete old rows, free their disk space.
2. Quarantine: bad rows in data/, in the workspace, in DVC's cache and remotes.
3. Logs: delete old ones; rotate each active log once a day.
4. Evidently's pages.
5. Bundles of retired versions.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from prefect import flow, get_run_logger

from components.core import ledger as ledgers
from components.core import params as parameters
from components.core import tables
from components.core.ledger import Ledger
from components.core.ledger import retention as ledger_retention
from components.core.params import Params
from components.core.paths import Paths
from flows import erasure, prefect_auth
from flows.dvc import lockfile, workspace
from flows.dvc.stores import Library, open_stores, remove_tree

QUARANTINE = "quarantine.parquet"
_ASIDE = "%Y%m%d"  # date suffix of a rotated log


@flow(name="retention", flow_run_name="retention", validate_parameters=False)
def retention(root: str, home: str) -> dict[str, Any]:
    """Removes data beyond its retention period.

    Args:
        root: folder of the checkout.
        home: the installation's state, NEWSLOOP_HOME.

    Returns:
        Counts, as `retain`.

    Raises:
        Busy: a learning run holds the lock; the next day's run removes the data.
        NewsloopError: the ledger or a store cannot be reached.
    """
    prefect_auth.reserve(os.environ.get("PREFECT_API_URL"))
    paths = Paths(Path(root), Path(home))
    ledger = ledgers.opened(ledgers.url(paths.ledger))
    try:
        done = retain(parameters.load(paths.params), paths, ledger, datetime.now(UTC))
    finally:
        ledger.close()
    get_run_logger().info("retention: %s", done)
    return done


def retain(
    params: Params, paths: Paths, ledger: Ledger, now: datetime, *, dry_run: bool = False
) -> dict[str, Any]:
    """Removes what is older than `params.privacy` allows; with `dry_run` only counts it.

    Returns:
        How many: `texts`, `labelled_texts`, `predictions`, `labels`, `windows`, `decisions`,
        `outcomes`, `alerts` of the ledger; `quarantines`, `logs`, `pages`, `bundles`.
    """
    ages = params.privacy

    def before(days: int) -> datetime:
        return now - timedelta(days=days)

    # Before the first run there is nothing that a lock could keep.
    with workspace.alone(paths) if paths.home.exists() else contextlib.nullcontext():
        done: dict[str, Any] = dict(
            ledger_retention.expire(
                ledger,
                before(ages.text_days),
                before(ages.labelled_text_days),
                before(ages.ledger_days),
                dry_run=dry_run,
            )
        )
        if not dry_run:
            ledger_retention.compact(ledger)
        done["quarantines"] = _quarantines(paths, before(ages.quarantine_days), dry_run)
        done["logs"] = _logs(paths, now, before(ages.log_days), dry_run)
        pages = [*paths.monitoring_reports.glob("*.html"), *paths.monitoring_reports.glob("*.json")]
        done["pages"] = _remove(_older(pages, before(ages.page_days)), dry_run)
        done["bundles"] = _bundles(paths, ledger, dry_run)
    return done


def _quarantines(paths: Paths, limit: datetime, dry_run: bool) -> int:
    """Empties tables of bad rows in the trees and deletes them from DVC's stores; counts them.

    A tree's table keeps its columns. It comes back, with a new date, when validate runs again over
    a source that still has these rows. Only a fix of the source prevents that.
    """
    roots = [root for root in (paths.root, paths.workspace) if (root / "dvc.yaml").is_file()]
    quarantines = [root / "data" / "02_validated" / QUARANTINE for root in roots]
    count = _remove(
        _older([path for path in [paths.refused_rows] if path.is_file()], limit), dry_run
    )
    for path in _older([path for path in quarantines if path.is_file()], limit):
        table = tables.read_table(path)
        if table.height:
            count += 1
            if not dry_run:
                tables.write_table(table.clear(), path)
    stores = open_stores(paths.root)
    library = Library(stores)
    # An empty quarantine holds no data, and all versions may share it: it stays.
    ids = {
        id_
        for root in roots
        for steps in lockfile.everywhere(root).values()
        for step in steps
        for folder in step.outs.values()
        if step.stage == "validate"
        for name, id_ in (library.files(folder) or {}).items()
        if name == QUARANTINE
    }
    full = {id_ for id_, table in library.tables(ids) if table.height}
    for store in stores:
        old = {id_ for id_ in full & store.ids() if store.changed(id_) < limit}
        count += len(old)
        if not dry_run:
            for id_ in old:
                store.delete(id_)
    return count


def _logs(paths: Paths, now: datetime, limit: datetime, dry_run: bool) -> int:
    """Rotates each log once a day and deletes rotated logs older than `limit`; counts deletions."""
    old = _older(paths.logs.glob("*.log*"), limit)
    count = _remove(old, dry_run)
    if dry_run:
        return count
    for log in sorted(paths.logs.glob("*.log")):
        aside = log.with_name(f"{log.name}.{now.astimezone(UTC):{_ASIDE}}")
        if log.stat().st_size and not aside.exists():
            shutil.copyfile(log, aside)
            # Writers append, so they continue at the new end.
            os.truncate(log, 0)
    return count


def _bundles(paths: Paths, ledger: Ledger, dry_run: bool) -> int:
    folders = erasure.retired_bundles(paths, ledger)
    return len(folders) if dry_run else sum(remove_tree(folder) for folder in folders)


def _older(files: Iterable[Path], limit: datetime) -> list[Path]:
    return [path for path in files if path.stat().st_mtime < limit.timestamp()]


def _remove(files: list[Path], dry_run: bool) -> int:
    if not dry_run:
        for path in files:
            path.unlink(missing_ok=True)
    return len(files)
