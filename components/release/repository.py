"""A release in git: a commit beside the branch, and a tag that keeps it.

The commit holds exactly what the bundle was made from: code, params, snapshot, dvc.lock. The branch
that is checked out, its index and its files stay as they were.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from components.core import git, tables
from components.core.errors import GitError, ReleaseError
from components.core.ledger import version_names
from components.core.paths import Paths
from components.core.scrub import suppression

RELEASED = "data/released.json"  # what later data are compared with: components/core/baseline.py
_PINNED = (
    "params.yaml", "dvc.yaml", "dvc.lock",
    "data/sources.json", "data/baseline.json", "data/candidate.json",
)  # fmt: skip
# How git says that there is a tag of that name already, or that one is being made.
_TAKEN = ("already exists", "cannot lock ref", "failed to update ref")


class Taken(ReleaseError):
    """Somebody else has published a version with this number."""


def commit(paths: Paths, facts: Mapping[str, Any], now: datetime, message: str) -> str:
    """A commit of the tracked files as they are now, with `facts` as data/released.json."""
    with tempfile.TemporaryDirectory(dir=paths.home, prefix="index-") as folder:
        own = {"GIT_INDEX_FILE": str(Path(folder) / "index")}
        git.run(paths.root, "read-tree", "HEAD", env=own)
        git.run(paths.root, "add", "--update", ".", env=own)
        suppressed = suppression.pinned_file(paths.root)
        listed = [str(suppressed)] if suppressed.exists() else []
        git.run(paths.root, "add", "--force", *_PINNED, *listed, env=own)
        written = tables.write_json(facts, Path(folder) / "released.json")
        blob = git.run(paths.root, "hash-object", "-w", str(written))
        entry = f"100644,{blob},{RELEASED}"
        git.run(paths.root, "update-index", "--add", "--cacheinfo", entry, env=own)
        tree = git.run(paths.root, "write-tree", env=own)
    if tree == git.run(paths.root, "rev-parse", "HEAD^{tree}"):
        return git.run(paths.root, "rev-parse", "HEAD")
    moment = {"GIT_AUTHOR_DATE": now.isoformat(), "GIT_COMMITTER_DATE": now.isoformat()}
    return git.run(paths.root, "commit-tree", tree, "-p", "HEAD", "-m", message, env=moment)


def versions(root: Path) -> dict[int, str]:
    """Version -> message of its tag, of the repository at `root`."""
    fields = "--format=%(refname:short) %(contents)%00"
    listed = git.run(root, "tag", "--list", version_names.TAGS, fields)
    entries = (entry.strip().partition(" ") for entry in listed.split("\0"))
    numbered = ((version_names.of_tag(tag), text) for tag, _, text in entries)
    return {number: text for number, text in numbered if number is not None}


def published(root: Path, remote: str | None) -> set[int]:
    """The numbers of the versions that a git remote has.

    Raises:
        ReleaseError: it cannot be reached.
    """
    if remote is None:
        return set()
    listed = git.run(root, "ls-remote", "--tags", "--refs", remote, version_names.TAGS)
    refs = listed.split()[1::2]
    numbers = (version_names.of_tag(ref.removeprefix("refs/tags/")) for ref in refs)
    return {number for number in numbers if number is not None}


def make_tag(root: Path, tag: str, commit_: str, message: str) -> None:
    """An annotated tag.

    Raises:
        Taken: there is one of that name.
    """
    _unless_taken(root, "tag", "--annotate", tag, commit_, "-m", message)


def push(root: Path, remote: str, tag: str) -> None:
    """Brings a tag, and what it keeps, to another repository; never moves one that is there.

    Raises:
        Taken: there is another tag of that name.
        ReleaseError: it cannot be reached, or refuses.
    """
    _unless_taken(root, "push", "--quiet", remote, f"refs/tags/{tag}")


def _unless_taken(root: Path, *arguments: str) -> None:
    try:
        git.run(root, *arguments)
    except GitError as error:
        if any(words in str(error) for words in _TAKEN):
            raise Taken(str(error)) from error
        raise
