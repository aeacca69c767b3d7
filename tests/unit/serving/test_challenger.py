"""The trial of a version beside the champion: ledger, router, shadow, rollout controller."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Coroutine, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa

from components.core import params as parameters
from components.core.bundle import Predictions
from components.core.errors import BundleError
from components.core.ledger import PREDICTIONS, TEXTS, Champion, Ledger, trials
from components.core.ledger.counts import Counts
from serving.http.answers import Prediction
from serving.models.champion_watcher import Served
from serving.models.model_cache import ModelCache
from serving.models.predictions import Answer, answers
from serving.rollout.challenger import ChallengerWatcher, position
from serving.rollout.comparison import LabelledTexts
from serving.rollout.controller import RolloutController
from serving.rollout.counters import Counters
from serving.rollout.router import Router

PROJECT = Path(__file__).resolve().parents[3]
NOW = datetime(2026, 1, 5, 3, tzinfo=UTC)
SERVE = parameters.load(PROJECT / "params.yaml").serve


def serve_limits(patience_ms: float) -> parameters.Serve:
    changed = {
        "min_texts": 10, "min_labels": 5, "shadow_seconds": 60, "step_seconds": 60, "level": 0.01,
        "probation_seconds": 600, "absent_seconds": 30, "patience_ms": patience_ms,
    }  # fmt: skip
    return SERVE.model_copy(update={"challenger": SERVE.challenger.model_copy(update=changed)})


class Bundle:
    """Says its own label of every text; can fail, or wait."""

    def __init__(self, name: str, label: str = "tech", confidence: float = 0.9) -> None:
        self.name, self.label, self.confidence = name, label, confidence
        self.labels, self.facts = ["tech", "sport"], {"labels": ["tech", "sport"]}
        self.fails, self.free, self.asked = False, threading.Event(), 0
        self.wrong: frozenset[str] = frozenset()  # texts of which it says something else
        self.free.set()

    def predict(self, texts: Sequence[str]) -> Predictions:
        import numpy as np

        self.asked += len(texts)
        self.free.wait(10)
        if self.fails:
            raise BundleError("NaN")
        n = len(texts)
        labels = ["sport" if text in self.wrong else self.label for text in texts]
        return Predictions(
            labels, np.full(n, self.confidence), np.full((n, 2), 0.5), np.ones(n, int),
            np.zeros(n), np.zeros((n, 1)), np.zeros(n, bool),
        )  # fmt: skip


class Silent:
    """Metrics that nobody reads."""

    def stage(self, name: str) -> Any:
        return threading.Lock()

    def batch(self, texts: int, waited: Sequence[float]) -> None: ...

    def answered(self, arrived: float, begun: float, ended: float) -> None: ...


def version(number: int) -> dict[str, Any]:
    return {
        "version": number, "bundle": f"{number:064x}", "time": NOW,
        "tag": f"newsloop@v{number}.0.0", "commit": "c" * 40, "dvc_lock": "d" * 64,
        "snapshot": "s" * 64, "metrics": {}, "decision": {},
    }  # fmt: skip


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """Version 1 was released long ago; 2 and 3 are known, and 1 serves."""
    opened = Ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}")
    for number in (1, 2, 3):
        opened.add_version(version(number), "a test")
    opened.deploy(1, NOW - timedelta(days=9), "promoted: a test")
    yield opened
    opened.close()


class World:
    """One service's parts around a ledger, with a clock that tests turn."""

    def __init__(self, ledger: Ledger, patience_ms: float = 30_000) -> None:
        self.ledger, self.now = ledger, NOW
        limits = serve_limits(patience_ms)
        self.bundles = {f"{i:064x}": Bundle(f"{i:064x}") for i in (1, 2, 3)}
        self.broken: set[str] = set()
        self.loads: list[str] = []
        self.counters = Counters(SERVE.challenger.slow_ms, SERVE.max_batch)
        model_cache = ModelCache(self.load)
        self.texts = LabelledTexts(ledger, model_cache, lambda: False)
        self.models = SimpleNamespace(current=self.served(1))
        metrics: Any = Silent()
        self.router = Router(self.models, self.counters, limits, metrics)
        self.challenger = ChallengerWatcher(
            lambda: trials.newest(ledger),
            model_cache,
            self.counters,
            lambda: False,
            30,
            8,
        )
        self.router.challenger = self.challenger
        self.controller = RolloutController(
            ledger, self.models, self.challenger, self.counters, self.texts, limits,
            lambda: self.now,
        )  # fmt: skip

    def load(self, name: str) -> Any:
        self.loads.append(name)
        if name in self.broken:
            raise BundleError("It was altered.")
        return self.bundles[name]

    def bundle(self, number: int) -> Bundle:
        return self.bundles[f"{number:064x}"]

    def served(self, number: int) -> Served:
        bundle: Any = self.bundle(number)
        return Served(bundle, {"tag": f"newsloop@v{number}.0.0"})

    def start(self, *shares: float) -> None:
        trials.start(self.ledger, version(2), shares, "a test", self.now)
        self.challenger.look()

    def look(self, seconds: float = 5, times: int = 1) -> str:
        """Lets time pass, a look each; how the newest trial stands."""
        for _ in range(times):
            self.now += timedelta(seconds=seconds)
            self.challenger.look()
            self.controller.look()
            self.texts.wait()
            for probe in list(self.controller._probes.values()):
                if all(bundle.free.is_set() for bundle in self.bundles.values()):
                    probe.exception(10)
        newest = trials.newest(self.ledger)
        return newest.event if newest is not None else "none"

    def count(self, number: int, **counts: float) -> None:
        self.counters.add(f"{number:064x}", Counts(**counts))  # type: ignore[arg-type]

    def champion(self) -> Champion:
        found = self.ledger.champion()
        assert found is not None
        return found


