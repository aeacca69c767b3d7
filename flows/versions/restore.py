"""newsloop restore: code, data and bundle of a version in a fresh folder, with their hashes proven.

1. Clone the checkout at the version's commit.
2. Pull its data from DVC's remote, into a cache of the folder's own.
3. Prove: the commit, dvc.lock, the snapshot, every file that DVC wrote, the signed bundle.

Only then the folder gets its name. DVC itself does not compare what it brings with its hash.
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
# What retention takes out of DVC's stores after a time, on purpose; see docs/privacy.md.
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
        folder, tag, commit, bundle; files: how many are proven; gone: those that retention removed.

    Raises:
        UsageError: the folder holds something.
        ReleaseError: the commit is not here, the remote cannot be reached, data are missing, or a
            hash is another.
    """
    folder = folder.resolve()
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"Expected a new or empty folder, {folder} holds something. Name another.")
    if not git.has(paths.root, row["commit"]):
        raise ReleaseError(
            f"Expected the commit {row['commit'][:12]} of {row['tag']} in {paths.root}, it is not "
            "there. Bring it by `git fetch --tags` from where it was released."
        )
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as made:
        place = Paths(Path(made) / "project", paths.home, checkout=paths.root)
        say(f"code of {row['tag']} ...")
        clone = ("clone", "--quiet", "--no-checkout", str(paths.root), str(place.root))
        git.run(paths.root, *clone)
        git.run(place.root, "checkout", "--quiet", "--detach", row["commit"])
        workspace.configure_dvc(place)
        say("data ...")
        _pull(place, pull_seconds)
        say("proof ...")
        proven, gone = prove(place, row)
        if folder.exists():
            folder.rmdir()
        place.root.rename(folder)
    return {
        "folder": str(folder),
        "tag": row["tag"],
        "commit": row["commit"],
        "bundle": row["bundle"],
        "files": proven,
        "gone": gone,
    }


def retrain(paths: Paths, row: dict[str, Any], folder: Path, say: Say) -> dict[str, Any]:
    """Trains a restored version again, on the data that it was trained on, and compares bundles.

    Raises:
        Busy: a learning run is at work.
        ReleaseError: the bundle is another one.
    """
    place = Paths(folder.resolve(), paths.home, checkout=paths.root)
    shutil.rmtree(place.packaged)  # so that nothing but this training can prove anything
    with workspace.alone(paths), process.kept(place):
        for stage in _LEARNING:
            say(f"{stage} ...")
            pipeline.repro(stage, place, force=True)
    name = bundle.verify(place.bundle, paths.keys)
    if name != row["bundle"]:
        raise ReleaseError(
            f"Expected training {row['tag']} again to give bundle {row['bundle'][:12]}, it gave "
            f"{name[:12]}. Equal bytes need the same packages (requirements.txt of that version), "
            f"the same kind of processor and of device; the new one is in {place.bundle}."
        )
    return {"bundle": name, "same": True}


def _pull(place: Paths, seconds: float) -> None:
    try:
        pipeline.pull(place, seconds)
    except process.StageFailed as error:
        raise ReleaseError(
            release.explained(f"Expected to bring the data from DVC's remote, got: {error}")
        ) from error


def prove(place: Paths, row: dict[str, Any]) -> tuple[int, list[str]]:
    """How many files have the hash that they should have; those that retention removed.

    Raises:
        ReleaseError: one has not, or is missing.
    """
    wrong = []
    if git.run(place.root, "rev-parse", "HEAD") != row["commit"]:
        wrong.append("the commit")
    for name, path in (("dvc_lock", place.root / "dvc.lock"), ("snapshot", place.snapshot)):
        if tables.file_hash(path) != row[name]:
            wrong.append(str(path.relative_to(place.root)))
    expected = _expected(place)
    missing = [path for path in expected if not (place.root / path).is_file()]
    gone = [path for path in missing if path.endswith(_MAY_BE_GONE)]
    wrong += [path for path in missing if path not in gone]
    wrong += [
        path for path, id_ in expected.items() if path not in missing
        and _md5((place.root / path).read_bytes()) != id_
    ]  # fmt: skip
    if wrong:
        raise ReleaseError(
            f"Expected {row['tag']} as it was released; missing or altered in DVC's remote: "
            f"{', '.join(wrong)}. An erasure removes what held its subject (`newsloop models` says "
            "retired); anything else is damage: bring these objects back from a copy of the remote."
        )
    if bundle.verify(place.bundle, place.keys) != row["bundle"]:
        raise ReleaseError(
            f"Expected bundle {row['bundle'][:12]} in {place.bundle}, it is another."
        )
    return len(expected) - len(gone), gone


def _expected(place: Paths) -> dict[str, str]:
    """Path -> MD5 of every file that the stages wrote, as dvc.lock and the lists it names say.

    Raises:
        ReleaseError: such a list is missing or altered.
    """
    cache = stores.open_stores(place.root)[0]
    found = {}
    for step in lockfile.read(place.root):
        for path, id_ in step.outs.items():
            if not id_.endswith(stores.DIRECTORY):
                found[path] = id_
                continue
            listed = cache.read(id_)
            if listed is None or _md5(listed) + stores.DIRECTORY != id_:
                raise ReleaseError(
                    f"Expected DVC's list of the files of {path} ({id_}), it is missing or altered "
                    "in the remote. Bring it back from a copy of the remote."
                )
            files = json.loads(listed)
            found |= {f"{path}/{one['relpath']}": str(one["md5"]) for one in files}
    return found


def _md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()
