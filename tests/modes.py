"""Finds files and folders of the state that other users of the machine may read."""

from __future__ import annotations

import stat
from pathlib import Path


def readable_by_others(root: Path, home: Path) -> list[str]:
    """Paths in the state, the data and DVC's cache on which group or others have any right.

    All folders count. Of files, two kinds do not, whose folders are closed: DVC's objects, to which
    DVC gives the mode 0444, and the code in a bento, which has the mode of the checkout.

    Args:
        root, home: of a project.
    """
    folders = (home, root / "data", root / ".dvc" / "cache", root / ".dvc" / "tmp")
    found = []
    for folder in folders:
        for path in (folder, *folder.rglob("*")):
            mode = path.lstat().st_mode if path.exists() else 0
            if not stat.S_ISDIR(mode) and ("md5" in path.parts or "bento" in path.parts):
                continue
            if not stat.S_ISLNK(mode) and mode & (stat.S_IRWXG | stat.S_IRWXO):
                found.append(f"{stat.filemode(mode)} {path}")
    return found
