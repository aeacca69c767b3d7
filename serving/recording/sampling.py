"""Samples the texts to scrub under overload: fair between callers, even within each caller.

The scrubber is slower than the model. When more texts arrive than it can scrub, each caller gets a
share of its capacity by max-min fairness (Bertsekas and Gallager, Data Networks, section 6.5.2),
and of a caller's texts the recorder keeps those whose permanent random number (Ohlsson 1995) lies
below the caller's share. The ledger holds the share with each text, so that monitoring can draw a
sample from a window in which each prediction has the same chance, see monitoring/windows.py.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

LEAST_SHARE = 1 / 256  # a caller is never without a sample
_TARGET = 0.25  # part of the queue that overload fills
_DEMAND_SECONDS = 1.0  # time constant of a caller's demand
_CONTROL_SECONDS = 4.0  # in which the queue comes to its target
_AHEAD = 0.5  # seconds: while the queue has room for what arrives in them, all texts are kept
_EVERY = 0.1  # seconds between two computations of the shares
_NEWEST = 0.3  # weight of the newest batch in the scrubber's rate
_FORGOTTEN = 60.0  # seconds after which a caller that sends nothing is forgotten


@dataclass
class _Caller:
    """Demand of a caller.

    Attributes:
        arrived: characters that arrived, decayed exponentially.
        since, at: seconds of the clock; the first arrival and the last.
        share: of its texts that are kept, in (0, 1].
        waiting: characters in the queue.
    """

    since: float
    at: float
    arrived: float = 0.0
    share: float = 1.0
    waiting: int = 0

    def arrive(self, weight: float, now: float) -> None:
        self.arrived = self.arrived * math.exp((self.at - now) / _DEMAND_SECONDS) + weight
        self.at = now

    def demand(self, now: float) -> float:
        """Estimates characters per second."""
        known = -math.expm1(-max(now - self.since, _DEMAND_SECONDS / 2) / _DEMAND_SECONDS)
        return self.arrived * math.exp((self.at - now) / _DEMAND_SECONDS) / known / _DEMAND_SECONDS


class TextSampler:
    """Decides which texts wait for the scrubber; safe to call from several threads.

    Args:
        capacity: characters that may wait.
        clock: seconds, monotonic.
    """

    def __init__(self, capacity: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._capacity, self._clock = capacity, clock
        self._callers: dict[str | None, _Caller] = {}
        self._waiting = 0
        self._rate: float | None = None  # characters a second that the scrubber did of late
        self._computed = -math.inf
        self._lock = threading.Lock()

    @property
    def least_share(self) -> float:
        """Smallest share of any caller of the last minute, in (0, 1]."""
        with self._lock:
            return min((caller.share for caller in self._callers.values()), default=1.0)

    def share(self, caller: str | None, weight: int) -> float:
        """Counts `weight` characters that arrive, and returns the share of them to keep."""
        with self._lock:
            now = self._clock()
            state = self._callers.setdefault(caller, _Caller(now, now))
            state.arrive(weight, now)
            if now - self._computed >= _EVERY:
                self._compute(now)
            return state.share

    def admit(self, caller: str | None, weight: int) -> bool:
        """Takes room in the queue; False if the caller holds as much as is left for all others.

        Dynamic thresholds (Choudhury and Hahne 1998): no caller fills the queue alone.
        """
        with self._lock:
            state = self._callers[caller]
            if state.waiting >= self._capacity - self._waiting:
                return False
            state.waiting += weight
            self._waiting += weight
            return True

    def release(self, caller: str | None, weight: int) -> None:
        """Gives back the room of a text that left the queue."""
        with self._lock:
            self._callers[caller].waiting -= weight
            self._waiting -= weight

    def scrubbed(self, weight: int, seconds: float) -> None:
        """Learns that the scrubber took `seconds` for `weight` characters."""
        rate = weight / max(seconds, 1e-3)
        with self._lock:
            old = rate if self._rate is None else self._rate
            self._rate = old + _NEWEST * (rate - old)

    def _compute(self, now: float) -> None:
        self._computed = now
        for name in [
            name
            for name, caller in self._callers.items()
            if now - caller.at > _FORGOTTEN and not caller.waiting
        ]:
            del self._callers[name]
        demands = {name: caller.demand(now) for name, caller in self._callers.items()}
        spare = _TARGET * self._capacity - self._waiting
        budget = max((self._rate or 0.0) + spare / _CONTROL_SECONDS, 0.0)
        idle = _AHEAD * sum(demands.values()) <= spare
        level = math.inf if idle else fair_level(demands, budget)
        for name, caller in self._callers.items():
            enough = demands[name] <= level
            caller.share = 1.0 if enough else max(level / demands[name], LEAST_SHARE)


def fair_level(demands: Mapping[str | None, float], budget: float) -> float:
    """Computes the largest rate that each caller may use so that all stay within `budget`.

    >>> fair_level({"a": 1.0, "b": 9.0, "c": 5.0}, 9.0)
    4.0
    >>> fair_level({"a": 1.0, "b": 2.0}, 9.0)
    inf
    """
    for i, demand in enumerate(ordered := sorted(demands.values())):
        level = budget / (len(ordered) - i)
        if demand > level:
            return level
        budget -= demand
    return math.inf
