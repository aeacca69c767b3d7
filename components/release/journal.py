"""How far a release came: .newsloop/release.json, while one is under way.

Whoever finds it while holding the learning lock knows that the run that wrote it was killed, and
what it had in mind. From the step `stored` on, all that a version is made of lies in places that
outlive the workspace, so the release is finished; before that, nobody has seen anything of it.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from components.core import tables
from components.core.errors import ReleaseError
from components.core.paths import Paths


class ReleaseStep(StrEnum):
    """The steps in their order; each is written when it is done, BEGUN before the first."""

    BEGUN = "begun"
    PUSHED = "pushed"
    COMMITTED = "committed"
    STORED = "stored"
    TAGGED = "tagged"
    SHARED = "shared"


@dataclass(frozen=True)
class Entry:
    """A release under way.

    Attributes:
        bundle: name of the bundle that is released.
        champion: name of the bundle that served when the release began; None: nobody.
        root: the workspace.
        git_remote: where the tag goes, see `release` in params.yaml; None: nowhere.
        reason: why the run was started.
        metrics: metrics.json.
        decision: the gate's, with `feedback_watermark`.
        dvc_lock, snapshot: SHA-256 of dvc.lock and data/sources.json.
        step: the last that was done.
        commit: from the step `committed` on.
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
        """Whether the release can be finished without the workspace's data."""
        steps = list(ReleaseStep)
        return steps.index(self.step) >= steps.index(ReleaseStep.STORED)


def write(entry: Entry, paths: Paths) -> Entry:
    tables.write_json(asdict(entry), paths.journal)
    return entry


def read(paths: Paths) -> Entry | None:
    """The release under way, or that a killed run left.

    Raises:
        ReleaseError: there is a journal that cannot be read; it was written by another version.
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
            "run then releases anew."
        ) from error


def close(paths: Paths) -> None:
    paths.journal.unlink(missing_ok=True)
