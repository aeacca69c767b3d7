"""Puts right what a killed run left; runs at the start of each run, and by `newsloop repair`.

Whoever calls it holds the learning lock, so that whatever it finds belongs to a run that is gone:

1. processes that still work for it are ended;
2. locks of dead processes are removed; a living holder is respected;
3. a torn dvc.lock is replaced by its last good copy;
4. half-written files and folders are removed;
5. a release that was begun is finished, or, if nobody can have seen it yet, forgotten.

Each step does nothing where nothing is wrong.
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

_PARTIAL = re.compile(r"^\..+\.(\d+)\.partial$")  # as core/tables names what is being written
_CLAIM_PARTS = 4  # of a hard-link lock: file|host|process|random


def run(paths: Paths, ledger: Ledger, now: datetime) -> list[str]:
    """Repairs the checkout, the workspace and their state.

    Args:
        paths: of the checkout.
        now: UTC; when a release that is finished here begins to serve.

    Returns:
        What was done, a sentence each.

    Raises:
        Busy: somebody else's DVC is at work here.
        ReleaseError: a release could not be finished: git or its remote refused.
    """
    places = [paths]
    if (paths.workspace / "dvc.yaml").is_file():
        places.append(_workspace(paths))
    roots = [place.root for place in places]
    done = [f"ended `{command}`, which outlived its run" for command in stale_processes.end(roots)]
    champion = ledger.champion()
    for place in places:
        done += [f"removed {path}, whose process is dead" for path in _dead_locks(place.root)]
        mended = lockfile.mend(place, champion.commit if champion else None)
        done += [mended] if mended else []
    done += [f"removed {path}, half-written" for path in _half_written(paths, roots)]
    entry = journal.read(paths)
    if entry is not None:
        done.append(_release(paths, ledger, entry, now))
    return done


def _workspace(paths: Paths) -> Paths:
    return Paths(paths.workspace, paths.home, checkout=paths.root)


def _release(paths: Paths, ledger: Ledger, entry: Entry, now: datetime) -> str:
    """Finishes or forgets the release in the journal."""
    place = paths if entry.root == str(paths.root) else _workspace(paths)
    short = entry.bundle[:12]
    if entry.bundle in {row["bundle"] for row in ledger.versions()}:
        journal.close(paths)
        return f"the release of bundle {short} was complete"
    champion = ledger.champion()
    unmoved = (champion.bundle if champion else None) == entry.champion
    there = (place.root / ".git").exists() and git.has(place.root, entry.commit or "none")
    if entry.complete and unmoved and there and (paths.bundles / entry.bundle).is_dir():
        tag = release.finish(place, ledger, entry, now).tag
        return f"finished the release of bundle {short}: {tag} serves"
    gone = release.untag(place, entry) if there else []
    shutil.rmtree(paths.bundles / entry.bundle, ignore_errors=True)
    journal.close(paths)
    taken = f", with the tag {', '.join(gone)}" if gone else ""
    why = "" if unmoved else ": the champion is another one now, which it was not compared with"
    return f"forgot the release of bundle {short}, begun but not published{taken}{why}"


def _dead_locks(root: Path) -> list[Path]:
    """Removes the lock files of dead processes in one project.

    DVC's own lock ends with its process (flock); these do not: its table of readers and writers,
    its hard-link locks (core.hardlink_lock), and git's locks of our tags.
    """
    gone = [path for path in _lock_files(root) if not _held(path)]
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


def _held(path: Path) -> bool:
    """Whether a living process holds the lock.

    Raises:
        Busy: it does, and it is a DVC that somebody else runs.
    """
    if path.name == "rwlock":
        holders = _readers_and_writers(path) or {}
    elif path.suffix == ".lock" and "refs" in path.parts:
        return False
    else:
        _, host, process, _ = _claim(path)
        holders = {int(process): "dvc"} if host == socket.gethostname() else {}
        if not holders:
            return True  # of another machine: nobody here can say
    for number, command in holders.items():
        if _is_dvc(number, path.parents[2]):
            raise Busy(
                f"Expected to be alone with the data in {path.parents[2]}, but `{command}` "
                f"(process {number}) is at work there. Wait until it has ended, then run again."
            )
    return False


def _readers_and_writers(path: Path) -> dict[int, str] | None:
    """Process -> command of DVC's table; None where it is torn."""
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
        entries = [*table.get("write", {}).values()]
        entries += [one for readers in table.get("read", {}).values() for one in readers]
        return {int(one["pid"]): str(one["cmd"]) for one in entries}
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
    except psutil.AccessDenied:  # somebody else's
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
    """Removes temporary files and folders that nobody will rename into place any more."""
    folders = [*paths.home.glob("index-*"), *paths.home.glob("build-*")]
    folders += [*paths.bundles.glob(".partial-*"), *paths.home.glob(".workspace-*")]
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)
    places = [root / "data" for root in roots] + [
        paths.home, paths.keys, paths.decisions, paths.processes, paths.home / "dvc-locks",
    ]  # fmt: skip
    files = [
        path
        for place in places
        for path in (place.rglob if place.name == "data" else place.glob)(".*.partial")
        if (match := _PARTIAL.match(path.name)) and not psutil.pid_exists(int(match[1]))
    ]
    for path in files:
        path.unlink(missing_ok=True)
    return folders + files
