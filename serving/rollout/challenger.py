"""The challenger in this service: loaded beside the champion, as shadow or as canary.

A shadow gets the texts after their answer was given, on a thread of its own over a bounded queue:
it never answers, and neither its failures nor its slowness touch an answer.
"""

from __future__ import annotations

import hashlib
import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from components.core.errors import NewsloopError
from components.core.ledger.counts import Counts
from components.core.ledger.trials import Challenge
from serving.models.champion_watcher import Served
from serving.models.model_cache import ModelCache
from serving.models.predictions import Answer, answers
from serving.recording.buffer import Buffer
from serving.rollout.counters import Counters

LOG = logging.getLogger("newsloop.serving")
USER = "challenger"  # of the model cache
NICENESS = 10
TOGETHER = 64  # texts that the shadow computes at once
ROWS_HELD = 50_000  # answers of the shadow that wait for the rollout controller; more are not kept
LAST_WORDS = 2.0  # seconds for the threads to end
PAUSE = 0.002  # seconds that the shadow lets waiting requests go first


@dataclass(frozen=True)
class Trial:
    """A challenge and its loaded model."""

    challenge: Challenge
    served: Served

    def answers_to(self, caller: str) -> bool:
        """True if `caller` (the id of a key, or the text itself) gets the challenger's answers.

        The same caller gets the same model, and keeps the challenger while its share grows.
        """
        return position(self.challenge.id, caller) < self.challenge.share


def position(challenge: str, caller: str) -> float:
    """Hashes a caller to a number in [0, 1), the same for every request of one trial."""
    digest = hashlib.sha256(f"{challenge}:{caller}".encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


class ChallengerWatcher:
    """Follows the ledger's newest challenge. `current` is None while there is none to answer.

    Args:
        newest: the newest challenge, running or over; may raise NewsloopError.
        model_cache: where bundles come from.
        counters: counts what the shadow does.
        busy: True while requests wait for the champion.
        seconds: between two reads of the ledger.
        queue_texts: that wait for the shadow.
    """

    def __init__(
        self,
        newest: Callable[[], Challenge | None],
        model_cache: ModelCache,
        counters: Counters,
        busy: Callable[[], bool],
        seconds: float,
        queue_texts: int,
    ) -> None:
        self._newest, self._model_cache, self._counters = newest, model_cache, counters
        self._busy, self._seconds = busy, seconds
        self._queue: Buffer[tuple[str, Answer]] = Buffer(queue_texts)
        self._rows: list[dict[str, Any]] = []
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._follow, name="challenger-watcher", daemon=True),
            threading.Thread(target=self._shadow, name="shadow", daemon=True),
        ]
        self.current: Trial | None = None
        self.refused: dict[str, str] = {}  # challenge -> why its bundle cannot be loaded
        self.left_out = 0  # texts that found no room in the queue

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        self._stop.set()
        self._queue.close()
        for thread in self._threads:
            if thread.is_alive():
                thread.join(LAST_WORDS)  # a model that hangs must not hold up the end

    def offer(self, texts: Sequence[str], given: Sequence[Answer]) -> None:
        """Queues texts that the champion answered, to compare; returns at once."""
        for text, answer in zip(texts, given, strict=True):
            self.left_out += not self._queue.put((text, answer), 1)

    def take_rows(self) -> list[dict[str, Any]]:
        """Returns the rows of ledger_tables.SHADOWS since the last call."""
        rows, self._rows = self._rows, []
        return rows

    def look(self) -> None:
        """Reads the ledger once, and loads or releases the challenger."""
        challenge = self._newest()
        if challenge is None or not challenge.running:
            if self.current is not None:
                LOG.info("%s is no challenger any more.", self.current.served.title)
                self.current = None
                self._model_cache.release(USER)
            return
        if self.current is not None and self.current.challenge.id == challenge.id:
            self.current = Trial(challenge, self.current.served)
            return
        if challenge.id in self.refused:
            return
        try:
            bundle = self._model_cache.use(USER, challenge.bundle)
        except NewsloopError as error:
            self.refused = {challenge.id: str(error)}
            LOG.error("%s cannot be tried: %s", challenge.tag, error)
            return
        served = Served(bundle, {"tag": challenge.tag, "version": challenge.version})
        self.current = Trial(challenge, served)
        LOG.info("%s is tried beside the champion.", served.title)

    def compare(self, batch: Sequence[tuple[str, Answer]]) -> None:
        """Computes the challenger's answers to texts that the champion answered."""
        trial = self.current
        if trial is None:
            return
        bundle, texts = trial.served.bundle, [text for text, _ in batch]
        try:
            own = self._counters.compute(bundle.name, len(texts), lambda: answers(bundle, texts))
        except Exception as error:  # noqa: BLE001 - counted; it must not end the thread
            LOG.debug("The shadow failed: %s.", type(error).__name__)
            return
        pairs = list(zip(batch, own, strict=True))
        differing = sum(
            ours.prediction.label != given.prediction.label for (_, given), ours in pairs
        )
        self._counters.add(bundle.name, Counts(compared=len(pairs), disagreed=differing))
        if len(self._rows) < ROWS_HELD:
            self._rows += [
                {
                    "prediction_id": given.prediction.prediction_id,
                    "bundle": bundle.name,
                    "label": ours.prediction.label,
                    "confidence": ours.prediction.confidence,
                }
                for (_, given), ours in pairs
            ]

    def _follow(self) -> None:
        while not self._stop.wait(self._seconds):
            try:
                self.look()
            except NewsloopError:
                continue  # the ledger is away, as the champion watcher says
            except Exception as error:  # noqa: BLE001 - the service must outlive any surprise here
                LOG.error("Looking for a challenger gave %s.", type(error).__name__)

    def _shadow(self) -> None:
        if sys.platform == "linux":  # there a thread has a niceness of its own
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
        while batch := self._queue.take(TOGETHER):
            while self._busy() and not self._stop.is_set():
                time.sleep(PAUSE)
            self.compare(batch)
            self._queue.done(len(batch))
