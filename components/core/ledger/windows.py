"""What monitoring asks the ledger."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from components.core.ledger import Ledger
from components.core.ledger.tables import (
    LABELS,
    PREDICTIONS,
    TEXTS,
    WINDOWS,
    last_labels,
)
from components.core.ledger.verdicts import WindowFinding

QUEUE = "queue"  # origin of labels that `newsloop label-queue` asked for
_TOGETHER = 400  # values in one statement; SQLite takes 999 at least


def judged_until(ledger: Ledger, bundle: str) -> int:
    """The sequence number up to which predictions of `bundle` were judged; 0 if none."""
    judged = sa.select(sa.func.max(WINDOWS.c.until).label("seq")).where(WINDOWS.c.bundle == bundle)
    return int(ledger.query(judged)[0]["seq"] or 0)


def last_with(ledger: Ledger, bundle: str, *verdicts: WindowFinding) -> int:
    """Where the last window of `bundle` with one of these verdicts ends; 0 if there is none."""
    last = sa.select(sa.func.max(WINDOWS.c.until).label("seq")).where(
        WINDOWS.c.bundle == bundle, WINDOWS.c.verdict.in_(verdicts)
    )
    return int(ledger.query(last)[0]["seq"] or 0)


def spans(ledger: Ledger, bundle: str, verdict: WindowFinding) -> list[tuple[int, int]]:
    """(after, until] of each window of `bundle` with this verdict, as sequence numbers, rising."""
    found = (
        sa.select(WINDOWS.c.after, WINDOWS.c.until)
        .where(WINDOWS.c.bundle == bundle, WINDOWS.c.verdict == verdict)
        .order_by(WINDOWS.c.after)
    )
    return [(row["after"], row["until"]) for row in ledger.query(found)]


def scrubbed(ledger: Ledger, bundle: str, after: int, source: str | None = None) -> list[int]:
    """Sequence numbers above `after` of predictions whose text is there, in rising order."""
    rows = ledger.query(
        sa.select(PREDICTIONS.c.seq)
        .join(TEXTS, TEXTS.c.prediction_id == PREDICTIONS.c.id)
        .where(_new(bundle, after, source), TEXTS.c.text.is_not(None))
        .order_by(PREDICTIONS.c.seq)
    )
    return [row["seq"] for row in rows]


def counts(
    ledger: Ledger, bundle: str, after: int, until: int, source: str | None = None
) -> dict[str, int]:
    """`within`: predictions in (after, until]; `later`: those after it."""
    later = PREDICTIONS.c.seq > until
    columns: list[sa.ColumnElement[Any]] = [later.label("later"), sa.func.count().label("n")]
    counted = sa.select(*columns).where(_new(bundle, after, source)).group_by(later)
    rows = ledger.query(counted)
    found = {bool(row["later"]): int(row["n"]) for row in rows}
    return {"within": found.get(False, 0), "later": found.get(True, 0)}


def texts(ledger: Ledger, seqs: Sequence[int]) -> list[dict[str, Any]]:
    """`seq`, `id`, `text` (scrubbed), `source` of these predictions, in the order of `seqs`."""
    found: dict[int, dict[str, Any]] = {}
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
        found |= {row["seq"]: row for row in rows}
    return [found[seq] for seq in seqs if seq in found]


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
    found: Counter[str] = Counter()
    for row in rows:
        found.update(row["details"].get("sources") or {})
    return dict(found)


def truths(ledger: Ledger, bundle: str, since: datetime) -> list[tuple[datetime, bool]]:
    """Time of each labelled prediction after `since`, and whether it was right, the oldest first.

    The last label counts. Those that the label queue asked for are left out: it asks for what the
    model is least sure of, which says nothing about the rest.
    """
    last = last_labels()
    rows = ledger.query(
        sa.select(PREDICTIONS.c.time, (PREDICTIONS.c.label == LABELS.c.label).label("right"))
        .join(last, last.c.prediction_id == PREDICTIONS.c.id)
        .join(LABELS, LABELS.c.seq == last.c.seq)
        .where(
            sa.or_(LABELS.c.origin.is_(None), LABELS.c.origin != QUEUE),
            PREDICTIONS.c.bundle == bundle,
            PREDICTIONS.c.time > since,
        )
        .order_by(PREDICTIONS.c.time)
    )
    return [(row["time"], bool(row["right"])) for row in rows]


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
