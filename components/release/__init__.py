"""Publishes a bundle that the gate let pass, and makes it the champion.

The order is what makes it safe to be killed anywhere: dvc push, commit, bundle store, tag, git
push, ledger row. Each step does nothing when it was done before. The journal (release/journal.py)
says how far a killed release came: with the bundle in the store it is finished, before that it is
forgotten, and the next run releases anew without training. The ledger row is last: until it is
there, the old champion serves.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tempfile
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from components.core import baseline, bundle, git, tables
from components.core.errors import LedgerError, ReleaseError
from components.core.ledger import Champion, Ledger, version_names
from components.core.paths import Paths
from components.core.runtime import imports, stale_processes
from components.core.training import energy
from components.release import journal, repository
from components.release.journal import Entry, ReleaseStep
from components.release.repository import Taken

_ADVERTISEMENT = re.compile(r"\s*Having any troubles\?.*?happy to help!")
# How S3 and the libraries that talk to it put it, and what it means.
_HINTS = (
    (
        "Forbidden|AccessDenied|InvalidAccessKey|SignatureDoesNotMatch|credentials",
        "DVC's remote does not let us in: see its keys (docs/versions.md).",
    ),
    ("NoSuchBucket", "Make the bucket, or name another one by `dvc remote modify`."),
    (
        "Could not connect|Connection was closed|IncompleteRead|timed? ?out",
        "DVC's remote cannot be reached, or not for long: see that it runs.",
    ),
)
ATTEMPTS = 20  # to find a number that nobody else takes at the same moment


def publish(
    paths: Paths,
    ledger: Ledger,
    decision: dict[str, Any],
    watermark: int,
    now: datetime,
    reason: str,
    git_remote: str | None = None,
) -> Champion:
    """Releases data/06_packaged/bundle.

    Args:
        paths: of the workspace in which it was made.
        ledger: where the version and its deployment are written.
        decision: the gate's, as a dictionary; kept with the version.
        watermark: of the feedback source in the snapshot; labels after it are new.
        now: UTC.
        reason: why the run was started.
        git_remote: of the checkout, to which the tag goes; None: it stays here.

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
    champion = ledger.champion()
    spent = energy.of(paths.bundle / bundle.MODEL, paths.home)
    entry = Entry(
        bundle=name,
        champion=champion.bundle if champion else None,
        root=str(paths.root),
        git_remote=git_remote,
        reason=reason,
        metrics=tables.read_json(paths.evaluated / "metrics.json") | {"energy": spent},
        decision={**decision, "feedback_watermark": watermark},
        dvc_lock=tables.file_hash(paths.root / "dvc.lock"),
        snapshot=tables.file_hash(paths.snapshot),
    )
    journal.write(entry, paths)
    _dvc(paths, "push")
    entry = journal.write(replace(entry, step=ReleaseStep.PUSHED), paths)
    message = f"Release bundle {name[:12]}: {reason}"
    commit = repository.commit(paths, _facts(paths), now, message)
    entry = journal.write(replace(entry, step=ReleaseStep.COMMITTED, commit=commit), paths)
    store(paths.bundle, paths.bundles / name, paths.keys)
    entry = journal.write(replace(entry, step=ReleaseStep.STORED), paths)
    return finish(paths, ledger, entry, now)


def finish(paths: Paths, ledger: Ledger, entry: Entry, now: datetime) -> Champion:
    """The steps after `stored`: tag, git push, ledger row. Needs no data of the workspace.

    Raises:
        ReleaseError: git refused; the old champion stays, and `newsloop repair` goes on from here.
    """
    for _ in range(ATTEMPTS):
        try:
            version = _number(paths, ledger, entry)
            _tag(paths, entry, version)
            journal.write(replace(entry, step=ReleaseStep.TAGGED), paths)
            if entry.git_remote:
                repository.push(_checkout(paths), entry.git_remote, version_names.tag(version))
            journal.write(replace(entry, step=ReleaseStep.SHARED), paths)
            _register(ledger, entry, version, now)
        except Taken:
            untag(paths, entry)
            continue
        journal.close(paths)
        return _champion(ledger)
    raise ReleaseError(
        f"Expected to find a version number that is free, others took {ATTEMPTS} in a row. The "
        "champion stays; run `newsloop repair` when they are done."
    )