@pytest.fixture
def world(ledger: Ledger) -> Iterator[World]:
    made = World(ledger)
    yield made
    for bundle in made.bundles.values():
        bundle.free.set()
    made.controller.close()
    made.challenger.close()


def serve(world: World, work: Coroutine[Any, Any, Any]) -> Any:
    async def main() -> Any:
        try:
            return await work
        finally:
            await world.router.close()

    return asyncio.run(main())


def label(world: World, bundle: int, count: int, said: str = "tech") -> list[str]:
    """People label `count` answers that this bundle gives now; their texts."""
    first = len(world.ledger.query(sa.select(PREDICTIONS.c.seq)))
    rows = [row(first + i, bundle, "tech") | {"time": world.now} for i in range(count)]
    texts = [f"text {first + i}" for i in range(count)]
    world.ledger.insert(PREDICTIONS, rows)
    kept = [{"prediction_id": r["id"], "text": t} for r, t in zip(rows, texts, strict=True)]
    world.ledger.insert(TEXTS, kept)
    world.ledger.add_labels([(r["id"], said) for r in rows], world.now)
    return texts


def row(i: int, bundle: int, label: str) -> dict[str, Any]:
    answer = Answer(Prediction(f"{i:032x}", label, 0.9, {"tech": 0.9}, False), 4, 0.25, [0.5])
    return answer.row(f"{bundle:064x}", NOW)


# Who answers


def test_a_caller_keeps_its_model_and_shares_are_kept() -> None:
    places = [position("a" * 32, f"caller {i}") for i in range(4000)]
    assert places == [position("a" * 32, f"caller {i}") for i in range(4000)]
    for share in (0.05, 0.25, 0.5):
        assert sum(place < share for place in places) / 4000 == pytest.approx(share, abs=0.03)
    other = [position("b" * 32, f"caller {i}") for i in range(4000)]  # other callers next time
    assert sum(a < 0.5 and b < 0.5 for a, b in zip(places, other, strict=True)) / 4000 < 0.3


def test_a_canary_answers_its_share_and_names_itself(world: World) -> None:
    world.start(0.5)

    async def ask() -> dict[str, set[str]]:
        models: dict[str, set[str]] = {}
        for i in range(100):
            served, found = await world.router.answer([f"text {i % 50}"], None)
            assert len(found) == 1
            models.setdefault(f"text {i % 50}", set()).add(served.title)
            by_key, _ = await world.router.answer([f"text {i}"], "one key")
            models.setdefault("one key", set()).add(by_key.title)
        return models

    models = serve(world, ask())
    assert {len(names) for names in models.values()} == {1}
    titles = [next(iter(names)) for text, names in models.items() if text != "one key"]
    assert 10 < titles.count(world.served(2).title) < 40
    assert set(titles) == {world.served(1).title, world.served(2).title}


@pytest.mark.parametrize("trouble", ["fails", "hangs"])
def test_a_bad_canary_never_reaches_a_client_and_is_counted(ledger: Ledger, trouble: str) -> None:
    world = World(ledger, patience_ms=100)
    world.start(1.0)
    if trouble == "fails":
        world.bundle(2).fails = True
    else:
        world.bundle(2).free.clear()

    async def ask() -> list[str]:
        started = time.monotonic()
        found = [(await world.router.answer(["a"], None))[0].title for _ in range(3)]
        assert time.monotonic() - started < 5
        world.bundle(2).free.set()
        return found

    assert serve(world, ask()) == [world.served(1).title] * 3
    assert world.counters.take()[f"{2:064x}"].errors >= 3
    world.controller.close()


