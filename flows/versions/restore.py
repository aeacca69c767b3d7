"""newsloop restore: restores code, data and bundle of a version, and verifies their hashes.

1. Clone the checkout at the version's commit.
2. Pull its data from DVC's remote, into a separate cache in the folder.
3. Verify the commit, dvc.lock, the snapshot, every file that DVC wrote, and the signed bundle.

The folder gets its name after the verification. DVC itself does not check pulled files against
their hashes.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from components import release
from components.core import bundle, git, tables
from components.core.errors import ReleaseError, UsageError
from components.core.paths import Paths
from flows.dvc import (
    lockfile,
    pipeline,
    process,
    stores,
    workspace,
)

Say = Callable[[str], None]
_LEARNING = ("train", "evaluate", "package")
# Retention removes this file from DVC's stores, see docs/privacy.md.
_MAY_BE_GONE = "quarantine.parquet"


def restore(
    paths: Paths,
    row: dict[str, Any],
    folder: Path,
    say: Say,
    pull_seconds: float = process.REMOTE_SECONDS,
) -> dict[str, Any]:
    """Brings a version into `folder`.

    Args:
        paths: of the checkout.
        row: the version's, of the ledger.
        folder: does not exist, or is empty.
        say: takes a line of progress.
        pull_seconds: time limit for DVC's remote to send the data.

    Returns:
        folder, tag, commit, bundle; files: number of verified files; gone: files that retention
        removed.

    Raises:
        UsageError: the folder is not empty.
        ReleaseError: the commit is missing, the remote cannot be reached, data are missing, or a
            hash differs.
    """
    folder = folder.resolve()
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"Expected a new or empty folder, {folder} is not empty. Name another.")
    if not git.has(paths.root, row["commit"]):
        raise ReleaseError(
            f"Expected the commit {row['commit'][:12]} of {row['tag']} in {paths.root}, it is not "
            "there. Run `git fetch --tags` from the repository that released it."
        )
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as temporary:
        project = Paths(Path(temporary) / "project", paths.home, checkout=paths.root)
        say(f"code of {row['tag']} ...")
        clone = ("clone", "--quiet", "--no-checkout", str(paths.root), str(project.root))
        git.run(paths.root, *clone)
        git.run(project.root, "checkout", "--quiet", "--detach", row["commit"])
        workspace.configure_dvc(project)
        say("data ...")
        _pull(project, pull_seconds)
        say("proof ...")
        verified, gone = prove(project, row)
        if folder.exists():
            folder.rmdir()
        project.root.rename(folder)
    return {
        "folder": str(folder),
        "tag": row["tag"],
        "commit": row["commit"],
        "bundle": row["bundle"],
        "files": verified,
        "gone": gone,
    }


def retrain(paths: Paths, row: dict[str, Any], folder: Path, say: Say) -> dict[str, Any]:
    """Trains a restored version again on its data, and compares the bundles.

    Raises:
        Busy: another learning run holds the lock.
        ReleaseError: the bundle differs.
    """
    project = Paths(folder.resolve(), paths.home, checkout=paths.root)
    shutil.rmtree(project.packaged)  # so that only this training can make the bundle
    with workspace.alone(paths), process.shared(project):
        for stage in _LEARNING:
            say(f"{stage} ...")
            pipeline.repro(stage, project, force=True)
    name = bundle.verify(project.bundle, paths.keys)
    if name != row["bundle"]:
        raise ReleaseError(
            f"Expected training {row['tag']} again to give bundle {row['bundle'][:12]}, it gave "
            f"{name[:12]}. Equal bytes need the same packages (requirements.txt of that version), "
            f"the same kind of processor and of device; the new one is in {project.bundle}."
        )
    return {"bundle": name, "same": True}


def _pull(project: Paths, seconds: float) -> None:
    try:
        pipeline.pull(project, seconds)
    except process.StageFailed as error:
        raise ReleaseError(
            release.explained(f"Expected to bring the data from DVC's remote, got: {error}")
        ) from error


def prove(project: Paths, row: dict[str, Any]) -> tuple[int, list[str]]:
    """Verifies the hashes of a restored version.

    Returns:
        Number of verified files, and the paths that retention removed.

    Raises:
        ReleaseError: a file is altered or missing.
    """
    wrong = []
    if git.run(project.root, "rev-parse", "HEAD") != row["commit"]:
        wrong.append("the commit")
    for name, path in (("dvc_lock", project.root / "dvc.lock"), ("snapshot", project.snapshot)):
        if tables.file_hash(path) != row[name]:
            wrong.append(str(path.relative_to(project.root)))
    expected = _expected(project)
    missing = [path for path in expected if not (project.root / path).is_file()]
    gone = [path for path in missing if path.endswith(_MAY_BE_GONE)]
    wrong += [path for path in missing if path not in gone]
    wrong += [
        path for path, md5 in expected.items() if path not in missing
        and _md5((project.root / path).read_bytes()) != md5
    ]  # fmt: skip
    if wrong:
        raise ReleaseError(
            f"Expected {row['tag']} as it was released; missing or altered in DVC's remote: "
            f"{', '.join(wrong)}. An erasure removes what held its subject (`newsloop models` says "
            "retired); anything else is damage: restore these objects from a copy of the remote."
        )
    if bundle.verify(project.bundle, project.keys) != row["bundle"]:
        raise ReleaseError(
            f"Expected bundle {row['bundle'][:12]} in {project.bundle}, got another one. Restore "
            "its objects from a copy of DVC's remote."
        )
    return len(expected) - len(gone), gone


def _expected(project: Paths) -> dict[str, str]:
    """Reads path -> MD5 of every output file from dvc.lock and DVC's lists of folders.

    Raises:
        ReleaseError: a list is missing or altered.
    """
    cache = stores.open_stores(project.root)[0]
    hashes = {}
    for step in lockfile.read(project.root):
        for path, object_id in step.outs.items():
            if not object_id.endswith(stores.DIRECTORY):
                hashes[path] = object_id
                continue
            listed = cache.read(object_id)
            if listed is None or _md5(listed) + stores.DIRECTORY != object_id:
                raise ReleaseError(
                    f"Expected DVC's list of the files of {path} ({object_id}), it is missing or "
                    "altered in the remote. Restore it from a copy of the remote."
                )
            files = json.loads(listed)
            hashes |= {f"{path}/{file['relpath']}": str(file["md5"]) for file in files}
    return hashes


def _md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()
