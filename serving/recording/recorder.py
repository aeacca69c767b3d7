"""Writes predictions and scrubbed texts to the ledger, without slowing the answers.

Two threads drain two buffers: one sends the predictions in batches, the other gives texts to the
scrubbing process and sends what comes back; while the ledger is away both go to the disk (see
outbox.py). A prediction whose text is given up gets a row
without text: a label that waits for its text for ever would hold up all later feedback.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import sqlalchemy as sa

from components.core.errors import LedgerError, ScrubError
from components.core.ledger import LABELS, PREDICTIONS, TEXTS
from serving.models.predictions import Answer
from serving.recording.buffer import Buffer, left
from serving.recording.outbox import Database, Outbox
from serving.recording.spool import Spool
from serving.recording.write_ahead import WriteAhead

LOG = logging.getLogger("newsloop.serving")

PREDICTIONS_HELD = 50_000  # rows that wait while the ledger is away: some 50 MB
PREDICTIONS_TOGETHER = 500  # rows in one transaction
LINGER = 0.2  # seconds that a row waits for others: one transaction costs as much as 100 rows
TEXTS_HELD = 32_000_000  # characters that wait for the scrubber, which does 30,000 a second
TEXTS_TOGETHER = 64_000  # characters given to the scrubber at once
TEXT_COST = 1_000  # characters that any text counts at least: a short one costs time too
RETRY_SECONDS = 1.0  # between two tries to reach the ledger
LONGEST_PAUSE = 60.0  # seconds before a scrubbing process that keeps dying is started again
DROPS_LOGGED_EVERY = 10.0  # seconds
LAST_WORDS = 5.0  # seconds for the rows without text, after the time to drain is over
# After this the text of a prediction will not come any more: its service was killed.
ORPHANED_AFTER = timedelta(hours=1)


class Scrubber(Protocol):
    """What the recorder needs of serving.recording.scrubbing.ScrubbingProcess."""

    def start(self) -> object: ...
    def scrub(self, texts: Sequence[str]) -> list[str | None]: ...
    def kill(self) -> None: ...
    def close(self) -> None: ...


def utc_now() -> datetime:
    return datetime.now(UTC)


class Recorder:
    """Takes answers and their texts; see the file's head.

    Args:
        ledger: where they go.
        scrubber: what every text passes through.
        spool: where rows wait while the ledger is away; None: in memory.
        ahead: keeps predictions until they are in the ledger; None: a kill loses the newest.
        now: the clock, UTC.
        predictions_held, texts_held: rows and characters that wait; more are dropped and counted.
        retry_seconds: between two tries to reach the ledger or to start the scrubber.

    Attributes:
        counts: of rows and texts that were spooled or lost, by the reason.
    """

    def __init__(
        self,
        ledger: Database,
        scrubber: Scrubber,
        *,
        spool: Spool | None = None,
        ahead: WriteAhead | None = None,
        now: Callable[[], datetime] = utc_now,
        predictions_held: int = PREDICTIONS_HELD,
        texts_held: int = TEXTS_HELD,
        retry_seconds: float = RETRY_SECONDS,
    ) -> None:
        self._ledger, self._scrubber, self._now, self._ahead = ledger, scrubber, now, ahead
        self._outbox = Outbox(
            ledger, spool, retry_seconds, {PREDICTIONS.name: "id", TEXTS.name: "prediction_id"}
        )
        self._retry_seconds = retry_seconds
        self._predictions: Buffer[dict[str, Any]] = Buffer(predictions_held, LINGER)
        self._texts: Buffer[tuple[str, str | None]] = Buffer(texts_held)
        self._hurry = threading.Event()  # shutting down: no more waiting for anything
        self._failures = 0  # of the scrubber, in a row
        self._drops_logged = -DROPS_LOGGED_EVERY
        self._threads = [
            threading.Thread(target=self._record_predictions, name="predictions", daemon=True),
            threading.Thread(target=self._record_texts, name="texts", daemon=True),
        ]
        self._lost = {"predictions_dropped": 0, "texts_dropped": 0, "texts_unscrubbed": 0}

    @property
    def counts(self) -> dict[str, int]:
        return self._lost | self._outbox.counts

    @property
    def levels(self) -> dict[str, int]:
        """How much waits where, now; `spool_full`: 1 while the disk takes nothing."""
        return {
            "predictions_waiting": len(self._predictions),
            "texts_waiting": len(self._texts),
            "spool_bytes": self._outbox.spooled_bytes,
            "spool_full": int(self._outbox.full),
        }

    def start(self) -> None:
        self._outbox.start()
        for thread in self._threads:
            thread.start()

    def record(
        self,
        bundle: str,
        answers: Sequence[Answer],
        texts: Sequence[str],
        caller: str | None = None,
    ) -> None:
        """Takes the answers that `bundle` gave to `texts`, for the API key named `caller`.

        It returns at once, whatever happens.
        """
        time_ = self._now()
        rows = [{**answer.row(bundle, time_), "source": caller} for answer in answers]
        if self._ahead is not None:
            self._ahead.put(PREDICTIONS.name, rows)
        for answer, row, text in zip(answers, rows, texts, strict=True):
            if not self._predictions.put(row, 1):
                self._drop("predictions_dropped")
                self._arrived(1)
                continue
            id_ = answer.prediction.prediction_id
            if not self._texts.put((id_, text), max(len(text), TEXT_COST)):
                self._drop("texts_dropped")
                self._texts.put((id_, None), 0)

    def flush(self, seconds: float) -> bool:
        """Waits until all predictions so far are in the ledger; False if that takes too long."""
        deadline = time.monotonic() + seconds
        return self._predictions.flush(seconds) and self._outbox.wait_delivered(left(deadline))

    def close(self, seconds: float) -> None:
        """Records what waits, for `seconds` at most; texts not scrubbed by then are given up."""
        deadline = time.monotonic() + seconds
        self._predictions.close()
        self._texts.close()
        for thread in self._threads:
            thread.join(left(deadline))
        self._hurry.set()
        self._outbox.hurry()
        if self._threads[1].is_alive():
            LOG.error(
                "%d texts were still waiting for the scrubber at shutdown; they are not kept.",
                len(self._texts),
            )
            self._scrubber.kill()
        deadline = time.monotonic() + LAST_WORDS
        for thread in self._threads:
            thread.join(left(deadline))
        if self._ahead is not None:
            self._ahead.close()
        self._outbox.close()

    def _arrived(self, count: int) -> None:
        if self._ahead is not None:
            self._ahead.done(count)

    def _drop(self, what: str) -> None:
        self._lost[what] += 1
        if time.monotonic() - self._drops_logged >= DROPS_LOGGED_EVERY:
            self._drops_logged = time.monotonic()
            LOG.error(
                "The recorder cannot keep up: %d texts wait for the scrubber, %d predictions for "
                "the ledger; not kept so far: %s. Answers are not affected.",
                len(self._texts),
                len(self._predictions),
                self.counts,
            )

    def _record_predictions(self) -> None:
        while rows := self._predictions.take(PREDICTIONS_TOGETHER):
            # What is lost at shutdown is kept ahead, and the next service delivers it.
            if self._outbox.send(PREDICTIONS, rows) or not self._hurry.is_set():
                self._arrived(len(rows))
            self._predictions.done(len(rows))

    def _record_texts(self) -> None:
        try:
            self._scrubber.start()
        except OSError as error:
            LOG.error("The scrubbing process cannot be started: %s.", error.strerror)
        self._close_orphans()
        looked = time.monotonic()
        while batch := self._texts.take(TEXTS_TOGETHER):
            if time.monotonic() - looked > ORPHANED_AFTER.total_seconds():
                self._close_orphans()
                looked = time.monotonic()
            ids = [id_ for id_, text in batch if text is not None]
            found = dict(zip(ids, self._scrub([t for _, t in batch if t is not None]), strict=True))
            rows = [{"prediction_id": id_, "text": found.get(id_)} for id_, _ in batch]
            self._outbox.send(TEXTS, rows)
            self._texts.done(len(batch))
        self._scrubber.close()

    def _scrub(self, texts: list[str]) -> list[str | None]:
        """Each text scrubbed, or None: nothing that is not scrubbed leaves this method."""
        if not texts:
            return []
        scrubbed: list[str | None] = [None] * len(texts)
        if not self._hurry.is_set():
            try:
                scrubbed = self._scrubber.scrub(texts)
                self._failures = 0
            except ScrubError as error:
                if not self._hurry.is_set():  # else it was ended on purpose
                    LOG.error("%s", error)
                    self._failures += 1
                    pause = self._retry_seconds * 2**self._failures
                    self._hurry.wait(min(pause, LONGEST_PAUSE))
        self._lost["texts_unscrubbed"] += scrubbed.count(None)
        return scrubbed

    def _close_orphans(self) -> None:
        """Rows without text for labelled predictions whose text will not come any more."""
        orphans = (
            sa.select(LABELS.c.prediction_id)
            .distinct()
            .join(PREDICTIONS, LABELS.c.prediction_id == PREDICTIONS.c.id)
            .join(TEXTS, LABELS.c.prediction_id == TEXTS.c.prediction_id, isouter=True)
            .where(TEXTS.c.prediction_id.is_(None))
            .where(PREDICTIONS.c.time < self._now() - ORPHANED_AFTER)
        )
        try:
            rows = [{**row, "text": None} for row in self._ledger.query(orphans)]
            self._ledger.insert(TEXTS, rows)
        except LedgerError as error:
            LOG.error("Predictions without text were not looked for: %s", error)
