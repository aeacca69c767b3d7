"""Publishes a bundle that passed the gate, and makes it the champion.

The steps are dvc push, commit, bundle store, tag, git push, ledger row. In this order a kill at any
moment does no harm, and each step is idempotent. The journal (release/journal.py) records the last
step of a killed release. flows/versions/repair.py finishes the release if the bundle is in the
store and the champion is unchanged. Otherwise it discards the release, and the next run releases
again without a new training. The old champion serves until the ledger row exists.
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
from components.core.runtime import imports, limited, stale_processes
from components.core.training import energy
from components.release import journal, repository
from components.release.journal import Entry, ReleaseStep
from components.release.repository import Taken

_ADVERTISEMENT = re.compile(r"\s*Having any troubles\?.*?happy to help!")
# Patterns in error messages of S3 and its client libraries -> hints for the user.
_HINTS = (
    (
        "Forbidden|AccessDenied|InvalidAccessKey|SignatureDoesNotMatch|credentials",
        "DVC's remote denies access: check its keys (docs/versions.md).",
    ),
    ("NoSuchBucket", "Create the bucket, or name another one by `dvc remote modify`."),
    (
        "Could not connect|Connection was closed|IncompleteRead|timed? ?out",
        "DVC's remote cannot be reached, or the connection breaks: check the remote.",
    ),
)
PUSH_SECONDS = 3600.0  # the default of release.remote_minutes
ATTEMPTS = 20  # to find a number that nobody else takes at the same moment


def publish(
    paths: Paths,
    ledger: Ledger,
    decision: dict[str, Any],
    watermark: int,
    now: datetime,
    reason: str,
    git_remote: str | None = None,
    push_seconds: float = PUSH_SECONDS,
) -> Champion:
    """Releases data/06_packaged/bundle.

    Args:
        paths: of the workspace that built the bundle.
        ledger: stores the version and its deployment.
        decision: decision of the gate as a dictionary, stored with the version.
        watermark: of the feedback source in the snapshot; later labels are new.
        now: UTC.
        reason: why the run was started.
        git_remote: of the checkout, to which the tag goes; None: it stays here.
        push_seconds: time limit of the push to DVC's remote.

    Returns:
        The new champion.

    Raises:
        ReleaseError: dvc or git failed; the old champion stays.
    """
    name = bundle.verify(paths.bundle, paths.keys)
    versions_by_bundle = {row["bundle"]: row["version"] for row in ledger.versions()}
    if name in versions_by_bundle:
        ledger.deploy(versions_by_bundle[name], now, reason)
        return _champion(ledger)
    champion = ledger.champion()
    spent = energy.read(paths.bundle / bundle.MODEL, paths.home)
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
    _push(paths, push_seconds)
    entry = journal.write(replace(entry, step=ReleaseStep.PUSHED), paths)
    message = f"Release bundle {name[:12]}: {reason}"
    commit = repository.commit(paths, _facts(paths), now, message)
    entry = journal.write(replace(entry, step=ReleaseStep.COMMITTED, commit=commit), paths)
    store(paths.bundle, paths.bundles / name, paths.keys)
    entry = journal.write(replace(entry, step=ReleaseStep.STORED), paths)
    return finish(paths, ledger, entry, now)


def finish(paths: Paths, ledger: Ledger, entry: Entry, now: datetime) -> Champion:
    """Runs the steps after `stored`: tag, git push, ledger row; needs no data of the workspace.

    Raises:
        ReleaseError: git failed; the old champion stays, and `newsloop repair` resumes here.
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
        f"Expected a free version number, other installations took {ATTEMPTS} in a row. The "
        "champion stays; run `newsloop repair` when their releases are done."
    )