def test_a_shadow_never_answers_and_cannot_slow_an_answer(world: World) -> None:
    world.start(0.0)
    world.bundle(2).free.clear()  # it hangs
    world.challenger.start()

    async def ask() -> list[str]:
        started = time.monotonic()
        found = [(await world.router.answer([f"text {i}"], None))[0].title for i in range(30)]
        assert time.monotonic() - started < 5
        return found

    assert serve(world, ask()) == [world.served(1).title] * 30
    assert world.challenger.left_out >= 30 - 2 * 8 - 1  # its queue holds 8
    world.bundle(2).free.set()


def test_a_shadow_compares(world: World) -> None:
    world.start(0.0)
    bundle: Any = world.bundle(1)
    given = answers(bundle, ["a", "b", "c"])
    world.challenger.compare([(text, answer) for text, answer in zip("abc", given, strict=True)])
    world.bundle(2).label = "sport"
    world.challenger.compare([("a", given[0])])
    world.bundle(2).fails = True
    world.challenger.compare([("a", given[0])])
    assert world.counters.take()[f"{2:064x}"] == Counts(3, 1, 0, 4, pytest.approx(3.6), 4, 1)
    assert [row["label"] for row in world.challenger.take_rows()] == ["tech"] * 3 + ["sport"]


# The rollout controller


def test_a_good_challenger_is_promoted_step_by_step(world: World) -> None:
    world.start(0.0, 0.25, 0.5)
    events = []
    for _ in range(3):
        for number in (1, 2):
            world.count(number, batches=20, texts=20, confidence=18.0)
        world.count(2, compared=20, disagreed=1)
        events.append((world.look(), world.look(56)))
    assert events == [("start", "step"), ("step", "step"), ("step", "promoted")]
    assert world.champion().version == 2
    assert world.champion().reason.startswith("promoted: 20 texts in 61 s")


def test_a_shadow_alone_passes_and_changes_nothing(world: World) -> None:
    world.start(0.0)
    world.count(2, batches=20, texts=20, compared=20)
    assert world.look(61) == "passed"
    assert world.champion().version == 1
    world.challenger.look()
    assert world.challenger.current is None


@pytest.mark.parametrize(
    ("counts", "reason"),
    [
        ({"batches": 20, "errors": 5}, "errors"),
        ({"batches": 20, "slow": 5}, "slow"),
        ({"batches": 20, "texts": 20, "confidence": 10.0}, "confidence"),
        ({"batches": 20, "compared": 20, "disagreed": 10}, "another label"),
    ],
)
def test_a_bad_challenger_goes_at_once(world: World, counts: Any, reason: str) -> None:
    world.start(0.5)
    world.count(1, batches=20, texts=20, confidence=18.0)
    world.count(2, **counts)
    assert world.look() == "failed"
    newest = trials.newest(world.ledger)
    assert newest is not None
    assert reason in newest.reason
    assert world.champion().version == 1


def test_a_challenger_that_people_say_is_wrong_goes(world: World) -> None:
    world.start(0.5)
    world.bundle(2).wrong = frozenset(label(world, 1, 20)[:7])
    assert "failed" in [world.look() for _ in range(2)]  # its answers come between two looks


def test_a_challenger_that_cannot_be_loaded_or_is_silent_fails(world: World) -> None:
    world.broken = {f"{2:064x}"}
    world.start(0.5)
    assert world.look() == "failed"
    world.broken = set()
    world.start(0.5)
    world.bundle(2).free.clear()  # hangs from its first text on
    assert world.look(5, times=6) == "failed"
    newest = trials.newest(world.ledger)
    assert newest is not None
    assert "errors" in newest.reason or "no metrics" in newest.reason
    world.bundle(2).free.set()


def test_another_release_ends_the_trial(world: World) -> None:
    world.start(0.5)
    world.ledger.deploy(3, world.now, "release")
    assert world.look() == "stopped"


# A new champion


def release(world: World, number: int, works: bool = True) -> None:
    world.ledger.deploy(number, world.now, "release")
    if works:
        world.models.current = world.served(number)


def seconds_until_back(world: World) -> int | None:
    for seconds in range(0, 65, 5):
        if world.champion().version == 1:
            return seconds
        world.look()
    return None


def test_a_good_champion_stays(world: World) -> None:
    release(world, 2)
    world.look(5, times=20)
    assert world.champion().version == 2
    world.now += timedelta(seconds=600)  # its probation is over: nothing is written any more
    world.look()
    before = trials.observed(world.ledger, f"{2:064x}", NOW)
    world.look(5, times=10)
    assert trials.observed(world.ledger, f"{2:064x}", NOW) == before


