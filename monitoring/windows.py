"""Windows: which predictions monitoring judges together, read from the ledger.

A window goes by sequence numbers, (after, until], never by clock time: daylight saving and a clock
set back do not change it. It starts where the last judged window of the same bundle ended.

What is judged is the scrubbed text of each prediction, as the reference was made from scrubbed
texts: in raw ones every name is an unknown word, which would look like drift for ever.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import sqlalchemy as sa

from components.core.ledger import PREDICTIONS, TEXTS, WINDOWS, Ledger


@dataclass(frozen=True)
class Window:
    """The predictions of one bundle with sequence numbers in (after, until].

    Attributes:
        bundle: name of the bundle that gave them.
        after, until: sequence numbers of the ledger; equal when there is none.
        texts: scrubbed, one a prediction, the oldest first.
        skipped: predictions in (after, until] that are left out: older than the newest that were
            asked for, or without a text because the scrubber lost it.
    """

    bundle: str
    after: int
    until: int
    texts: list[str] = field(default_factory=list, repr=False)
    skipped: int = 0

    @property
    def rows(self) -> int:
        return len(self.texts)


def pick(ledger: Ledger, bundle: str, max_rows: int) -> Window:
    """The predictions of `bundle` that no window has judged yet and whose texts are scrubbed.

    Texts are scrubbed in the order of the predictions: those that still wait come after `until`,
    and belong to the next window.

    Args:
        ledger: where they are.
        bundle: the champion's.
        max_rows: most rows; of more, the newest are taken and the others skipped.

    Raises:
        LedgerError: the ledger cannot be reached.
    """
    judged = sa.select(sa.func.max(WINDOWS.c.until).label("seq")).where(WINDOWS.c.bundle == bundle)
    after = int(ledger.query(judged)[0]["seq"] or 0)
    new = sa.and_(PREDICTIONS.c.bundle == bundle, PREDICTIONS.c.seq > after)
    rows = ledger.query(
        sa.select(PREDICTIONS.c.seq, TEXTS.c.text)
        .join(TEXTS, TEXTS.c.prediction_id == PREDICTIONS.c.id)
        .where(new, TEXTS.c.text.is_not(None))
        .order_by(PREDICTIONS.c.seq.desc())
        .limit(max_rows)
    )
    if not rows:
        return Window(bundle, after, after)
    until = int(rows[0]["seq"])
    count = sa.select(sa.func.count().label("n")).where(new, PREDICTIONS.c.seq <= until)
    skipped = int(ledger.query(count)[0]["n"]) - len(rows)
    return Window(bundle, after, until, [row["text"] for row in rows[::-1]], skipped)
