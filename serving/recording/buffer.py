"""A queue between answers and ledger: whoever puts never waits, whoever takes gets batches."""

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
        self._wanted = 0  # the weight that the taker waits for
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
            # Who is woken for nothing takes the interpreter from whoever answers.
            if len(self._items) == 1 or self._weight >= self._wanted:
                self._changed.notify_all()
            return True

    def take(self, weight: int) -> list[T]:
        """The oldest items up to `weight` in all, one at least; [] once closed and empty.

        The taker calls `done` when it has dealt with them.
        """
        with self._changed:
            self._wanted = weight
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
        """Says that `count` items that were taken have been dealt with."""
        with self._changed:
            self._done += count
            self._changed.notify_all()

    def flush(self, seconds: float) -> bool:
        """Waits until everything put so far has been dealt with; False if it took too long."""
        with self._changed:
            until = self._hurried = self._put
            self._changed.notify_all()
            return self._changed.wait_for(lambda: self._done >= until, seconds)

    def close(self) -> None:
        """Takes nothing more; what is held can still be taken."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()


def left(deadline: float) -> float:
    """Seconds until `deadline` on the monotonic clock, 0 at least."""
    return max(0.0, deadline - time.monotonic())
