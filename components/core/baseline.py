"""Baselines of new data: the last snapshot and the last release, pinned in git.

`data/baseline.json` is written when a new snapshot is taken, and never by a stage, so that `dvc
repro` compares the same data with the same numbers again, on any machine. It holds counts and
times, no texts and no ids:

    {"snapshot": {...} | null,   what the snapshot before this one held
     "release": {...} | null,    what the champion was made from, as its commit says
     "taken": "2026-..." | null} when this snapshot was taken; only with validate.max_age_days
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from components.core import tables
from components.core.errors import DataError


@dataclass(frozen=True)
class Known:
    """Counts of earlier data.

    Attributes:
        rows: that came in.
        by_class, by_source: documents that went on.
        sources: names of all sources in its snapshot, also of those without documents.
    """

    rows: int
    by_class: Mapping[str, int]
    by_source: Mapping[str, int]
    sources: tuple[str, ...]


@dataclass(frozen=True)
class Era:
    """A stretch of time whose documents were split together; see components/split/by_time.py.

    Attributes:
        validation: from this time on a document is on the validation side.
        test: from this time on it is on the test side.
        until: the newest document's time; what is newer belongs to the next era.
    """

    validation: datetime
    test: datetime
    until: datetime


@dataclass(frozen=True)
class Baseline:
    """The content of data/baseline.json; all of it may be absent."""

    snapshot: Known | None = None
    release: Known | None = None
    taken: datetime | None = None
    eras: tuple[Era, ...] = ()


def counts(
    validation: Mapping[str, Any], sources: Sequence[str], eras: Sequence[Mapping[str, str]] = ()
) -> dict[str, Any]:
    """Selects the counts of a data set that a baseline holds.

    Args:
        validation: data/02_validated/validation.json.
        sources: names of the snapshot's sources.
        eras: of split.json.
    """
    return {
        "rows": validation["rows"],
        "by_class": dict(validation["by_class"]),
        "by_source": dict(validation["by_source"]),
        "sources": list(sources),
        "eras": [dict(era) for era in eras],
    }


def read(path: Path) -> Baseline:
    """The baseline at `path`.

    Raises:
        DataError: no such file, or of another form.
    """
    if not path.exists():
        raise DataError(
            f"Expected what earlier snapshots held in {path}, found no such file. Run `newsloop "
            "run`, or `python -m components.snapshot`, to have it written."
        )
    value = tables.read_json(path)
    try:
        release = value["release"]
        return Baseline(
            snapshot=_known(value["snapshot"]),
            release=_known(release),
            taken=None if value["taken"] is None else _time(value["taken"]),
            eras=tuple(
                Era(_time(era["validation"]), _time(era["test"]), _time(era["until"]))
                for era in (release["eras"] if release else ())
            ),
        )
    except (TypeError, KeyError, ValueError, AttributeError) as error:
        raise DataError(
            f"Expected {path} to hold snapshot, release and taken, got another form. Bring it back "
            "with `git checkout`, or remove it and run `newsloop run`: then nothing is compared."
        ) from error


def _known(value: Mapping[str, Any] | None) -> Known | None:
    if value is None:
        return None
    return Known(
        rows=int(value["rows"]),
        by_class={str(name): int(n) for name, n in value["by_class"].items()},
        by_source={str(name): int(n) for name, n in value["by_source"].items()},
        sources=tuple(str(name) for name in value["sources"]),
    )


def _time(value: str) -> datetime:
    return datetime.fromisoformat(value).astimezone(UTC)