def left_by(paths: Paths, champion: Champion) -> dict[str, Any] | None:
    """Reads data/released.json from the commit of the champion's release.

    Returns:
        None if the commit has no such file, or if this repository lacks the champion's tag, since
        another installation released the champion into the same ledger.
    """
    released = repository.RELEASED
    if not git.run(paths.root, "tag", "--list", champion.tag):
        return None
    if not git.run(paths.root, "ls-tree", "--name-only", champion.commit, released):
        return None
    content = git.run(paths.root, "show", f"{champion.commit}:{released}")
    facts: dict[str, Any] = json.loads(content)
    facts.pop("signature", None)  # of the bundle, not of its data
    return facts


def store(source: Path, target: Path, key_folder: Path) -> None:
    """Copies a bundle into the bundle store atomically, and verifies the copy."""
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
    """Deletes the tags of this bundle in workspace and checkout; returns their names."""
    deleted = set()
    for root in {paths.root, _checkout(paths)}:
        for version, text in repository.versions(root).items():
            if _mark(entry) in text:
                git.run(root, "tag", "--delete", version_names.tag(version))
                deleted.add(version_names.tag(version))
    return sorted(deleted)


def _facts(paths: Paths) -> dict[str, Any]:
    """Builds data/released.json: counts of the data, eras, the test side's hash, the signature.

    DVC's remote has no signature, and a restored version on another machine needs it.
    """
    split = tables.read_json(paths.split / "split.json")
    names = [pin["name"] for pin in tables.read_json(paths.snapshot)["sources"]]
    validation = tables.read_json(paths.validated / "validation.json")
    counts = baseline.counts(validation, names, split.get("eras", ()))
    signature = (paths.bundle / bundle.SIGNATURE).read_bytes().hex()
    test = {**split["sides"]["test"], "hash": split["test_hash"]}
    return {**counts, "test": test, "signature": signature}


def _champion(ledger: Ledger) -> Champion:
    champion = ledger.champion()
    if champion is None:
        raise ReleaseError("Expected a champion after the release, found none in the ledger.")
    return champion


def _number(paths: Paths, ledger: Ledger, entry: Entry) -> int:
    """Returns the version's number: of a tag that a killed run left, or the next free one."""
    taken = {row["version"] for row in ledger.versions()}
    tags = {**repository.versions(_checkout(paths)), **repository.versions(paths.root)}
    candidates = [v for v, text in tags.items() if _mark(entry) in text and v not in taken]
    if candidates:
        return candidates[0]
    public = repository.published(_checkout(paths), entry.git_remote)
    return max(taken | set(tags) | public, default=0) + 1


def _tag(paths: Paths, entry: Entry, version: int) -> None:
    """Creates the annotated tag in the workspace, and in the checkout of a cloned workspace."""
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
        # Another installation released a version with this number into the same ledger.
        if version in {other["version"] for other in ledger.versions()}:
            raise Taken(str(error)) from error
        raise


def _push(paths: Paths, seconds: float) -> None:
    """Sends the data to DVC's remote. What arrived stays there: the next push sends the rest."""
    try:
        status, _, errors = limited.run(
            [*imports.dvc(), "push"], paths.root, stale_processes.marked(paths.root), seconds
        )
    except subprocess.TimeoutExpired:
        raise ReleaseError(
            f"Expected `dvc push` to end within {seconds / 60:g} minutes in {paths.root}, it did "
            "not and was ended. The champion stays. See that DVC's remote answers, or raise "
            "release.remote_minutes, and run again: the push goes on where it was."
        ) from None
    if status:
        said = " ".join(errors.split()) or f"exit status {status}"
        raise ReleaseError(
            explained(
                f"Expected `dvc push` to work in {paths.root}, got: {said}. The champion stays; "
                "fix that and run again, nothing has to be trained anew."
            )
        )


def explained(message: str) -> str:
    """Removes the advertisement from a message of DVC, and appends a hint for the user."""
    message = _ADVERTISEMENT.sub("", message)
    hint = next((text for words, text in _HINTS if re.search(words, message)), "")
    return f"{message} {hint}".strip()
