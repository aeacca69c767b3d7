"""Limit of the labels of one caller: counted in the ledger, so that all services share it."""

from __future__ import annotations

from datetime import datetime, timedelta

from components.core.ledger import Ledger, labels
from components.core.ledger.labels import Sender
from components.core.params.serving import Feedback
from serving.errors import later

_HOUR = timedelta(hours=1)
_RETRY_SECONDS = 600  # a part of the hour: some labels of an even sender have left it by then


def check_rate(ledger: Ledger, sender: Sender, count: int, limits: Feedback, now: datetime) -> None:
    """Checks that `sender` may send `count` labels now.

    Raises:
        Refused: it would be too many within an hour (429).
        LedgerError: the ledger is away.
    """
    most = limits.trusted_labels_per_hour if sender.trusted else limits.labels_per_hour
    sent = labels.sent(ledger, sender.caller, now - _HOUR)
    if sent + count > most:
        raise later(
            f"Expected at most {most} labels of one caller in an hour; {sent} came and this "
            f"request holds {count}. Send at most {max(0, most - sent)} now, the rest later.",
            _RETRY_SECONDS,
        )
