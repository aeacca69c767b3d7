"""Counts what each bundle does here, until the rollout controller takes it to the ledger."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

from components.core.ledger.counts import Counts
from serving.models.predictions import Answer


class Counters:
    """Safe to share between threads.

    Args:
        slow_ms: milliseconds to compute `max_batch` texts: from there on a batch is slow.
        max_batch: a larger batch may take longer, in proportion.
        clock: seconds, monotonic.
    """

    def __init__(
        self, slow_ms: float, max_batch: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._slow, self._max_batch, self._clock = slow_ms / 1000, max_batch, clock
        self._counts: dict[str, Counts] = {}
        self._lock = threading.Lock()

    def compute(
        self, bundle: str, count: int, work: Callable[[], Sequence[Answer]], *, probe: bool = False
    ) -> Sequence[Answer]:
        """What `work` gives for `count` texts; counted, and so is what it raises.

        Args:
            probe: nobody asked for it: its texts do not count.
        """
        started = self._clock()
        try:
            found = work()
        except Exception:
            self.add(bundle, Counts(batches=1, errors=1))
            raise
        allowed = self._slow * max(1.0, count / self._max_batch)
        slow = int(self._clock() - started > allowed)
        texts = 0 if probe else len(found)
        confidence = 0.0 if probe else sum(answer.prediction.confidence for answer in found)
        self.add(bundle, Counts(1, 0, slow, texts, confidence))
        return found

    def add(self, bundle: str, counts: Counts) -> None:
        with self._lock:
            self._counts[bundle] = self._counts.get(bundle, Counts()) + counts

    def take(self) -> dict[str, Counts]:
        """All counts since this was called last, by bundle."""
        with self._lock:
            taken, self._counts = self._counts, {}
        return taken