@pytest.mark.parametrize("trouble", ["errors", "slow", "accuracy", "hangs", "cannot be loaded"])
def test_a_bad_champion_is_back_within_a_minute(world: World, trouble: str) -> None:
    """Row 13, with nobody asking it anything but the rollout controller itself."""
    release(world, 2, works=trouble != "cannot be loaded")
    if trouble == "errors":
        world.bundle(2).fails = True
    if trouble == "slow":
        world.count(2, batches=20, slow=20)
    if trouble == "accuracy":
        world.bundle(2).label = "sport"
        label(world, 2, 20)
    if trouble == "hangs":
        world.bundle(2).free.clear()
    seconds = seconds_until_back(world)
    assert seconds is not None
    assert seconds < 60
    assert world.champion().reason.startswith("returned by itself: newsloop@v2.0.0: ")
    world.bundle(2).free.set()


def test_a_champion_in_a_harder_world_stays(world: World) -> None:
    """Row 42: 51 of 60 right in the moved world, where the former one is right on 48 of them."""
    label(world, 1, 3000)
    world.now += timedelta(seconds=1)
    release(world, 2)
    texts = label(world, 2, 60)
    world.bundle(2).wrong = frozenset(texts[:9])
    world.bundle(1).wrong = frozenset(texts[5:17])
    world.look(5, times=20)
    assert world.champion().version == 2
    # Of the old world's labels none is asked about; each new text is computed once by each.
    assert world.bundle(1).asked == len(texts)
    rows = trials.labelled_texts(world.ledger, world.champion().time)
    found = world.texts.compare(rows, f"{2:064x}", f"{1:064x}")
    assert (found.labels, found.right, found.other_right) == (60, 51, 48)


def test_a_worse_champion_goes_by_the_texts_that_both_answered(world: World) -> None:
    """Row 42, the other half: both err in the moved world, the new one on seven texts more."""
    release(world, 2)
    texts = label(world, 2, 60)
    world.bundle(1).wrong = frozenset(texts[:10])
    world.bundle(2).wrong = frozenset(texts[:16])
    world.look(5, times=3)
    assert world.champion().version == 2
    world.bundle(2).wrong |= frozenset(label(world, 2, 1))
    world.look(5, times=2)
    assert world.champion().version == 1
    assert "accuracy 44 of 61 labelled texts, the other's 51 of the same" in world.champion().reason


def test_a_text_counts_once_and_without_text_not_at_all(world: World) -> None:
    release(world, 2)
    texts = label(world, 2, 6)
    world.bundle(2).wrong = frozenset([*texts, "a new one"])
    again = [row(500 + i, 2, "tech") | {"time": world.now} for i in range(20)]
    world.ledger.insert(PREDICTIONS, again)
    world.ledger.add_labels([(r["id"], "tech") for r in again], world.now)
    kept = [texts[0]] * 10 + [None] * 9  # of one the scrubber has not spoken yet
    world.ledger.insert(
        TEXTS,
        [{"prediction_id": r["id"], "text": t} for r, t in zip(again[:19], kept, strict=True)],
    )
    world.look(5, times=5)
    assert world.champion().version == 2
    world.ledger.insert(TEXTS, [{"prediction_id": again[19]["id"], "text": "a new one"}])
    world.look(5, times=2)
    assert world.champion().version == 1


def test_a_former_champion_that_cannot_be_loaded_is_asked_once(world: World) -> None:
    release(world, 2)
    world.broken = {f"{1:064x}"}
    world.bundle(2).wrong = frozenset(label(world, 2, 40))
    world.look(5, times=5)
    assert world.champion().version == 2
    assert world.loads.count(f"{1:064x}") == 1


def test_who_came_back_stays_however_bad(world: World) -> None:
    release(world, 2)
    world.bundle(2).fails = world.bundle(1).fails = True
    assert seconds_until_back(world) is not None
    world.models.current = world.served(1)
    count = len(world.ledger.deployments())
    world.look(5, times=20)
    assert len(world.ledger.deployments()) == count


def test_the_first_champion_has_nowhere_to_go(tmp_path: Path) -> None:
    alone = Ledger(f"sqlite:///{tmp_path / 'alone.sqlite'}")
    alone.add_version({**version(1), "time": NOW}, "release")
    world = World(alone)
    world.bundle(1).fails = True
    world.look(5, times=10)
    assert [one.version for one in alone.deployments()] == [1]
    world.controller.close()
    alone.close()


def test_a_service_that_just_started_does_not_miss_what_nobody_could_count(world: World) -> None:
    world.ledger.deploy(2, NOW - timedelta(seconds=500), "release")  # while no service ran
    world.models.current = world.served(2)
    world.look(5, times=6)
    assert world.champion().version == 2
