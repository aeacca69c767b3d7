"""Repairs the state that a killed run left, at the start of each run and by `newsloop repair`.

The caller holds the learning lock, so every trace of a run belongs to a dead one:

1. end processes of that run;
2. remove locks of dead processes, but not those of living ones;
3. replace a torn dvc.lock by its last good copy;
4. remove half-written files and folders;
5. finish an interrupted release, or undo it if it was not published.

Each step does nothing if nothing is wrong.
"""

from __future__ import annotations

import json
import re
import shutil
import socket
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import psutil

from components import release
from components.core import git
from components.core.errors import Busy
from components.core.ledger import Ledger
from components.core.paths import Paths
from components.core.runtime import stale_processes
from components.release import journal
from components.release.journal import Entry
from flows.dvc import lockfile

_PARTIAL = re.compile(r"^\..+\.(\d+)\.partial$")  # core/tables' name of a file being written
_CLAIM_PARTS = 4  # fields of a hard-link lock: file|host|process|random


def run(paths: Paths, ledger: Ledger, now: datetime) -> list[str]:
    """Repairs the checkout, the workspace and their state.

    Args:
        paths: paths of the checkout.
        now: UTC; deployment time of a release that is finished.

    Returns:
        A sentence for each repair.

    Raises:
        Busy: another person's DVC process works here.
        ReleaseError: git or its remote refused the rest of a release.
    """
    projects = [paths]
    if (paths.workspace / "dvc.yaml").is_file():
        projects.append(_workspace(paths))
    roots = [project.root for project in projects]
    done = [f"ended `{command}`, which outlived its run" for command in stale_processes.end(roots)]
    champion = ledger.champion()
    for project in projects:
        done += [f"removed {path}, whose process is dead" for path in _dead_locks(project.root)]
        repair = lockfile.restore(project, champion.commit if champion else None)
        done += [repair] if repair else []
    done += [f"removed {path}, half-written" for path in _half_written(paths, roots)]
    entry = journal.read(paths)
    if entry is not None:
        done.append(_release(paths, ledger, entry, now))
    return done


def _workspace(paths: Paths) -> Paths:
    return Paths(paths.workspace, paths.home, checkout=paths.root)


def _release(paths: Paths, ledger: Ledger, entry: Entry, now: datetime) -> str:
    """Finishes or undoes the release in the journal."""
    project = paths if entry.root == str(paths.root) else _workspace(paths)
    short = entry.bundle[:12]
    if entry.bundle in {row["bundle"] for row in ledger.versions()}:
        journal.close(paths)
        return f"the release of bundle {short} was complete"
    champion = ledger.champion()
    same_champion = (champion.bundle if champion else None) == entry.champion
    has_commit = (project.root / ".git").exists() and git.has(project.root, entry.commit or "none")
    if entry.complete and same_champion and has_commit and (paths.bundles / entry.bundle).is_dir():
        tag = release.finish(project, ledger, entry, now).tag
        return f"finished the release of bundle {short}: {tag} serves"
    tags = release.untag(project, entry) if has_commit else []
    shutil.rmtree(paths.bundles / entry.bundle, ignore_errors=True)
    journal.close(paths)
    with_tag = f", with the tag {', '.join(tags)}" if tags else ""
    why = "" if same_champion else ": it was not compared with the champion of now"
    return f"forgot the release of bundle {short}, begun but not published{with_tag}{why}"


def _dead_locks(root: Path) -> list[Path]:
    """Removes the lock files of dead processes in one project.

    DVC's own lock ends with its process (flock). Three kinds of locks outlive it: DVC's table of
    readers and writers, its hard-link locks (core.hardlink_lock), and git's locks of our tags.
    """
    gone = [path for path in _lock_files(root) if not _holds_lock(path)]
    for path in gone:
        path.unlink(missing_ok=True)
    return gone


def _lock_files(root: Path) -> Iterator[Path]:
    folder = root / ".dvc" / "tmp"
    for name in ("lock", "rwlock.lock"):
        if (path := folder / name).is_file() and len(_claim(path)) == _CLAIM_PARTS:
            yield path
    if (path := folder / "rwlock").is_file() and _readers_and_writers(path) != {}:
        yield path
    if not _git_at_work(root):
        yield from (root / ".git" / "refs" / "tags").glob("newsloop@*.lock")


def _holds_lock(path: Path) -> bool:
    """Returns True if a process of another machine may hold the lock.

    Raises:
        Busy: a living DVC process of this machine holds the lock.
    """
    if path.name == "rwlock":
        holders = _readers_and_writers(path) or {}
    elif path.suffix == ".lock" and "refs" in path.parts:
        return False
    else:
        _, host, process, _ = _claim(path)
        holders = {int(process): "dvc"} if host == socket.gethostname() else {}
        if not holders:
            return True  # a lock of another machine, whose processes are unknown here
    for number, command in holders.items():
        if _is_dvc(number, path.parents[2]):
            raise Busy(
                f"Expected to be alone with the data in {path.parents[2]}, but `{command}` "
                f"(process {number}) is at work there. Wait until it has ended, then run again."
            )
    return False


def _readers_and_writers(path: Path) -> dict[int, str] | None:
    """Reads process -> command from DVC's table; None for a torn file."""
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
        entries = [*table.get("write", {}).values()]
        entries += [reader for readers in table.get("read", {}).values() for reader in readers]
        return {int(entry["pid"]): str(entry["cmd"]) for entry in entries}
    except (ValueError, AttributeError, TypeError, KeyError):
        return None


def _claim(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8", errors="replace").strip().split("|")


def _is_dvc(number: int, root: Path) -> bool:
    """Tells whether that process is a living DVC that works in the project at `root`.

    Not by the times of process and lock, which a step of the clock moves apart.
    """
    try:
        process = psutil.Process(number)
        if process.status() == psutil.STATUS_ZOMBIE:
            return False
        if not any("dvc" in part for part in process.cmdline()):
            return False
        return Path(process.cwd()).is_relative_to(root.resolve())
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:  # another user's process
        return True


def _git_at_work(root: Path) -> bool:
    for process in psutil.process_iter(["name"]):
        if process.info["name"] == "git":
            try:
                if Path(process.cwd()).is_relative_to(root):
                    return True
            except psutil.Error:
                continue
    return False


def _half_written(paths: Paths, roots: list[Path]) -> list[Path]:
    """Removes temporary files and folders of dead processes."""
    folders = [*paths.home.glob("index-*"), *paths.home.glob("build-*")]
    folders += [*paths.bundles.glob(".partial-*"), *paths.home.glob(".workspace-*")]
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)
    parents = [root / "data" for root in roots] + [
        paths.home, paths.keys, paths.decisions, paths.processes, paths.home / "dvc-locks",
    ]  # fmt: skip
    files = [
        path
        for folder in parents
        for path in (folder.rglob if folder.name == "data" else folder.glob)(".*.partial")
        if (match := _PARTIAL.match(path.name)) and not psutil.pid_exists(int(match[1]))
    ]
    for path in files:
        path.unlink(missing_ok=True)
    return folders + files
