"""What the gate asks the ledger."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from components.core.ledger import DECISIONS, LABELS, Ledger
from components.core.ledger.windows import QUEUE


def labelled_since(ledger: Ledger, watermark: int) -> list[str]:
    """The ids of the predictions that people labelled after the sequence number `watermark`."""
    statement = sa.select(LABELS.c.prediction_id).where(LABELS.c.seq > watermark).distinct()
    return sorted(row["prediction_id"] for row in ledger.query(statement))


def asked_for(ledger: Ledger) -> list[str]:
    """The ids of the predictions whose label the label queue asked for."""
    statement = sa.select(LABELS.c.prediction_id).where(LABELS.c.origin == QUEUE).distinct()
    return sorted(row["prediction_id"] for row in ledger.query(statement))


def decision(ledger: Ledger, decision_id: str) -> dict[str, Any] | None:
    """The row of one decision, or None."""
    found = ledger.query(sa.select(DECISIONS).where(DECISIONS.c.id == decision_id))
    return found[0] if found else None
