"""Labels that people give to predictions, as a source of training data."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from components.core.ledger.database import LedgerDatabase
from components.core.ledger.tables import LABELS, PREDICTIONS, TEXTS, last_labels

if TYPE_CHECKING:
    from components.core.ledger.labels import Sender


class FeedbackRecords(LedgerDatabase):
    """Queries and records of labels."""

    def add_labels(
        self,
        labels: Iterable[tuple[str, str]],
        time: datetime,
        origin: str | None = None,
        sender: Sender | None = None,
    ) -> dict[str, int]:
        """Records labels of predictions.

        Args:
            labels: (prediction_id, label) pairs.
            time: of the labels, UTC.
            origin: of a request for these labels, see core/ledger/windows.py QUEUE; None: none.
            sender: caller who sent them; None: unknown, as in older ledgers.

        Returns:
            Counts `accepted`, `duplicate` (the sender's last label is the same) and `unknown` (no
            such prediction).
        """
        caller = sender.caller if sender else None
        counts = {"accepted": 0, "duplicate": 0, "unknown": 0}
        with self.transaction() as connection:
            for prediction_id, label in labels:
                known = sa.select(PREDICTIONS.c.seq).where(PREDICTIONS.c.id == prediction_id)
                if connection.execute(known).first() is None:
                    counts["unknown"] += 1
                    continue
                last = connection.execute(
                    sa.select(LABELS.c.label)
                    .where(LABELS.c.prediction_id == prediction_id)
                    .where(LABELS.c.caller.is_not_distinct_from(caller))
                    .order_by(LABELS.c.seq.desc())
                    .limit(1)
                ).scalar()
                if last == label:
                    counts["duplicate"] += 1
                    continue
                row = {
                    "prediction_id": prediction_id,
                    "label": label,
                    "time": time,
                    "origin": origin,
                    "caller": caller,
                    "trusted": sender.trusted if sender else None,
                }
                connection.execute(sa.insert(LABELS), [row])
                counts["accepted"] += 1
        return counts

    def feedback_watermark(self) -> int:
        """Returns the highest sequence number up to which all texts are scrubbed; 0 if none.

        A label whose text is still with the scrubber waits for the next snapshot.
        """
        waiting = (
            sa.select(sa.func.min(LABELS.c.seq))
            .join_from(LABELS, TEXTS, LABELS.c.prediction_id == TEXTS.c.prediction_id, isouter=True)
            .where(TEXTS.c.prediction_id.is_(None))
        )
        with self.transaction() as connection:
            first = connection.execute(waiting).scalar()
            last = sa.select(sa.func.max(LABELS.c.seq))
            if first is not None:
                last = last.where(LABELS.c.seq < first)
            return connection.execute(last).scalar() or 0

    def feedback_without_text(self, until: int) -> int:
        """Counts the labels with sequence number <= `until` that have no text to learn from."""
        statement = (
            sa.select(sa.func.count().label("n"))
            .select_from(LABELS)
            .join(TEXTS, LABELS.c.prediction_id == TEXTS.c.prediction_id)
            .where(LABELS.c.seq <= until, TEXTS.c.text.is_(None))
        )
        return int(self.query(statement)[0]["n"])

    def feedback(self, until: int) -> list[dict[str, Any]]:
        """Selects the texts with, for each prediction, its last label with number <= `until`.

        Returns:
            Rows of `prediction_id`, `text` (scrubbed), `label`, `time` of the prediction, in the
            order of the labels. Predictions whose text the scrubber refused are left out.
        """
        last = last_labels(LABELS.c.seq <= until)
        return self.query(
            sa.select(LABELS.c.prediction_id, TEXTS.c.text, LABELS.c.label, PREDICTIONS.c.time)
            .join(last, LABELS.c.seq == last.c.seq)
            .join(TEXTS, LABELS.c.prediction_id == TEXTS.c.prediction_id)
            .join(PREDICTIONS, LABELS.c.prediction_id == PREDICTIONS.c.id)
            .where(TEXTS.c.text.is_not(None))
            .order_by(LABELS.c.seq)
        )

    def count_labels(self, after: int) -> int:
        """Counts the labels after the sequence number `after`."""
        statement = sa.select(sa.func.count().label("n")).where(LABELS.c.seq > after)
        return int(self.query(statement)[0]["n"])
