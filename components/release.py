"""Publishes a bundle that the gate let pass, and makes it the champion.

The order is what makes it safe to be killed anywhere: dvc push, commit, tag, git push, bundle
store, ledger row. Each step does nothing when it was done before, so a run that is repeated goes on
where the killed one stopped. The ledger row is last: until it is there, the old champion serves.

The commit holds exactly what the bundle was made from: code, params, snapshot, dvc.lock. It is made
beside the branch that is checked out, which is never moved; the version's tag keeps it.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from components.core import baseline, bundle, suppression, tables
from components.core.errors import ReleaseError
from components.core.ledger import Champion, Ledger
from components.core.paths import Paths

# Git tags in GTO's naming, so that `gto show` reads them: one major version a release.
TAG = re.compile(r"^newsloop@v(\d+)\.0\.0$")
_PINNED = (
    "params.yaml", "dvc.yaml", "dvc.lock",
    "data/sources.json", "data/baseline.json", "data/candidate.json",
)  # fmt: skip
# What the commit holds besides, to compare later data with: see components/core/baseline.py.
_RELEASED = "data/released.json"


def tag_name(version: int) -> str:
    """
    >>> tag_name(3)
    'newsloop@v3.0.0'
    """
    return f"newsloop@v{version}.0.0"


def publish(
    paths: Paths,
    ledger: Ledger,
    decision: dict[str, Any],
    watermark: int,
    now: datetime,
    reason: str,
) -> Champion:
    """Releases data/06_packaged/bundle.

    Args:
        paths: of the workspace in which it was made.
        ledger: where the version and its deployment are written.
        decision: the gate's, as a dictionary; kept with the version.
        watermark: of the feedback source in the snapshot; labels after it are new.
        now: UTC.
        reason: why the run was started.

    Returns:
        The new champion.

    Raises:
        ReleaseError: dvc or git refused; the old champion stays.
    """
    name = bundle.verify(paths.bundle, paths.keys)
    known = {row["bundle"]: row["version"] for row in ledger.versions()}
    if name in known:
        ledger.deploy(known[name], now, reason)
        return _champion(ledger)
    _dvc(paths, "push")
    metrics = tables.read_json(paths.evaluated / "metrics.json")
    commit = _commit(paths, now, f"Release bundle {name[:12]}: {reason}")
    version, tag = _tag(paths, ledger, commit, name, metrics)
    store(paths.bundle, paths.bundles / name, paths.keys)
    ledger.add_version(
        {
            "version": version,
            "bundle": name,
            "time": now,
            "tag": tag,
            "commit": commit,
            "dvc_lock": tables.file_hash(paths.root / "dvc.lock"),
            "snapshot": tables.file_hash(paths.snapshot),
            "metrics": metrics,
            "decision": {**decision, "feedback_watermark": watermark},
        },
        reason,
    )
    return _champion(ledger)


def left_by(paths: Paths, champion: Champion) -> dict[str, Any] | None:
    """What the champion was made from, as its release left it.

    None where it left nothing, or where another installation released it into the same ledger, so
    that its commit is not here.
    """
    if not _git(paths, "tag", "--list", champion.tag):
        return None
    if not _git(paths, "ls-tree", "--name-only", champion.commit, _RELEASED):
        return None
    facts: dict[str, Any] = json.loads(_git(paths, "show", f"{champion.commit}:{_RELEASED}"))
    return facts


def _facts(paths: Paths) -> dict[str, Any]:
    """Counts of the data that the bundle was made from, and where the test side was cut."""
    split = tables.read_json(paths.split / "split.json")
    names = [pin["name"] for pin in tables.read_json(paths.snapshot)["sources"]]
    validation = tables.read_json(paths.validated / "validation.json")
    counts = baseline.counts(validation, names, split.get("eras", ()))
    return {**counts, "test": {**split["sides"]["test"], "hash": split["test_hash"]}}


def store(source: Path, target: Path, key_folder: Path) -> None:
    """Copies a bundle into the bundle store, whole or not at all, and verifies the copy."""
    if target.exists():
        bundle.verify(target, key_folder)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".partial-") as folder:
        copy = Path(folder) / "bundle"
        shutil.copytree(source, copy)
        bundle.verify(copy, key_folder)
        for path in copy.rglob("*"):
            if path.is_file():
                with path.open("rb") as file:
                    os.fsync(file.fileno())
        copy.rename(target)


def _champion(ledger: Ledger) -> Champion:
    champion = ledger.champion()
    if champion is None:
        raise ReleaseError("Expected a champion after the release, found none in the ledger.")
    return champion


def _commit(paths: Paths, now: datetime, message: str) -> str:
    """A commit of the tracked files as they are now; made without touching branch or index."""
    with tempfile.TemporaryDirectory(dir=paths.home, prefix="index-") as folder:
        own = {"GIT_INDEX_FILE": str(Path(folder) / "index")}
        _git(paths, "read-tree", "HEAD", env=own)
        _git(paths, "add", "--update", ".", env=own)
        suppressed = suppression.pinned_file(paths.root)
        listed = [str(suppressed)] if suppressed.exists() else []
        _git(paths, "add", "--force", *_PINNED, *listed, env=own)
        facts = Path(folder) / "released.json"
        tables.write_json(_facts(paths), facts)
        blob = _git(paths, "hash-object", "-w", str(facts))
        entry = f"100644,{blob},{_RELEASED}"
        _git(paths, "update-index", "--add", "--cacheinfo", entry, env=own)
        tree = _git(paths, "write-tree", env=own)
    if tree == _git(paths, "rev-parse", "HEAD^{tree}"):
        return _git(paths, "rev-parse", "HEAD")
    moment = {"GIT_AUTHOR_DATE": now.isoformat(), "GIT_COMMITTER_DATE": now.isoformat()}
    return _git(paths, "commit-tree", tree, "-p", "HEAD", "-m", message, env=moment)


def _tag(
    paths: Paths, ledger: Ledger, commit: str, name: str, metrics: dict[str, Any]
) -> tuple[int, str]:
    """The version's number and annotated tag; a tag that a killed run left for it is taken up."""
    mark = f"bundle {name}"
    listed = _git(paths, "tag", "--list", "newsloop@v*", "--format=%(refname:short) %(contents)%00")
    taken = [0] + [row["version"] for row in ledger.versions()]
    for entry in listed.split("\0"):
        tag, _, message = entry.strip().partition(" ")
        match = TAG.match(tag)
        if match is None:
            continue
        if mark in message and int(match[1]) not in taken:
            _push_tag(paths, tag)
            return int(match[1]), tag
        taken.append(int(match[1]))
    version = max(taken) + 1
    tag = tag_name(version)
    accuracy = metrics["accuracy"]["value"]
    message = f"{metrics['architecture']}, test accuracy {accuracy:.4f}\n\n{mark}\n"
    _git(paths, "tag", "--annotate", tag, commit, "-m", message)
    _push_tag(paths, tag)
    return version, tag


