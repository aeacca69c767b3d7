"""Runs the stages of dvc.yaml through DVC."""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from pathlib import Path

import yaml

from components.core import bundle, tables
from components.core.errors import NewsloopError, NotReleased, ReleaseError
from components.core.paths import Paths
from components.release.repository import RELEASED
from flows.dvc import lockfile, process
from flows.dvc.process import StageFailed

SETTINGS = "settings"  # resolves params.yaml with the defaults
STAGES = (SETTINGS, "ingest", "validate", "split", "train", "evaluate", "package")
_LOG = logging.getLogger(__name__)


class StageOutcome(StrEnum):
    RAN = "ran"
    RESTORED = "restored"  # from DVC's cache of earlier runs
    UNCHANGED = "unchanged"


def stages(paths: Paths) -> list[str]:
    """Returns the project's stages, in order; a release before 0.3 has no stage `settings`."""
    text = (paths.root / "dvc.yaml").read_text(encoding="utf-8")
    return [stage for stage in STAGES if stage in yaml.safe_load(text)["stages"]]


def changed_stages(paths: Paths) -> set[str]:
    """Returns the stages whose inputs, settings or outputs differ from dvc.lock.

    Raises:
        StageFailed: DVC cannot read the project.
    """
    answer = process.ask(paths, "status", "--json", *stages(paths))
    return set(json.loads(answer or "{}"))


def repro(stage: str, paths: Paths, *, force: bool = False) -> StageOutcome:
    """Brings one stage up to date; with `force` runs it even without changes.

    Raises:
        StageFailed: the stage failed; the message is the stage's own paragraph.
    """
    forced = ["--force"] if force else []
    answer = process.ask(paths, "repro", "--single-item", *forced, stage)
    if not force:
        lockfile.keep(paths)
    if f"Stage '{stage}' is cached" in answer:
        return StageOutcome.RESTORED
    ran = f"Running stage '{stage}'" in answer
    return StageOutcome.RAN if ran else StageOutcome.UNCHANGED


def checkout(paths: Paths) -> None:
    """Checks the outputs in dvc.lock out into the workspace, as far as the cache has them."""
    with contextlib.suppress(StageFailed):
        process.ask(paths, "checkout", "--force", "--quiet")
    complete(paths)


def pull(paths: Paths, seconds: float = process.REMOTE_SECONDS) -> None:
    """Brings what dvc.lock names from the default remote; what is not there stays missing.

    Raises:
        StageFailed: the remote cannot be reached, does not let us in, or takes longer than
            `seconds`.
    """
    process.ask(paths, "pull", "--force", "--quiet", "--allow-missing", seconds=seconds)
    complete(paths)


def complete(paths: Paths) -> None:
    """Adds the signatures to bundle and bento, which DVC leaves out; see core/bundle/signing.py.

    An output that neither this installation nor the release of this commit signed stays unsigned.
    """
    released = paths.root / RELEASED
    signature = tables.read_json(released).get("signature") if released.exists() else None
    for folder in (paths.bundle, paths.bento / "src"):
        bundle.complete(folder, paths.keys, bytes.fromhex(signature) if signature else None)


def verify(paths: Paths, stages: Sequence[str] = STAGES) -> None:
    """Verifies the MD5 of the stages' outputs against dvc.lock.

    DVC compares only size and times of a known file, and checks an altered object of its cache out
    without a warning.

    Raises:
        ReleaseError: an output was altered. A missing output is left to DVC.
    """
    for step in lockfile.parse((paths.root / "dvc.lock").read_text(encoding="utf-8")):
        for path, object_id in step.outs.items() if step.stage in stages else ():
            folder = paths.root / path
            if folder.is_dir() and object_id not in _folder_hashes(folder):
                raise ReleaseError(
                    f"Expected {folder} as dvc.lock says ({object_id}), but its files were "
                    "altered, here or in DVC's cache. Nothing of it is used. Remove it and its "
                    f"altered objects ({', '.join(_altered(paths, folder, object_id))}), then run "
                    "`dvc pull`, or `newsloop run` to make it again."
                )


def _folder_hashes(folder: Path) -> set[str]:
    """Computes DVC's hash of a folder: the MD5 of the list of its files and their MD5s.

    Returns:
        The hash without signatures; and the hash with them, which releases before 0.3 have.
    """
    files = [
        {"md5": _md5(path), "relpath": path.relative_to(folder).as_posix()}
        for path in folder.rglob("*")
        if path.is_file() and path.parent.name != "__pycache__"
    ]
    files.sort(key=lambda entry: entry["relpath"])
    unsigned = [file for file in files if not bundle.depends_on_key(file["relpath"])]
    return {
        f"{hashlib.md5(json.dumps(listed, sort_keys=True).encode()).hexdigest()}.dir"  # noqa: S324
        for listed in (files, unsigned)
    }


def _md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "md5").hexdigest()


def _altered(paths: Paths, folder: Path, object_id: str) -> list[str]:
    """Returns the objects of DVC's cache whose MD5 differs from their name, for a message."""
    answer = process.ask(paths, "cache", "dir")
    objects = Path(answer.strip()) / "files" / "md5"
    listing = objects / object_id[:2] / object_id[2:]
    if not listing.is_file():
        return [str(folder)]
    hashes = [entry["md5"] for entry in json.loads(listing.read_text(encoding="utf-8"))]
    files = [objects / md5[:2] / md5[2:] for md5 in hashes]
    wrong = [
        str(file) for file in files if file.is_file() and _md5(file) != "".join(file.parts[-2:])
    ]
    return wrong or [str(folder)]


@contextlib.contextmanager
def earlier_data_kept(paths: Paths) -> Iterator[None]:
    """Restores pins, dvc.lock and data if the body fails.

    DVC deletes a stage's outputs before it runs. The failed run's results stay in DVC's cache, so
    that they are not computed again. An interrupted run restores the pins only: a checkout takes
    longer than a person waits after Ctrl-C, and the next run makes the data.
    """
    pins = (paths.root / "dvc.lock", paths.snapshot, paths.baseline, paths.candidate)
    before = {path: path.read_bytes() for path in pins if path.exists()}
    try:
        yield
    except NotReleased:
        raise  # keeps the candidate's report for a person
    except BaseException as error:
        if pins[0] in before:
            _put_back(paths, before, data=isinstance(error, Exception))
        raise


def _put_back(paths: Paths, before: Mapping[Path, bytes], *, data: bool) -> None:
    """Restores the files; only logs a failure, because the run's own error matters more."""
    try:
        for path, content in before.items():
            if not path.exists() or path.read_bytes() != content:
                tables.write_atomic(path, lambda p, content=content: p.write_bytes(content))  # type: ignore[misc]
        if data:
            checkout(paths)
    except (OSError, NewsloopError) as error:
        _LOG.warning("the earlier data could not be restored: %s Free space and run again.", error)
