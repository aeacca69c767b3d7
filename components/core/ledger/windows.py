"""Queries of monitoring."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa

from components.core.ledger import Ledger
from components.core.ledger.tables import (
    LABELS,
    PREDICTIONS,
    TEXTS,
    WINDOWS,
    last_labels,
    untrusted,
)
from components.core.ledger.verdicts import WindowFinding

QUEUE = "queue"  # origin of labels that `newsloop label-queue` asked for
_TOGETHER = 400  # values in one statement; SQLite takes 999 at least


def judged_until(ledger: Ledger, bundle: str) -> int:
    """The sequence number up to which predictions of `bundle` were judged; 0 if none."""
    judged = sa.select(sa.func.max(WINDOWS.c.until).label("seq")).where(WINDOWS.c.bundle == bundle)
    return int(ledger.query(judged)[0]["seq"] or 0)


def last_with(ledger: Ledger, bundle: str, *verdicts: WindowFinding) -> int:
    """Returns the end of the last window of `bundle` with one of these verdicts; 0: none."""
    last = sa.select(sa.func.max(WINDOWS.c.until).label("seq")).where(
        WINDOWS.c.bundle == bundle, WINDOWS.c.verdict.in_(verdicts)
    )
    return int(ledger.query(last)[0]["seq"] or 0)


def spans(ledger: Ledger, bundle: str, verdict: WindowFinding) -> list[tuple[int, int]]:
    """(after, until] of each window of `bundle` with this verdict, as sequence numbers, rising."""
    statement = (
        sa.select(WINDOWS.c.after, WINDOWS.c.until)
        .where(WINDOWS.c.bundle == bundle, WINDOWS.c.verdict == verdict)
        .order_by(WINDOWS.c.after)
    )
    return [(row["after"], row["until"]) for row in ledger.query(statement)]


class Sampled(NamedTuple):
    """A prediction whose text was kept, or left out by the recorder's sample.

    Attributes:
        seq: sequence number.
        position: permanent random number in [0, 1).
        share: of the caller's texts that were kept, in (0, 1]; kept are those with a `position`
            below it.
        kept: False if the sample left the text out.
    """

    seq: int
    position: float
    share: float
    kept: bool


def position(prediction_id: str) -> float:
    """Permanent random number of a prediction, uniform in [0, 1): of its id's random digits.

    >>> position("80000000000000000000000000000000")
    0.5
    """
    return int(prediction_id[:12], 16) / 16**12


def sampled(ledger: Ledger, bundle: str, after: int, source: str | None = None) -> list[Sampled]:
    """Predictions above `after` whose text was kept or left out, in the order of `seq`.

    Predictions whose text was lost or still waits for the scrubber are missing.
    """
    rows = ledger.query(
        sa.select(
            PREDICTIONS.c.seq,
            PREDICTIONS.c.id,
            TEXTS.c.share,
            TEXTS.c.text.is_not(None).label("kept"),
        )
        .join(TEXTS, TEXTS.c.prediction_id == PREDICTIONS.c.id)
        .where(
            _new(bundle, after, source),
            sa.or_(TEXTS.c.text.is_not(None), TEXTS.c.share.is_not(None)),
        )
        .order_by(PREDICTIONS.c.seq)
    )
    return [
        Sampled(
            row["seq"],
            position(row["id"]),
            1.0 if row["share"] is None else row["share"],
            bool(row["kept"]),
        )
        for row in rows
    ]


def counts(
    ledger: Ledger, bundle: str, after: int, until: int, source: str | None = None
) -> dict[str, int]:
    """`within`: predictions in (after, until]; `later`: those after it."""
    later = PREDICTIONS.c.seq > until
    columns: list[sa.ColumnElement[Any]] = [later.label("later"), sa.func.count().label("n")]
    counted = sa.select(*columns).where(_new(bundle, after, source)).group_by(later)
    rows = ledger.query(counted)
    numbers = {bool(row["later"]): int(row["n"]) for row in rows}
    return {"within": numbers.get(False, 0), "later": numbers.get(True, 0)}


class TextCounts(NamedTuple):
    """Counts of predictions by what became of their texts.

    Attributes:
        kept: scrubbed and in the ledger.
        sampled_out: left out under overload, by a sample that is even within each caller.
        lost: given up by the scrubber or the full queue, or lost with a service that was killed.
        waiting: not scrubbed yet.
    """

    kept: int
    sampled_out: int
    lost: int
    waiting: int

    def summary(self) -> str:
        """Describes what was not kept; empty if all was.

        >>> TextCounts(90, 9, 1, 0).summary()
        '90 of 100 texts kept, 9 left out by the sample under overload, 1 lost'
        """
        if not self.sampled_out + self.lost:
            return ""
        parts = [f"{self.kept} of {sum(self)} texts kept"]
        if self.sampled_out:
            parts.append(f"{self.sampled_out} left out by the sample under overload")
        if self.lost:
            parts.append(f"{self.lost} lost")
        return ", ".join(parts)


def text_counts(ledger: Ledger, since: datetime) -> TextCounts:
    """Counts the predictions since `since`, of all bundles, by what became of their texts."""
    return _text_counts(ledger, PREDICTIONS.c.time > since)


def unjudged(ledger: Ledger, bundle: str) -> TextCounts:
    """Counts the predictions of `bundle` after its last judged window, likewise."""
    return _text_counts(ledger, _new(bundle, judged_until(ledger, bundle), None))


def _text_counts(ledger: Ledger, where: sa.ColumnElement[bool]) -> TextCounts:
    state = sa.case(
        (TEXTS.c.prediction_id.is_(None), "waiting"),
        (TEXTS.c.text.is_not(None), "kept"),
        (TEXTS.c.share.is_not(None), "sampled_out"),
        else_="lost",
    ).label("state")
    rows = ledger.query(
        sa.select(state, sa.func.count().label("n"))
        .select_from(PREDICTIONS)
        .join(TEXTS, TEXTS.c.prediction_id == PREDICTIONS.c.id, isouter=True)
        .where(where)
        .group_by(state)
    )
    return TextCounts(**dict.fromkeys(TextCounts._fields, 0) | {r["state"]: r["n"] for r in rows})


def texts(ledger: Ledger, seqs: Sequence[int]) -> list[dict[str, Any]]:
    """`seq`, `id`, `text` (scrubbed), `source` of these predictions, in the order of `seqs`."""
    rows_by_seq: dict[int, dict[str, Any]] = {}
    for part in _parts(seqs):
        rows = ledger.query(
            sa.select(
                PREDICTIONS.c.seq,
                PREDICTIONS.c.id,
                TEXTS.c.text,
                PREDICTIONS.c.source,
            )
            .join(TEXTS, TEXTS.c.prediction_id == PREDICTIONS.c.id)
            .where(PREDICTIONS.c.seq.in_(part), TEXTS.c.text.is_not(None))
        )
        rows_by_seq |= {row["seq"]: row for row in rows}
    return [rows_by_seq[seq] for seq in seqs if seq in rows_by_seq]


def spent(ledger: Ledger, since: datetime) -> float:
    """Chances of a false alarm that windows judged after `since` were allowed, added up."""
    rows = ledger.query(sa.select(WINDOWS.c.details).where(WINDOWS.c.time > since))
    return sum(float(row["details"].get("level") or 0) for row in rows)


def usual_sources(ledger: Ledger, bundle: str, windows: int) -> dict[str, int]:
    """Source -> predictions in the newest sound windows of `bundle`, added up."""
    rows = ledger.query(
        sa.select(WINDOWS.c.details)
        .where(WINDOWS.c.bundle == bundle)
        .where(WINDOWS.c.verdict.in_([WindowFinding.NONE, WindowFinding.DRIFT]))
        .order_by(WINDOWS.c.seq.desc())
        .limit(windows)
    )
    sources: Counter[str] = Counter()
    for row in rows:
        sources.update(row["details"].get("sources") or {})
    return dict(sources)


def truths(ledger: Ledger, bundle: str, since: datetime) -> list[tuple[datetime, bool, str | None]]:
    """Time of each labelled prediction after `since`, whether it was right, and who says so.

    The oldest first; None for a label that may decide alone. The last label counts. Those that the
    label queue asked for are left out: it asks for what the model is least sure of, which says
    nothing about the rest.
    """
    last = last_labels()
    rows = ledger.query(
        sa.select(
            PREDICTIONS.c.time,
            (PREDICTIONS.c.label == LABELS.c.label).label("right"),
            untrusted(),
        )
        .join(last, last.c.prediction_id == PREDICTIONS.c.id)
        .join(LABELS, LABELS.c.seq == last.c.seq)
        .where(
            sa.or_(LABELS.c.origin.is_(None), LABELS.c.origin != QUEUE),
            PREDICTIONS.c.bundle == bundle,
            PREDICTIONS.c.time > since,
        )
        .order_by(PREDICTIONS.c.time)
    )
    return [(row["time"], bool(row["right"]), row["caller"]) for row in rows]


def unlabelled(ledger: Ledger, bundle: str, most: int) -> list[dict[str, Any]]:
    """`id`, `text`, `label`, `probabilities` of the newest answers without a label."""
    labelled = sa.select(LABELS.c.prediction_id)
    return ledger.query(
        sa.select(
            PREDICTIONS.c.id,
            TEXTS.c.text,
            PREDICTIONS.c.label,
            PREDICTIONS.c.probabilities,
        )
        .join(TEXTS, TEXTS.c.prediction_id == PREDICTIONS.c.id)
        .where(
            PREDICTIONS.c.bundle == bundle,
            TEXTS.c.text.is_not(None),
            PREDICTIONS.c.id.not_in(labelled),
        )
        .order_by(PREDICTIONS.c.seq.desc())
        .limit(most)
    )


def _new(bundle: str, after: int, source: str | None) -> sa.ColumnElement[bool]:
    new = sa.and_(PREDICTIONS.c.bundle == bundle, PREDICTIONS.c.seq > after)
    return new if source is None else sa.and_(new, PREDICTIONS.c.source == source)


def _parts(values: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(values), _TOGETHER):
        yield values[start : start + _TOGETHER]
