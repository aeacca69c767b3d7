"""dvc.lock, which DVC writes in place: a good copy is kept, and a torn one is put right.

What was computed lies in DVC's cache, together with a memory of which run made it. So a dvc.lock
that is older than the data, or missing, costs no training: reproducing finds what is there.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import yaml

from components.core import git, tables
from components.core.paths import Paths

_STAGE = {"cmd", "deps", "params", "outs"}
_HASH = re.compile(r"[0-9a-f]{32}(\.dir)?")


def sound(text: str) -> bool:
    """Whether it is a whole dvc.lock.

    >>> sound("schema: '2.0'\\nstages: {}\\n"), sound(""), sound("schema: '2.0'\\nstages:\\n  x")
    (True, False, False)
    """
    try:
        lock = yaml.safe_load(text)
        if not isinstance(lock, dict) or lock.get("schema") != "2.0":
            return False
        return all(
            {"cmd", "outs"} <= set(stage) <= _STAGE
            and all(
                "path" in one and _HASH.fullmatch(str(one["md5"]))
                for key in ("deps", "outs")
                for one in stage.get(key, [])
            )
            for stage in lock.get("stages", {}).values()
        )
    except (yaml.YAMLError, AttributeError, TypeError, KeyError):
        return False


def keep(paths: Paths) -> None:
    """Keeps a copy of the workspace's dvc.lock, if it is whole."""
    path = paths.root / "dvc.lock"
    if path.exists() and sound(text := _text(path)):
        tables.write_text(text, _copy(paths))


def mend(paths: Paths, champion: str | None) -> str | None:
    """Replaces a dvc.lock that is empty, cut short, in conflict or garbage.

    Args:
        champion: the commit of the champion's release.

    Returns:
        What was done, in a sentence; None where nothing was wrong.
    """
    path = paths.root / "dvc.lock"
    if not path.exists() or sound(_text(path)):
        return None
    for name, read in _copies(paths, champion):
        text = read()
        if sound(text):
            tables.write_text(text, path)
            return f"{path} was no whole dvc.lock; {name} stands in its place"
    path.unlink()
    return f"{path} was no whole dvc.lock and is removed; what was computed is in DVC's cache"


def _copies(paths: Paths, champion: str | None) -> Iterator[tuple[str, Callable[[], str]]]:
    """Where a good one may be found, the newest first."""
    yield "the copy of the last stage that ended", lambda: _text(_copy(paths))
    for name, commit in (("the champion's", champion), ("that of the last commit", "HEAD")):
        if commit:
            yield name, lambda commit=commit: _committed(paths.root, commit)  # type: ignore[misc]


def _copy(paths: Paths) -> Path:
    """One for each workspace; several checkouts may share a home."""
    name = hashlib.sha256(str(paths.root).encode()).hexdigest()[:12]
    return paths.home / "dvc-locks" / f"{name}.yaml"


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""


def _committed(root: Path, commit: str) -> str:
    text = git.query(root, "show", f"{commit}:dvc.lock")
    return f"{text}\n" if text else ""
