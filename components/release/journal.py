"""The journal of a release: .newsloop/release.json, which exists during a release only.

For the holder of the learning lock, a journal means that its run was killed. From the step `stored`
on, all parts of the version lie outside of the workspace, so the release can be finished. Before
that, no part of it is visible to others.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from components.core import tables
from components.core.errors import ReleaseError
from components.core.paths import Paths


class ReleaseStep(StrEnum):
    """The steps in order; the journal records each one when it is done, and BEGUN at the start."""

    BEGUN = "begun"
    PUSHED = "pushed"
    COMMITTED = "committed"
    STORED = "stored"
    TAGGED = "tagged"
    SHARED = "shared"


@dataclass(frozen=True)
class Entry:
    """A release in progress.

    Attributes:
        bundle: name of the released bundle.
        champion: name of the champion's bundle at the start; None without a champion.
        root: the workspace.
        git_remote: remote for the tag, see `release` in params.yaml; None for no push.
        reason: reason of the run.
        metrics: content of metrics.json, with `energy`.
        decision: decision of the gate, with `feedback_watermark`.
        dvc_lock, snapshot: SHA-256 of dvc.lock and data/sources.json.
        step: the last completed step.
        commit: commit of the release; empty before the step `committed`.
    """

    bundle: str
    champion: str | None
    root: str
    git_remote: str | None
    reason: str
    metrics: dict[str, Any]
    decision: dict[str, Any]
    dvc_lock: str
    snapshot: str
    step: ReleaseStep = ReleaseStep.BEGUN
    commit: str = ""

    @property
    def complete(self) -> bool:
        """True if the release can be finished without the workspace's data."""
        steps = list(ReleaseStep)
        return steps.index(self.step) >= steps.index(ReleaseStep.STORED)


def write(entry: Entry, paths: Paths) -> Entry:
    tables.write_json(asdict(entry), paths.journal)
    return entry


def read(paths: Paths) -> Entry | None:
    """Reads the journal of a release in progress or of a killed run; None without a journal.

    Raises:
        ReleaseError: another version of newsloop wrote the journal.
    """
    if not paths.journal.exists():
        return None
    try:
        row = tables.read_json(paths.journal)
        return Entry(**{**row, "step": ReleaseStep(row["step"])})
    except (TypeError, KeyError, ValueError) as error:
        raise ReleaseError(
            f"Expected {paths.journal} to be written by this version of newsloop, got: {error}. "
            "Finish the release with the version that began it, or remove that file: the next "
            "run then starts a new release."
        ) from error


def close(paths: Paths) -> None:
    paths.journal.unlink(missing_ok=True)
