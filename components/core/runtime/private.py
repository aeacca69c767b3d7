"""Keeps what newsloop writes from the other users of the machine, whatever the umask was."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

UMASK = 0o077  # new files 0600, new folders 0700
_OTHERS = stat.S_IRWXG | stat.S_IRWXO
# What lies in the folder of the state. In a folder of another name than `.newsloop` something else
# may lie there too: then that folder is not ours alone, and keeps its rights.
_OWN_NAME = ".newsloop"
_FOLDERS = [
    "ahead",
    "bentoml",
    "bundles",
    "certificates",
    "checkpoints",
    "dask",
    "data_docs",
    "decisions",
    "demo",
    "drill",
    "dvc-locks",
    "energy",
    "erasures",
    "keras",
    "keys",
    "loading",
    "logs",
    "matplotlib",
    "numba",
    "prefect",
    "processes",
    "rehearsals",
    "remote",
    "reports",
    "spool",
    "tune",
    "vectors",
    "workspace",
]
_FILES = [
    "alerts.yaml",
    "home.html",
    "learning.lock",
    "ledger-away.json",
    "release.json",
    "status.json",
]
_DATABASES = ("feeds.sqlite", "ledger.sqlite", "scrub-cache.sqlite")  # and files named after them
STATE = frozenset([*_FOLDERS, *_FILES])


def keep_private() -> None:
    """Sets the umask of this process and its children; call it before anything is written."""
    os.umask(UMASK)


def close_state(root: Path, home: Path) -> None:
    """Takes the rights of group and others from state that is there already.

    A folder that is closed is not looked into again.

    Args:
        root: of the project, with its data and DVC's cache.
        home: the folder of the state.
    """
    if home.is_dir():
        entries = list(home.iterdir())
        own = entries if home.name == _OWN_NAME else [path for path in entries if _is_state(path)]
        for path in own:
            _close(path)
        if len(own) == len(entries):
            _restrict(home)
    for name in ("data", ".dvc/cache", ".dvc/tmp"):
        _close(root / name)


def _is_state(path: Path) -> bool:
    return path.name in STATE or path.name.startswith(_DATABASES)


def _close(path: Path) -> None:
    """Closes a file, or a folder from its leaves up, so that an end in the middle is noticed."""
    if path.is_symlink() or not _is_open(path):
        return
    for inner in _below(path):
        _restrict(inner)
    _restrict(path)


def _below(path: Path) -> Iterator[Path]:
    for folder, folders, files in os.walk(path, topdown=False):
        yield from (Path(folder, name) for name in (*files, *folders))


def _is_open(path: Path) -> bool:
    try:
        return bool(path.lstat().st_mode & _OTHERS)
    except OSError:
        return False


def _restrict(path: Path) -> None:
    """Leaves a link, a file of another user, and one that is gone, as they are."""
    try:
        mode = path.lstat().st_mode
        if mode & _OTHERS and not stat.S_ISLNK(mode):
            path.chmod(stat.S_IMODE(mode) & ~_OTHERS)
    except (FileNotFoundError, PermissionError):
        return
