"""Counts of each bundle in this service, until the rollout controller writes them to the ledger."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

from components.core.ledger.counts import Counts
from serving.models.predictions import Answer


class Counters:
    """Counters by bundle; safe to share between threads.

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
        """Calls `work` for `count` texts, and counts its answers or its exception.

        Args:
            probe: the texts are no client's; they do not count.
        """
        started = self._clock()
        try:
            output = work()
        except Exception:
            self.add(bundle, Counts(batches=1, errors=1))
            raise
        allowed = self._slow * max(1.0, count / self._max_batch)
        slow = int(self._clock() - started > allowed)
        texts = 0 if probe else len(output)
        confidence = 0.0 if probe else sum(answer.prediction.confidence for answer in output)
        self.add(bundle, Counts(1, 0, slow, texts, confidence))
        return output

    def add(self, bundle: str, counts: Counts) -> None:
        with self._lock:
            self._counts[bundle] = self._counts.get(bundle, Counts()) + counts

    def take(self) -> dict[str, Counts]:
        """Returns all counts since the last call, by bundle."""
        with self._lock:
            taken, self._counts = self._counts, {}
        return taken
