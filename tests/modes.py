"""Finds files and folders of the state that other users of the machine may read."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_ENTER = stat.S_IXGRP | stat.S_IXOTH


def readable_by_others(root: Path, home: Path) -> list[str]:
    """Paths in the state, the data and DVC's cache that group or others can get at.

    What lies in a folder that they cannot enter does not count: DVC and git make files of the mode
    0444, whatever the umask.

    Args:
        root, home: of a project.
    """
    folders = (home, root / "data", root / ".dvc" / "cache", root / ".dvc" / "tmp")
    return [found for folder in folders if folder.exists() for found in _open(folder)]


def _open(path: Path) -> Iterator[str]:
    mode = path.lstat().st_mode
    if not stat.S_ISLNK(mode) and mode & _OTHERS:
        yield f"{stat.filemode(mode)} {path}"
    if stat.S_ISDIR(mode) and mode & _ENTER:
        for entry in os.scandir(path):
            yield from _open(Path(entry.path))