def left_by(paths: Paths, champion: Champion) -> dict[str, Any] | None:
    """What the champion was made from, as its release left it.

    None where it left nothing, or where another installation released it into the same ledger, so
    that its commit is not here.
    """
    released = repository.RELEASED
    if not git.run(paths.root, "tag", "--list", champion.tag):
        return None
    if not git.run(paths.root, "ls-tree", "--name-only", champion.commit, released):
        return None
    said = git.run(paths.root, "show", f"{champion.commit}:{released}")
    facts: dict[str, Any] = json.loads(said)
    return facts


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


def untag(paths: Paths, entry: Entry) -> list[str]:
    """Takes the tags of this bundle away from workspace and checkout; their names."""
    gone = set()
    for root in {paths.root, _checkout(paths)}:
        for version, text in repository.versions(root).items():
            if _mark(entry) in text:
                git.run(root, "tag", "--delete", version_names.tag(version))
                gone.add(version_names.tag(version))
    return sorted(gone)


def _facts(paths: Paths) -> dict[str, Any]:
    """Counts of the data that the bundle was made from, and where the test side was cut."""
    split = tables.read_json(paths.split / "split.json")
    names = [pin["name"] for pin in tables.read_json(paths.snapshot)["sources"]]
    validation = tables.read_json(paths.validated / "validation.json")
    counts = baseline.counts(validation, names, split.get("eras", ()))
    return {**counts, "test": {**split["sides"]["test"], "hash": split["test_hash"]}}


def _champion(ledger: Ledger) -> Champion:
    champion = ledger.champion()
    if champion is None:
        raise ReleaseError("Expected a champion after the release, found none in the ledger.")
    return champion


def _number(paths: Paths, ledger: Ledger, entry: Entry) -> int:
    """The version's number: of the tag that a killed run left for this bundle, or the next."""
    taken = {row["version"] for row in ledger.versions()}
    tags = {**repository.versions(_checkout(paths)), **repository.versions(paths.root)}
    left = [v for v, text in tags.items() if _mark(entry) in text and v not in taken]
    if left:
        return left[0]
    public = repository.published(_checkout(paths), entry.git_remote)
    return max(taken | set(tags) | public, default=0) + 1


def _tag(paths: Paths, entry: Entry, version: int) -> None:
    """The annotated tag, in the workspace and, where that is a clone, in the checkout."""
    tag = version_names.tag(version)
    if _mark(entry) not in repository.versions(paths.root).get(version, ""):
        accuracy = entry.metrics["accuracy"]["value"]
        architecture = entry.metrics["architecture"]
        message = f"{architecture}, test accuracy {accuracy:.4f}\n\n{_mark(entry)}\n"
        repository.make_tag(paths.root, tag, entry.commit, message)
    if paths.root != _checkout(paths):
        repository.push(paths.root, "origin", tag)


def _mark(entry: Entry) -> str:
    return f"bundle {entry.bundle}"


def _checkout(paths: Paths) -> Path:
    return paths.checkout or paths.root


def _register(ledger: Ledger, entry: Entry, version: int, now: datetime) -> None:
    row = {
        "version": version,
        "bundle": entry.bundle,
        "time": now,
        "tag": version_names.tag(version),
        "commit": entry.commit,
        "dvc_lock": entry.dvc_lock,
        "snapshot": entry.snapshot,
        "metrics": entry.metrics,
        "decision": entry.decision,
    }
    try:
        ledger.add_version(row, entry.reason)
    except LedgerError as error:
        # Another installation releases into the same ledger.
        if version in {other["version"] for other in ledger.versions()}:
            raise Taken(str(error)) from error
        raise


def _dvc(paths: Paths, *arguments: str) -> None:
    done = subprocess.run(
        [*imports.dvc(), *arguments], cwd=paths.root, env=stale_processes.marked(paths.root),
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        said = " ".join(done.stderr.split()) or f"exit status {done.returncode}"
        raise ReleaseError(
            explained(
                f"Expected `dvc {' '.join(arguments)}` to work in {paths.root}, got: {said}. The "
                "champion stays; fix that and run again, nothing has to be trained anew."
            )
        )


def explained(said: str) -> str:
    """What DVC said of its remote, without its advertisement, and what to do."""
    said = _ADVERTISEMENT.sub("", said)
    hint = next((text for words, text in _HINTS if re.search(words, said)), "")
    return f"{said} {hint}".strip()
