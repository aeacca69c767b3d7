"""Queries of the gate."""

from __future__ import annotations

import sqlalchemy as sa

from components.core.ledger import LABELS, Ledger
from components.core.ledger.windows import QUEUE


def labelled_since(ledger: Ledger, watermark: int) -> list[str]:
    """The ids of the predictions that people labelled after the sequence number `watermark`."""
    statement = sa.select(LABELS.c.prediction_id).where(LABELS.c.seq > watermark).distinct()
    return sorted(row["prediction_id"] for row in ledger.query(statement))


def asked_for(ledger: Ledger) -> list[str]:
    """The ids of the predictions whose label the label queue asked for."""
    statement = sa.select(LABELS.c.prediction_id).where(LABELS.c.origin == QUEUE).distinct()
    return sorted(row["prediction_id"] for row in ledger.query(statement))
