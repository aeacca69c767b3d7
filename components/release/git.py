"""A release in git: a commit beside the branch, and a tag that keeps it.

The commit holds exactly what the bundle was made from: code, params, snapshot, dvc.lock. The branch
that is checked out, its index and its files stay as they were.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from components.core import tables
from components.core.errors import ReleaseError
from components.core.paths import Paths
from components.core.runtime import imports, stale_processes
from components.core.scrub import suppression

# Git tags in GTO's naming, so that `gto show` reads them: one major version a release.
TAG = re.compile(r"^newsloop@v(\d+)\.0\.0$")
RELEASED = "data/released.json"  # what later data are compared with: components/core/baseline.py
_PINNED = (
    "params.yaml", "dvc.yaml", "dvc.lock",
    "data/sources.json", "data/baseline.json", "data/candidate.json",
)  # fmt: skip
# How git says that there is a tag of that name already, or that one is being made.
_TAKEN = ("already exists", "cannot lock ref", "failed to update ref")


class Taken(ReleaseError):
    """Somebody else has published a version with this number."""


def tag_name(version: int) -> str:
    """
    >>> tag_name(3)
    'newsloop@v3.0.0'
    """
    return f"newsloop@v{version}.0.0"


def commit(paths: Paths, facts: Mapping[str, Any], now: datetime, message: str) -> str:
    """A commit of the tracked files as they are now, with `facts` as data/released.json."""
    with tempfile.TemporaryDirectory(dir=paths.home, prefix="index-") as folder:
        own = {"GIT_INDEX_FILE": str(Path(folder) / "index")}
        git(paths.root, "read-tree", "HEAD", env=own)
        git(paths.root, "add", "--update", ".", env=own)
        suppressed = suppression.pinned_file(paths.root)
        listed = [str(suppressed)] if suppressed.exists() else []
        git(paths.root, "add", "--force", *_PINNED, *listed, env=own)
        written = tables.write_json(facts, Path(folder) / "released.json")
        blob = git(paths.root, "hash-object", "-w", str(written))
        entry = f"100644,{blob},{RELEASED}"
        git(paths.root, "update-index", "--add", "--cacheinfo", entry, env=own)
        tree = git(paths.root, "write-tree", env=own)
    if tree == git(paths.root, "rev-parse", "HEAD^{tree}"):
        return git(paths.root, "rev-parse", "HEAD")
    moment = {"GIT_AUTHOR_DATE": now.isoformat(), "GIT_COMMITTER_DATE": now.isoformat()}
    return git(paths.root, "commit-tree", tree, "-p", "HEAD", "-m", message, env=moment)


def versions(root: Path) -> dict[int, str]:
    """Version -> message of its tag, of the repository at `root`."""
    listed = git(root, "tag", "--list", "newsloop@v*", "--format=%(refname:short) %(contents)%00")
    entries = (entry.strip().partition(" ") for entry in listed.split("\0"))
    return {int(match[1]): text for tag, _, text in entries if (match := TAG.match(tag))}


def published(root: Path, remote: str | None) -> set[int]:
    """The numbers of the versions that a git remote has.

    Raises:
        ReleaseError: it cannot be reached.
    """
    if remote is None:
        return set()
    refs = git(root, "ls-remote", "--tags", "--refs", remote, "newsloop@v*").split()[1::2]
    found = (TAG.match(ref.removeprefix("refs/tags/")) for ref in refs)
    return {int(match[1]) for match in found if match}


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


def has(root: Path, commit_: str) -> bool:
    """Whether the repository at `root` holds that commit."""
    asked = ["git", "cat-file", "-e", f"{commit_}^{{commit}}"]
    return subprocess.run(asked, cwd=root, capture_output=True, check=False).returncode == 0


def _unless_taken(root: Path, *arguments: str) -> None:
    try:
        git(root, *arguments)
    except ReleaseError as error:
        if any(words in str(error) for words in _TAKEN):
            raise Taken(str(error)) from error
        raise


def git(root: Path, *arguments: str, env: Mapping[str, str] | None = None) -> str:
    identity = {
        f"GIT_{role}_{part}": value
        for role in ("AUTHOR", "COMMITTER")
        for part, value in (("NAME", "newsloop"), ("EMAIL", "newsloop@localhost"))
    }
    # Nobody is there to type a password, and what git says is looked at in English.
    plain = {"GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
    return run(["git", *arguments], root, {**plain, **identity, **(env or {})})


def run(command: Sequence[str], folder: Path, env: Mapping[str, str]) -> str:
    """What the command prints.

    Raises:
        ReleaseError: it failed; with what it said.
    """
    done = subprocess.run(
        command, cwd=folder, env={**stale_processes.marked(folder), **env},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        dvc = imports.dvc()
        ours = list(command[: len(dvc)]) == dvc
        shown = " ".join(["dvc", *command[len(dvc) :]] if ours else command)
        said = " ".join(done.stderr.split()) or f"exit status {done.returncode}"
        raise ReleaseError(
            f"Expected `{shown}` to work in {folder}, got: {said}. The champion stays; mend that "
            "and run again, nothing has to be trained anew."
        )
    return done.stdout.strip()
