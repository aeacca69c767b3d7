"""Limits of admission: requests in flight, bytes of bodies, and requests a second of one key.

BentoML's own limit counts a request as gone when its time is over, though its work goes on. Here
the capacity is free when the work has ended or has left the queue.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from serving.errors import later

RETRY_SECONDS = 1  # after a refusal for load: a full queue empties in a few seconds


class CapacityLimit:
    """Capacity of a resource, such as requests at once or bytes in memory.

    Args:
        capacity: how many there are.
        what: they are for, in the refusal.

    Attributes:
        taken: how many are in use; peak: the most that ever were.
    """

    def __init__(self, capacity: int, what: str) -> None:
        self.capacity, self._what = capacity, what
        self.taken = self.peak = 0

    def need(self, count: int = 1) -> None:
        """Raises Refused (429) if fewer than `count` units are free."""
        if self.taken + count > self.capacity:
            raise later(
                f"Expected at most {self.capacity} {self._what} at once, and as many are here "
                "already; send this again later.",
                RETRY_SECONDS,
            )

    def take(self, count: int = 1) -> None:
        """Takes units; `give` returns them.

        Raises:
            Refused: too few are free (429).
        """
        self.need(count)
        self.taken += count
        self.peak = max(self.peak, self.taken)

    def give(self, count: int = 1) -> None:
        self.taken -= count

    @contextmanager
    def reserved(self) -> Iterator[None]:
        """Takes one unit until the block ends."""
        self.take()
        try:
            yield
        finally:
            self.give()


class RateLimiter:
    """Requests a second of each key: a token bucket each.

    Args:
        per_second: tokens that come back each second.
        burst: tokens of a full bucket.
        clock: seconds, monotonic.
    """

    def __init__(
        self, per_second: float, burst: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._per_second, self._burst, self._clock = per_second, burst, clock
        self._buckets: dict[str, tuple[float, float]] = {}  # key id -> tokens, when that was

    def take(self, key_id: str) -> None:
        """Takes one token of a key.

        Raises:
            Refused: it has none (429); it says when there will be one.
        """
        now = self._clock()
        tokens, since = self._buckets.get(key_id, (float(self._burst), now))
        tokens = min(self._burst, tokens + (now - since) * self._per_second)
        if tokens < 1:
            self._buckets[key_id] = (tokens, now)
            raise later(
                f"Expected at most {self._per_second:g} requests a second of one key; send this "
                "again later.",
                math.ceil((1 - tokens) / self._per_second),
            )
        self._buckets[key_id] = (tokens - 1, now)
