"""dvc.lock: parsing, search in git's history, a backup copy, and repair.

DVC writes the file in place, so a killed process can tear it; the backup copy replaces it.

DVC's cache holds the outputs and a record of the runs that made them. So an old or missing dvc.lock
costs no training: `dvc repro` restores the outputs from the cache.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from components.core import git, tables
from components.core.errors import DataError
from components.core.paths import Paths

_STAGE = {"cmd", "deps", "params", "outs"}
_HASH = re.compile(r"[0-9a-f]{32}(\.dir)?")


@dataclass(frozen=True)
class Step:
    """One recorded run of a stage, from a dvc.lock or from DVC's run cache.

    Attributes:
        stage: name of the stage, such as train.
        deps, outs: path -> id of the object.
    """

    stage: str
    deps: dict[str, str]
    outs: dict[str, str]


def step(stage: str, entry: dict[str, Any]) -> Step:
    """Parses a step from its entry in a dvc.lock or in the run cache."""
    deps, outs = (
        {file["path"]: str(file["md5"]) for file in entry.get(key) or [] if "md5" in file}
        for key in ("deps", "outs")
    )
    return Step(stage, deps, outs)


def parse(text: str) -> list[Step]:
    """Parses the steps of a dvc.lock.

    Raises:
        DataError: the text is no dvc.lock.
    """
    try:
        return [step(name, entry) for name, entry in _stages(text).items()]
    except (yaml.YAMLError, AttributeError, TypeError, KeyError) as error:
        raise DataError(
            f"Expected a dvc.lock, got something else ({type(error).__name__}). Restore it with "
            "git."
        ) from error


def read(root: Path) -> list[Step]:
    """Reads the dvc.lock in the working tree at `root`; no steps without such a file.

    Raises:
        DataError: as `parse`.
    """
    path = root / "dvc.lock"
    return parse(path.read_text(encoding="utf-8")) if path.is_file() else []


def of_commit(root: Path, commit: str) -> list[Step] | None:
    """Reads the dvc.lock of one commit; None if git does not have it."""
    return _of_commit(root, commit, {})


def everywhere(root: Path) -> dict[str, list[Step]]:
    """Reads every dvc.lock in git's history, and that of the working tree.

    Returns:
        Commit ("" for the working tree) -> steps. Commits with the same file share one list.
    """
    by_commit: dict[str, list[Step]] = {}
    if (root / "dvc.lock").is_file():
        by_commit[""] = read(root)
    listed = git.query(root, "rev-list", "--all", "--full-history", "--", "dvc.lock") or ""
    parsed: dict[str, list[Step]] = {}
    for commit in listed.split():
        steps = _of_commit(root, commit, parsed)
        if steps is not None:
            by_commit[commit] = steps
    return by_commit


def _of_commit(root: Path, commit: str, parsed: dict[str, list[Step]]) -> list[Step] | None:
    blob = git.query(root, "rev-parse", "--verify", "--quiet", f"{commit}:dvc.lock")
    if not blob:
        return None
    if blob not in parsed:
        parsed[blob] = parse(git.query(root, "cat-file", "blob", blob) or "")
    return parsed[blob]


def sound(text: str) -> bool:
    """Returns True for a complete dvc.lock.

    >>> sound("schema: '2.0'\\nstages: {}\\n"), sound(""), sound("schema: '2.0'\\nstages:\\n  x")
    (True, False, False)
    """
    try:
        return all(
            {"cmd", "outs"} <= set(entry) <= _STAGE
            and all(
                "path" in file and _HASH.fullmatch(str(file["md5"]))
                for key in ("deps", "outs")
                for file in entry.get(key, [])
            )
            for entry in _stages(text, schema="2.0").values()
        )
    except (yaml.YAMLError, AttributeError, TypeError, KeyError):
        return False


def _stages(text: str, schema: str | None = None) -> dict[str, Any]:
    """Parses stage -> entry; raises KeyError for another schema."""
    lock = yaml.safe_load(text) or {}
    if schema is not None and lock["schema"] != schema:
        raise KeyError(schema)
    stages: dict[str, Any] = lock.get("stages") or {}
    return stages


def keep(paths: Paths) -> None:
    """Saves a backup copy of the workspace's dvc.lock, if the file is complete."""
    path = paths.root / "dvc.lock"
    if path.exists() and sound(text := _text(path)):
        tables.write_text(text, _copy(paths))


def restore(paths: Paths, champion: str | None) -> str | None:
    """Replaces a dvc.lock that is empty, truncated, in a merge conflict or invalid.

    Args:
        champion: commit of the champion's release.

    Returns:
        A sentence about the repair; None if the file was complete or missing.
    """
    path = paths.root / "dvc.lock"
    if not path.exists() or sound(_text(path)):
        return None
    for name, read in _copies(paths, champion):
        text = read()
        if sound(text):
            tables.write_text(text, path)
            return f"{path} was incomplete and is replaced by {name}"
    path.unlink()
    return f"{path} was incomplete and is removed; the outputs are in DVC's cache"


def _copies(paths: Paths, champion: str | None) -> Iterator[tuple[str, Callable[[], str]]]:
    """Yields name and reader of each replacement, the newest first."""
    yield "the copy of the last stage that ended", lambda: _text(_copy(paths))
    for name, commit in (("the champion's", champion), ("that of the last commit", "HEAD")):
        if commit:
            yield name, lambda commit=commit: _committed(paths.root, commit)  # type: ignore[misc]


def _copy(paths: Paths) -> Path:
    """Returns the path of the backup copy; several checkouts may share a home."""
    name = hashlib.sha256(str(paths.root).encode()).hexdigest()[:12]
    return paths.home / "dvc-locks" / f"{name}.yaml"


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""


def _committed(root: Path, commit: str) -> str:
    text = git.query(root, "show", f"{commit}:dvc.lock")
    return f"{text}\n" if text else ""
