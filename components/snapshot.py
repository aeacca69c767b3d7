"""Pins the sources: fingerprints or watermarks in data/sources.json, a file in git.

`dvc repro` reproduces the pinned snapshot; only a new snapshot brings new data. Before it is taken,
labels that look wrong are held back; see components/suspects.py. A new snapshot also writes
data/baseline.json, the counts to compare its data with; see components/core/baseline.py.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from components import suspects
from components.core import baseline, stage, tables
from components.core.params import Params
from components.core.paths import Paths
from components.core.progress import say
from components.core.scrub import suppression
from components.sources import open_source


def take(params: Params, paths: Paths) -> dict[str, object]:
    """Pins the current content of each source, in the order of params.yaml.

    Raises:
        SourceError: a source is missing or unreadable.
    """
    return {"sources": [open_source(source, paths).pin() for source in params.ingest.sources]}


def compare_with(
    params: Params, paths: Paths, released: Mapping[str, Any] | None, now: datetime
) -> dict[str, Any]:
    """Builds data/baseline.json: the counts to compare the data of a new snapshot with.

    Args:
        params, paths: with data/sources.json and data/02_validated of the last snapshot.
        released: counts of the champion's release; None keeps those of the last baseline.
        now: UTC; written only where validate.max_age_days is set, so that otherwise equal snapshots
            give equal files.
    """
    before = tables.read_json(paths.baseline) if paths.baseline.exists() else {}
    validation = paths.validated / "validation.json"
    last = None
    if paths.snapshot.exists() and validation.exists():
        names = [pin["name"] for pin in tables.read_json(paths.snapshot)["sources"]]
        last = baseline.counts(tables.read_json(validation), names)
    return {
        "snapshot": last,
        "release": released or before.get("release"),
        "taken": None if params.validate_.max_age_days is None else now.isoformat(),
    }


def run(
    params: Params,
    paths: Paths,
    released: Mapping[str, Any] | None = None,
    now: datetime | None = None,
) -> None:
    """Writes data/sources.json and data/baseline.json, unless the sources are unchanged.

    Args:
        params, paths: of the project.
        released: see `compare_with`.
        now: UTC; None for the current time.
    """
    held = suspects.hold(params, paths, now or datetime.now(UTC))
    if held:
        say(f"snapshot: {held} labels look wrong and are held back; `newsloop labels --suspects`")
    taken = take(params, paths)
    suppression.pin(paths)
    known = paths.snapshot.exists() and tables.read_json(paths.snapshot) == taken
    if known and paths.baseline.exists():
        untimed = tables.read_json(paths.baseline).get("taken") is None
        if not (untimed and params.validate_.max_age_days is not None):
            say("snapshot: nothing new in the sources")
            return
    tables.write_json(
        compare_with(params, paths, released, now or datetime.now(UTC)), paths.baseline
    )
    tables.write_json(taken, paths.snapshot)
    names = ", ".join(source.name for source in params.ingest.sources)
    say(f"snapshot: {names} pinned in {paths.snapshot}")


def feedback_watermark(paths: Paths) -> int:
    """Returns the watermark of the feedback labels in the pinned snapshot; 0 without feedback."""
    pins = tables.read_json(paths.snapshot)["sources"]
    return max((pin["watermark"] for pin in pins if pin["kind"] == "feedback"), default=0)


def choose(candidate: str, paths: Paths) -> bool:
    """Pins the one of train.candidates that the pipeline trains, in data/candidate.json.

    Returns:
        True if the pin changed.
    """
    chosen = {"architecture": candidate}
    if paths.candidate.exists() and tables.read_json(paths.candidate) == chosen:
        return False
    tables.write_json(chosen, paths.candidate)
    return True


if __name__ == "__main__":
    sys.exit(stage.main(run))
