"""Where a document lies by its time: the newest on the test side, then validation, then train.

Cut anew for each version, the newest documents of yesterday would be tested on today and learned
from tomorrow. So a cut is made once for a stretch of time, an era: from the end of the last era to
the newest document. The eras of a release are kept with it (data/released.json of its commit) and
come back in data/baseline.json with the next snapshot. A document's side depends on its time and
on the era that this falls into, and on nothing that comes later; what is newer than all eras makes
a new one. So the test side only grows, and the train side learns from the older part of each era.
A document that comes late, with an old time, falls into the era of its time.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from components.core import params as parameters
from components.core.baseline import Era
from components.core.errors import DataError

_BEGIN = datetime.min.replace(tzinfo=UTC)
_AFTER = timedelta(microseconds=1)  # the step of a document's time


def bounds(side: str, settings: parameters.Split) -> tuple[float, float]:
    """The part [low, high) of [0, 1) that belongs to `side`."""
    test = settings.test_share
    validation = test + settings.validation_share
    return {"test": (0.0, test), "validation": (test, validation), "train": (validation, 1.0)}[side]


def extended(
    eras: Sequence[Era], times: Sequence[datetime | None], settings: parameters.Split
) -> tuple[Era, ...]:
    """`eras`, and one more if there are documents newer than them.

    Args:
        eras: the older first.
        times: of all documents, UTC; None where unknown.
        settings: the shares of a new era's documents that are newest, and next to newest.

    Raises:
        DataError: no document has a time.
    """
    known = sorted(time for time in times if time is not None)
    if not known:
        raise DataError(
            f"Expected documents with times for split.by: time, got {len(times)} without. Name "
            "their column with `time` under ingest.sources, or set split.by: content."
        )
    new = [time for time in known if not eras or time > eras[-1].until]
    if not new:
        return tuple(eras)

    def cut(newest: float) -> datetime:
        """The time from which on about `newest` of the new documents are."""
        count = round(newest * len(new))
        return new[-count] if count else new[-1] + _AFTER

    test = cut(settings.test_share)
    validation = min(test, cut(settings.test_share + settings.validation_share))
    return (*eras, Era(validation=validation, test=test, until=new[-1]))


def place(time: datetime | None, eras: Sequence[Era], settings: parameters.Split) -> float:
    """Where a document lies in [0, 1), the newest of an era first; see `bounds` for the sides.

    One without time is learned from: nobody can say that it is new.

    >>> day = [datetime(2026, 1, d, tzinfo=UTC) for d in range(1, 11)]
    >>> era = Era(validation=day[5], test=day[7], until=day[9])
    >>> class Shares: test_share, validation_share = 0.25, 0.25
    >>> [round(place(d, [era], Shares), 2) for d in (day[9], day[7], day[6], day[5], day[0], None)]
    [0.0, 0.25, 0.38, 0.5, 0.5, 1.0]
    """
    last = 1 - 2**-53  # the greatest number below 1
    if time is None:
        return last
    begin = _BEGIN
    for era in eras:
        if time <= era.until:
            if time >= era.test:
                return _between("test", era.until - time, era.until - era.test, settings)
            if time >= era.validation:
                length = era.test - era.validation
                return _between("validation", era.test - time, length, settings)
            return _between("train", era.validation - time, era.validation - begin, settings)
        begin = era.until
    raise DataError(
        f"Expected a document of {eras[-1].until:%Y-%m-%d} or earlier, got one of {time:%Y-%m-%d}. "
        "Run `dvc repro` again."
    )


def _between(side: str, passed: timedelta, length: timedelta, settings: parameters.Split) -> float:
    low, high = bounds(side, settings)
    share = passed / length if length else 0.0
    # The end belongs to the next side; rounding must not carry a document over.
    return min(low + (high - low) * share, high - 2**-50)


def described(eras: Sequence[Era]) -> list[dict[str, str]]:
    """The eras for split.json."""
    return [
        {
            "validation": era.validation.isoformat(),
            "test": era.test.isoformat(),
            "until": era.until.isoformat(),
        }
        for era in eras
    ]
