"""Finds files and folders of the state that other users of the machine may read."""

from __future__ import annotations

import stat
from pathlib import Path


def readable_by_others(root: Path, home: Path) -> list[str]:
    """Paths in the state, the data and DVC's cache on which group or others have any right.

    Args:
        root, home: of a project.
    """
    folders = (home, root / "data", root / ".dvc" / "cache", root / ".dvc" / "tmp")
    found = []
    for folder in folders:
        for path in (folder, *folder.rglob("*")):
            mode = path.lstat().st_mode if path.exists() else 0
            if not stat.S_ISLNK(mode) and mode & (stat.S_IRWXG | stat.S_IRWXO):
                found.append(f"{stat.filemode(mode)} {path}")
    return found
