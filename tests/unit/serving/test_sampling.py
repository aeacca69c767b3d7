"""Shares of a queue that is fed faster than it is emptied: fair between callers, and steady."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from serving.recording.sampling import LEAST_SHARE, TextSampler, fair_level

RATE = 30_000  # characters a second that are scrubbed
COST = 1_000  # characters of a text


class Flood:
    """A sampler whose queue is emptied in batches of two seconds; time passes by `run`."""

    def __init__(self, capacity: int = 2_000_000) -> None:
        self.now, self.credit = 0.0, 0.0
        self.sampler = TextSampler(capacity, lambda: self.now)
        self.queue: list[str] = []
        self.longest = 0
        self.draw = random.Random(1)

    def run(self, seconds: float, rates: dict[str, float]) -> dict[str, float]:
        """Sends `rates` texts a second; the part of each caller's texts that was kept."""
        sent: Counter[str] = Counter()
        kept: Counter[str] = Counter()
        for _ in range(int(seconds * 50)):
            self.now += 0.02
            for caller, rate in rates.items():
                for _ in range(int(rate / 50 + self.draw.random())):
                    sent[caller] += 1
                    share = self.sampler.share(caller, COST)
                    if self.draw.random() < share and self.sampler.admit(caller, COST):
                        kept[caller] += 1
                        self.queue.append(caller)
            self.longest = max(self.longest, len(self.queue) * COST)
            self._scrub()
        return {caller: kept[caller] / sent[caller] for caller in sent}

    def _scrub(self) -> None:
        self.credit = min(self.credit + RATE / 50, 2 * RATE)
        batch = self.queue[: int(self.credit // COST)]
        if self.credit < 2 * RATE and len(batch) < len(self.queue):
            return  # a full batch is not done yet
        for caller in batch:
            self.sampler.release(caller, COST)
        del self.queue[: len(batch)]
        self.credit -= len(batch) * COST
        if batch:
            self.sampler.scrubbed(len(batch) * COST, len(batch) * COST / RATE)


def test_all_is_kept_while_there_is_room() -> None:
    flood = Flood()
    assert flood.run(10, {"a": 5, "b": 20}) == {"a": 1, "b": 1}
    assert flood.run(1, {"a": 300}) == {"a": 1}  # a burst


def test_one_caller_that_floods_costs_the_others_little() -> None:
    flood = Flood()
    flood.run(10, {"a": 5, "b": 10})
    kept = flood.run(60, {"a": 5, "b": 10, "flood": 1_000})
    assert kept["a"] > 0.99
    assert kept["b"] > 0.9
    assert kept["flood"] * 1_000 == pytest.approx(30 - 15, rel=0.6)  # what is left of the scrubber
    assert flood.longest < 1_000_000  # nobody waits for long
    flood.run(30, {"a": 5})
    assert flood.run(10, {"a": 5, "flood": 5}) == {"a": 1, "flood": 1}


def test_equal_callers_get_equal_shares() -> None:
    flood = Flood()
    kept = flood.run(60, {"a": 200, "b": 200, "c": 200})
    assert max(kept.values()) < 1.3 * min(kept.values())


def test_no_caller_fills_the_queue_alone() -> None:
    sampler = TextSampler(100, lambda: 0.0)
    for caller in ("flood", "other"):
        sampler.share(caller, 1)
    assert sum(sampler.admit("flood", 1) for _ in range(200)) == 50
    assert sampler.admit("other", 1)
    sampler.release("flood", 1)
    assert sampler.admit("flood", 1)


def test_a_scrubber_that_stands_still_leaves_a_least_share() -> None:
    flood = Flood()
    for _ in range(300):
        flood.now += 0.1
        for _ in range(100):
            share = flood.sampler.share("a", COST)
            if flood.draw.random() < share:
                flood.sampler.admit("a", COST)
    assert flood.sampler.least_share == LEAST_SHARE


@pytest.mark.parametrize(
    ("demands", "budget", "level"),
    [([], 1, float("inf")), ([2], 1, 1), ([1, 1], 1, 0.5), ([1, 9, 5], 9, 4), ([1, 2], 0, 0)],
)
def test_fair_level(demands: list[float], budget: float, level: float) -> None:
    named = {str(i): demand for i, demand in enumerate(demands)}
    assert fair_level(named, budget) == level
