"""Writes predictions and scrubbed texts to the ledger, without slowing the answers.

Two threads drain two buffers: one sends the predictions in batches, the other gives texts to the
scrubbing process and sends what comes back; while the ledger is away both go to the disk (see
outbox.py). When more texts come than the process scrubs, it gets an even sample of each caller's
(see sampling.py). A prediction without a text gets a row with `text` null: a label that waits for
its text for ever would hold up all later feedback. Its `share` tells a text that the sample left
out (the share of the sample) from one that was lost (null).
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, Protocol

import sqlalchemy as sa

from components.core.errors import LedgerError, ScrubError
from components.core.ledger import PREDICTIONS, TEXTS
from components.core.ledger.windows import position
from serving.models.predictions import Answer
from serving.recording.buffer import Buffer, left
from serving.recording.outbox import Database, Outbox
from serving.recording.sampling import TextSampler
from serving.recording.spool import Spool
from serving.recording.write_ahead import WriteAhead

LOG = logging.getLogger("newsloop.serving")

PREDICTIONS_HELD = 50_000  # rows that wait while the ledger is away: some 50 MB
PREDICTIONS_TOGETHER = 500  # rows in one transaction
LINGER = 0.2  # seconds that a row waits for others: one transaction costs as much as 100 rows
TEXTS_HELD = 8_000_000  # characters that wait for the scrubber, which does 30,000 a second
TEXTS_TOGETHER = 64_000  # characters given to the scrubber at once
TEXT_COST = 1_000  # characters that any text counts at least: a short one costs time too
RETRY_SECONDS = 1.0  # between two tries to reach the ledger
LONGEST_PAUSE = 60.0  # seconds before a scrubbing process that keeps dying is started again
DROPS_LOGGED_EVERY = 10.0  # seconds
LAST_WORDS = 5.0  # seconds for the rows without text, after the time to drain is over
# After this the text of a prediction will not come any more: its service was killed.
ORPHANED_AFTER = timedelta(minutes=20)
ORPHANS_SINCE = timedelta(days=7)  # the search for them reads no older predictions


class TextScrubber(Protocol):
    """Protocol of the methods of ScrubbingProcess that the recorder calls."""

    def start(self) -> object: ...
    def scrub(self, texts: Sequence[str]) -> list[str | None]: ...
    def kill(self) -> None: ...
    def close(self) -> None: ...


class _WaitingText(NamedTuple):
    """A prediction whose row of texts waits; `text` is None where nothing is to scrub."""

    prediction_id: str
    text: str | None
    share: float | None
    caller: str | None
    cost: int


def _row(waiting: _WaitingText, scrubbed: str | None) -> dict[str, Any]:
    lost = waiting.text is not None and scrubbed is None
    share = None if lost else waiting.share
    return {"prediction_id": waiting.prediction_id, "text": scrubbed, "share": share}


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
        counts: of texts that were kept, and of rows and texts that were not, by the reason.
    """

    def __init__(
        self,
        ledger: Database,
        scrubber: TextScrubber,
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
        self._texts: Buffer[_WaitingText] = Buffer(texts_held)
        self._sampler = TextSampler(texts_held)
        self._hurry = threading.Event()  # shutting down: no more waiting for anything
        self._failures = 0  # of the scrubber, in a row
        self._drops_logged = -DROPS_LOGGED_EVERY
        self._threads = [
            threading.Thread(target=self._record_predictions, name="predictions", daemon=True),
            threading.Thread(target=self._record_texts, name="texts", daemon=True),
        ]
        self._counts = {
            "predictions_dropped": 0, "texts_kept": 0, "texts_sampled_out": 0, "texts_dropped": 0,
            "texts_unscrubbed": 0, "texts_orphaned": 0,
        }  # fmt: skip

    @property
    def counts(self) -> dict[str, int]:
        return self._counts | self._outbox.counts

    @property
    def levels(self) -> dict[str, float]:
        """Lengths of the queues now; `spool_full`: 1 while the disk accepts nothing.

        `text_share`: of the caller whose texts are sampled most thinly, in (0, 1].
        """
        return {
            "text_share": self._sampler.least_share,
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
        now = self._now()
        rows = [{**answer.row(bundle, now), "source": caller} for answer in answers]
        if self._ahead is not None:
            self._ahead.put(PREDICTIONS.name, rows)
        costs = [max(len(text), TEXT_COST) for text in texts]
        share = self._sampler.share(caller, sum(costs))
        for row, text, cost in zip(rows, texts, costs, strict=True):
            if not self._predictions.put(row, 1):
                self._drop("predictions_dropped")
                self._arrived(1)
                continue
            prediction_id = row["id"]
            if position(prediction_id) >= share:
                self._counts["texts_sampled_out"] += 1
                self._texts.put(_WaitingText(prediction_id, None, share, caller, 0), 0)
            elif not self._sampler.admit(caller, cost):
                self._drop("texts_dropped")
                self._texts.put(_WaitingText(prediction_id, None, None, caller, 0), 0)
            else:
                self._texts.put(_WaitingText(prediction_id, text, share, caller, cost), cost)

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
        self._counts[what] += 1
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
            to_scrub = [waiting for waiting in batch if waiting.text is not None]
            started = time.monotonic()
            scrubbed = dict(zip(to_scrub, self._scrub(to_scrub), strict=True))
            for waiting in to_scrub:
                self._sampler.release(waiting.caller, waiting.cost)
            if to_scrub:
                cost = sum(waiting.cost for waiting in to_scrub)
                self._sampler.scrubbed(cost, time.monotonic() - started)
            self._outbox.send(TEXTS, [_row(waiting, scrubbed.get(waiting)) for waiting in batch])
            self._texts.done(len(batch))
        self._scrubber.close()

    def _scrub(self, to_scrub: Sequence[_WaitingText]) -> list[str | None]:
        """Each text scrubbed, or None: nothing that is not scrubbed leaves this method."""
        texts = [waiting.text or "" for waiting in to_scrub]
        scrubbed: list[str | None] = [None] * len(texts)
        if texts and not self._hurry.is_set():
            try:
                scrubbed = self._scrubber.scrub(texts)
                self._failures = 0
            except ScrubError as error:
                if not self._hurry.is_set():  # else it was ended on purpose
                    LOG.error("%s", error)
                    self._failures += 1
                    pause = self._retry_seconds * 2**self._failures
                    self._hurry.wait(min(pause, LONGEST_PAUSE))
        self._counts["texts_unscrubbed"] += scrubbed.count(None)
        self._counts["texts_kept"] += len(scrubbed) - scrubbed.count(None)
        return scrubbed

    def _close_orphans(self) -> None:
        """Rows without text for predictions whose text will not come any more."""
        now = self._now()
        orphans = (
            sa.select(PREDICTIONS.c.id.label("prediction_id"))
            .join(TEXTS, PREDICTIONS.c.id == TEXTS.c.prediction_id, isouter=True)
            .where(TEXTS.c.prediction_id.is_(None))
            .where(PREDICTIONS.c.time.between(now - ORPHANS_SINCE, now - ORPHANED_AFTER))
        )
        try:
            rows = [{**row, "text": None} for row in self._ledger.query(orphans)]
            self._ledger.insert(TEXTS, rows)
        except LedgerError as error:
            LOG.error("Predictions without text were not looked for: %s", error)
            return
        if rows:
            self._counts["texts_orphaned"] += len(rows)
            LOG.error(
                "%d predictions have no text: a service that recorded them was killed before their "
                "texts were scrubbed. Monitoring counts these texts as lost.",
                len(rows),
            )