def _push_tag(paths: Paths, tag: str) -> None:
    """Brings the tag home from the workspace clone; a checkout has it already."""
    if paths.root == paths.workspace:
        _git(paths, "push", "--quiet", "origin", f"refs/tags/{tag}")


def _git(paths: Paths, *arguments: str, env: dict[str, str] | None = None) -> str:
    identity = {
        f"GIT_{role}_{part}": value
        for role in ("AUTHOR", "COMMITTER")
        for part, value in (("NAME", "newsloop"), ("EMAIL", "newsloop@localhost"))
    }
    return _run(["git", *arguments], paths.root, {**identity, **(env or {})})


def _dvc(paths: Paths, *arguments: str) -> str:
    return _run([sys.executable, "-m", "dvc", *arguments], paths.root, {})


def _run(command: Sequence[str], folder: Path, env: dict[str, str]) -> str:
    done = subprocess.run(
        command, cwd=folder, env={**os.environ, **env}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        shown = " ".join(part for part in command if part not in (sys.executable, "-m"))
        said = " ".join(done.stderr.split()) or f"exit status {done.returncode}"
        raise ReleaseError(
            f"Expected `{shown}` to work in {folder}, got: {said}. The champion stays; mend that "
            "and run again, nothing has to be trained anew."
        )
    return done.stdout.strip()
