"""Git part of a release: a commit outside of any branch, and a tag that refers to it.

The commit holds the inputs of the bundle: code, params, snapshot, dvc.lock. The current branch, its
index and its files do not change.
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

# The counts of the release, which later data are compared with: see components/core/baseline.py.
RELEASED = "data/released.json"
_PINNED = (
    "params.yaml", "dvc.yaml", "dvc.lock",
    "data/sources.json", "data/baseline.json", "data/candidate.json",
)  # fmt: skip
# Parts of git's messages for a tag that exists, or that another process creates.
_TAKEN = ("already exists", "cannot lock ref", "failed to update ref")


class Taken(ReleaseError):
    """Another installation published a version with this number."""


def commit(paths: Paths, facts: Mapping[str, Any], now: datetime, message: str) -> str:
    """Commits the tracked files in their current state, with `facts` as data/released.json.

    Returns:
        The commit; HEAD if its tree is the same.
    """
    with tempfile.TemporaryDirectory(dir=paths.home, prefix="index-") as folder:
        environment = {"GIT_INDEX_FILE": str(Path(folder) / "index")}
        git.run(paths.root, "read-tree", "HEAD", env=environment)
        git.run(paths.root, "add", "--update", ".", env=environment)
        suppressed = suppression.pinned_file(paths.root)
        optional = [str(suppressed)] if suppressed.exists() else []
        git.run(paths.root, "add", "--force", *_PINNED, *optional, env=environment)
        written = tables.write_json(facts, Path(folder) / "released.json")
        blob = git.run(paths.root, "hash-object", "-w", str(written))
        entry = f"100644,{blob},{RELEASED}"
        git.run(paths.root, "update-index", "--add", "--cacheinfo", entry, env=environment)
        tree = git.run(paths.root, "write-tree", env=environment)
    if tree == git.run(paths.root, "rev-parse", "HEAD^{tree}"):
        return git.run(paths.root, "rev-parse", "HEAD")
    dates = {"GIT_AUTHOR_DATE": now.isoformat(), "GIT_COMMITTER_DATE": now.isoformat()}
    return git.run(paths.root, "commit-tree", tree, "-p", "HEAD", "-m", message, env=dates)


def versions(root: Path) -> dict[int, str]:
    """Returns version -> message of its tag, for the repository at `root`."""
    fields = "--format=%(refname:short) %(contents)%00"
    listed = git.run(root, "tag", "--list", version_names.TAGS, fields)
    entries = (entry.strip().partition(" ") for entry in listed.split("\0"))
    numbered = ((version_names.of_tag(tag), text) for tag, _, text in entries)
    return {number: text for number, text in numbered if number is not None}


def published(root: Path, remote: str | None) -> set[int]:
    """Returns the numbers of the versions that a git remote has.

    Raises:
        ReleaseError: the remote cannot be reached.
    """
    if remote is None:
        return set()
    listed = git.run(root, "ls-remote", "--tags", "--refs", remote, version_names.TAGS)
    refs = listed.split()[1::2]
    numbers = (version_names.of_tag(ref.removeprefix("refs/tags/")) for ref in refs)
    return {number for number in numbers if number is not None}


def make_tag(root: Path, tag: str, commit_: str, message: str) -> None:
    """Creates an annotated tag.

    Raises:
        Taken: a tag of that name exists.
    """
    _unless_taken(root, "tag", "--annotate", tag, commit_, "-m", message)


def push(root: Path, remote: str, tag: str) -> None:
    """Pushes a tag and its objects to another repository, without overwriting a tag there.

    Raises:
        Taken: the repository has another tag of that name.
        ReleaseError: the repository cannot be reached, or refuses the push.
    """
    _unless_taken(root, "push", "--quiet", remote, f"refs/tags/{tag}")


def _unless_taken(root: Path, *arguments: str) -> None:
    try:
        git.run(root, *arguments)
    except GitError as error:
        if any(words in str(error) for words in _TAKEN):
            raise Taken(str(error)) from error
        raise
