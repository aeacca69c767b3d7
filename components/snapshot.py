"""Pins what enters: the list of sources with fingerprints or watermarks, a file in git.

`dvc repro` reproduces the pinned snapshot; only a new snapshot brings new data.
"""

from __future__ import annotations

import sys

from components.core import stage, tables
from components.core.params import Params
from components.core.paths import Paths
from components.core.progress import say
from components.sources import open_source


def take(params: Params, paths: Paths) -> dict[str, object]:
    """What each source holds now, in the order of params.yaml.

    Raises:
        SourceError: a source is missing or unreadable.
    """
    return {"sources": [open_source(source, paths).pin() for source in params.ingest.sources]}


def run(params: Params, paths: Paths) -> None:
    """Writes data/sources.json, unless it already says the same."""
    taken = take(params, paths)
    if paths.snapshot.exists() and tables.read_json(paths.snapshot) == taken:
        say("snapshot: nothing new in the sources")
        return
    tables.write_json(taken, paths.snapshot)
    say(f"snapshot: {taken['sources']}")


def feedback_watermark(paths: Paths) -> int:
    """Up to which label people's feedback is in the pinned snapshot; other kinds do not count."""
    pins = tables.read_json(paths.snapshot)["sources"]
    return max((pin["watermark"] for pin in pins if pin["kind"] == "feedback"), default=0)


def choose(candidate: str, paths: Paths) -> None:
    """Pins which of train.candidates the pipeline trains, in data/candidate.json."""
    chosen = {"architecture": candidate}
    if not paths.candidate.exists() or tables.read_json(paths.candidate) != chosen:
        tables.write_json(chosen, paths.candidate)


if __name__ == "__main__":
    sys.exit(stage.main(run))
