"""Splits by time: the newest documents to the test side, then validation, then train.

With new cuts for each version, a document of one version's test side would be trained on in the
next. So the cuts of a period of time, an era, are made once; an era begins where the last one ends,
and ends with its newest document. A release stores its eras (data/released.json of its commit), and
the next snapshot copies them to data/baseline.json. A document's side depends on its time and its
era, never on later documents. Documents newer than all eras make a new era. So the test side only
grows, and the train side holds the older part of each era. A document that arrives late, with an
old time, belongs to the era of that time.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from components.core import params as parameters
from components.core.baseline import Era
from components.core.errors import DataError

_BEGIN = datetime.min.replace(tzinfo=UTC)
_AFTER = timedelta(microseconds=1)  # the resolution of a document's time


def bounds(side: str, settings: parameters.Split) -> tuple[float, float]:
    """Returns the interval [low, high) of [0, 1) that belongs to `side`."""
    test = settings.test_share
    validation = test + settings.validation_share
    return {"test": (0.0, test), "validation": (test, validation), "train": (validation, 1.0)}[side]


def extended(
    eras: Sequence[Era], times: Sequence[datetime | None], settings: parameters.Split
) -> tuple[Era, ...]:
    """Adds an era if there are documents newer than `eras`.

    Args:
        eras: the oldest first.
        times: of all documents, UTC; None where unknown.
        settings: the shares of test (newest) and validation (next) in a new era.

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
        """Returns the time that begins the newest share `newest` of the new documents."""
        count = round(newest * len(new))
        return new[-count] if count else new[-1] + _AFTER

    test = cut(settings.test_share)
    validation = min(test, cut(settings.test_share + settings.validation_share))
    return (*eras, Era(validation=validation, test=test, until=new[-1]))


def position_of(time: datetime | None, eras: Sequence[Era], settings: parameters.Split) -> float:
    """Maps a document's time to [0, 1), the newest of an era first; see `bounds` for the sides.

    A document without time goes to the train side, since it may be old.

    Raises:
        DataError: the document is newer than all eras.

    >>> day = [datetime(2026, 1, d, tzinfo=UTC) for d in range(1, 11)]
    >>> era = Era(validation=day[5], test=day[7], until=day[9])
    >>> class Shares: test_share, validation_share = 0.25, 0.25
    >>> times = (day[9], day[7], day[6], day[5], day[0], None)
    >>> [round(position_of(time, [era], Shares), 2) for time in times]
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
    # `high` belongs to the next side, and rounding must not reach it.
    return min(low + (high - low) * share, high - 2**-50)


def described(eras: Sequence[Era]) -> list[dict[str, str]]:
    """Converts the eras to JSON for split.json."""
    return [
        {
            "validation": era.validation.isoformat(),
            "test": era.test.isoformat(),
            "until": era.until.isoformat(),
        }
        for era in eras
    ]
