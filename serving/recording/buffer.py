"""Queue between answers and ledger: `put` never waits, `take` returns batches."""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import Generic, TypeVar

T = TypeVar("T")


class Buffer(Generic[T]):
    """Holds items up to a total weight.

    Args:
        capacity: the most weight held, in whatever unit `put` is given.
        linger: seconds that `take` waits for more after the first item, so that batches form.
    """

    def __init__(self, capacity: int, linger: float = 0) -> None:
        self._capacity, self._linger = capacity, linger
        self._items: deque[tuple[T, int]] = deque()
        self._weight = self._put = self._done = 0
        self._hurried = 0  # what was put when somebody last waited in `flush`
        self._closed = False
        self._awaited = 0  # the weight that the taker waits for
        self._changed = threading.Condition()

    def __len__(self) -> int:
        return len(self._items)

    def put(self, item: T, weight: int) -> bool:
        """Adds `item`, unless the buffer is closed or too full for its weight; 0 always fits."""
        with self._changed:
            if self._closed or (weight and self._weight + weight > self._capacity):
                return False
            self._items.append((item, weight))
            self._weight += weight
            self._put += 1
            # A needless wake-up takes the interpreter from the threads that answer.
            if len(self._items) == 1 or self._weight >= self._awaited:
                self._changed.notify_all()
            return True

    def take(self, weight: int) -> list[T]:
        """Removes and returns the oldest items up to `weight` in all, one at least.

        Returns [] once the buffer is closed and empty. The taker calls `done` after its work.
        """
        with self._changed:
            self._awaited = weight
            self._changed.wait_for(lambda: self._items or self._closed)
            self._changed.wait_for(
                lambda: self._closed or self._done < self._hurried or self._weight >= weight,
                self._linger,
            )
            taken: list[T] = []
            total = 0
            while self._items and (not taken or total + self._items[0][1] <= weight):
                item, own = self._items.popleft()
                taken.append(item)
                total += own
            self._weight -= total
            return taken

    def done(self, count: int) -> None:
        """Marks `count` taken items as done."""
        with self._changed:
            self._done += count
            self._changed.notify_all()

    def flush(self, seconds: float) -> bool:
        """Waits until all items put so far are done; returns False on a timeout."""
        with self._changed:
            until = self._hurried = self._put
            self._changed.notify_all()
            return self._changed.wait_for(lambda: self._done >= until, seconds)

    def close(self) -> None:
        """Refuses new items; the queued ones can still be taken."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()


def left(deadline: float) -> float:
    """Seconds until `deadline` on the monotonic clock, 0 at least."""
    return max(0.0, deadline - time.monotonic())
