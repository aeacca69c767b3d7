"""Who serves after each look at the ledger, whatever the ledger and the bundles do."""

from __future__ import annotations

import logging
import weakref
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from components.core.errors import BundleError, LedgerError
from components.core.ledger import Champion
from serving import status
from serving.models.champion_watcher import ChampionWatcher, Served
from serving.models.model_cache import ModelCache
from serving.status import Code, Status

NOW = datetime(2026, 1, 5, 3, tzinfo=UTC)


def champion(bundle: str, reason: str = "a test") -> Champion:
    return Champion(1, bundle, f"newsloop@{bundle}", "c", NOW, reason, {}, {}, "s", "d")


class World:
    """A ledger and a bundle store in one; both can break."""

    def __init__(self) -> None:
        self.champion_now: Champion | None = None
        self.away = False
        self.broken: set[str] = set()
        self.loads: list[str] = []

    def champion(self) -> Champion | None:
        if self.away:
            raise LedgerError("The ledger is away.")
        return self.champion_now

    def load(self, name: str) -> Any:
        self.loads.append(name)
        if name in self.broken:
            raise BundleError(f"{name} was altered.")
        return SimpleNamespace(name=name, facts={"labels": ["a"]}, card=None)


@pytest.fixture
def world() -> World:
    return World()


def follow(world: World, seconds: float = 30) -> ChampionWatcher:
    return ChampionWatcher(world, ModelCache(world.load), seconds)


def serving(watcher: ChampionWatcher) -> str | None:
    return watcher.current.bundle.name if watcher.current else None


def test_it_serves_whoever_is_champion(world: World) -> None:
    watcher = follow(world)
    for name, expected in [(None, None), ("one", "one"), ("one", "one"), ("two", "two")]:
        world.champion_now = champion(name) if name else None
        watcher.look()
        assert serving(watcher) == expected
    assert world.loads == ["one", "two"]  # and loads each once


def test_a_swap_replaces_and_never_changes(world: World) -> None:
    watcher = follow(world)
    world.champion_now = champion("one")
    watcher.look()
    before = watcher.current
    world.champion_now = champion("two")
    watcher.look()
    assert before is not None
    assert before.title == "newsloop@one one"
    assert watcher.current is not before


def test_the_same_bundle_deployed_anew_is_not_loaded_again(world: World) -> None:
    watcher = follow(world)
    world.champion_now = champion("one", "release")
    watcher.look()
    world.champion_now = champion("one", "rollback")
    watcher.look()
    assert watcher.current is not None
    assert watcher.current.describe().reason == "rollback"
    assert world.loads == ["one"]


def test_each_new_state_is_reported_once_with_its_code(world: World, tmp_path: Path) -> None:
    file = tmp_path / "status.json"
    assert status.read(file) is None
    reported: list[Status] = []

    def report(state: Status) -> None:
        reported.append(state)
        status.writer(file)(state)

    watcher = ChampionWatcher(world, ModelCache(world.load), 30, report)

    def look() -> Status | None:
        for _ in range(3):
            watcher.look()
        return status.read(file)

    missing = look()
    assert missing is not None
    assert missing.code == Code.NO_VERSION
    world.champion_now = champion("one")
    assert look() == Status(Code.SERVING, "", "one")
    world.away = True
    assert look() == Status(Code.LEDGER_AWAY, "The ledger is away.")
    world.away = False
    assert look() == Status(Code.SERVING, "", "one")
    world.broken, world.champion_now = {"two"}, champion("two")
    assert look() == Status(Code.REFUSED, "two was altered.", "two")
    world.champion_now = champion("one")
    assert look() == Status(Code.SERVING, "", "one")
    assert len(reported) == 6


def test_a_state_that_cannot_be_written_keeps_nobody_from_serving(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    status.writer(tmp_path / "file" / "status.json")(Status(Code.SERVING))
    assert "Expected to write" in caplog.text
    status.writer(None)(Status(Code.SERVING))


def test_a_ledger_that_is_away_changes_nothing_and_is_logged_once(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    watcher = follow(world)
    world.champion_now = champion("one")
    watcher.look()
    world.away = True
    with caplog.at_level(logging.ERROR):
        for _ in range(5):
            watcher.look()
    assert serving(watcher) == "one"
    assert [record.message for record in caplog.records] == [
        "The service goes on with newsloop@one one: The ledger is away."
    ]
    world.away = False
    world.champion_now = champion("two")
    watcher.look()
    assert serving(watcher) == "two"


def test_a_broken_bundle_leaves_the_old_one_serving(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    watcher = follow(world)
    world.champion_now = champion("one")
    watcher.look()
    world.broken = {"two"}
    world.champion_now = champion("two")
    with caplog.at_level(logging.ERROR):
        for _ in range(7):
            watcher.look()
    assert serving(watcher) == "one"
    assert len(caplog.records) == 1
    assert "two was altered" in caplog.text
    # Tried again, but ever more rarely: looks 1 and 3, then every third.
    assert world.loads == ["one", "two", "two", "two"]
    world.broken = set()
    for _ in range(3):
        watcher.look()
    assert serving(watcher) == "two"


def test_after_a_broken_bundle_another_one_is_tried_at_once(world: World) -> None:
    watcher = follow(world, seconds=1)
    world.broken = {"one"}
    world.champion_now = champion("one")
    for _ in range(9):
        watcher.look()
    assert serving(watcher) is None
    world.champion_now = champion("two")
    watcher.look()
    assert serving(watcher) == "two"


def test_the_way_back_loads_nothing_while_the_old_one_is_kept(world: World) -> None:
    now = [0.0]
    model_cache = ModelCache(world.load, 10, lambda: now[0])
    watcher = ChampionWatcher(world, model_cache, 30)
    for second, name, kept, loads in [
        (0, "one", {"one"}, 1),
        (5, "two", {"one", "two"}, 2),
        (14, "two", {"one", "two"}, 2),
        (14, "one", {"one", "two"}, 2),  # the way back
        (23, "one", {"one", "two"}, 2),
        (25, "one", {"one"}, 2),  # 11 s after its last answer, "two" is gone
        (26, "two", {"one", "two"}, 3),
    ]:
        now[0], world.champion_now = second, champion(name)
        watcher.look()
        assert (serving(watcher), model_cache.names, len(world.loads)) == (name, kept, loads)


def test_a_bundle_is_kept_while_anybody_uses_it(world: World) -> None:
    model_cache = ModelCache(world.load)
    assert model_cache.use("champion", "one") is model_cache.use("challenger", "one")
    model_cache.release("challenger")
    model_cache.tidy()
    assert model_cache.names == {"one"}
    model_cache.use("champion", "two")
    model_cache.tidy()
    assert model_cache.names == {"two"}
    assert world.loads == ["one", "two"]


def test_the_cache_keeps_no_reference_to_a_bundle_that_is_gone(world: World) -> None:
    class Loaded:
        pass

    def load(name: str) -> Any:
        loaded = Loaded()
        seen.append(weakref.ref(loaded))
        return loaded

    seen: list[weakref.ref[Loaded]] = []
    model_cache = ModelCache(load)
    model_cache.use("champion", "one")
    model_cache.use("champion", "two")
    model_cache.tidy()
    assert [ref() is None for ref in seen] == [True, False]


def test_the_thread_survives_what_nobody_foresaw(world: World) -> None:
    def load(name: str) -> Any:
        world.loads.append(name)
        if len(world.loads) == 1:
            raise RuntimeError("out of memory")
        loaded.append(name)
        watcher._stop.set()
        return SimpleNamespace(name=name, facts={}, card="# Card\n")

    loaded: list[str] = []
    world.champion_now = champion("one")
    watcher = ChampionWatcher(world, ModelCache(load), 0.01)
    watcher.start()
    watcher._thread.join(10)
    assert loaded == ["one"]
    watcher.close()


@pytest.mark.parametrize(
    ("version", "title"),
    [(None, "0123456789ab"), ({"tag": "newsloop@v3.0.0"}, "newsloop@v3.0.0 0123456789ab")],
)
def test_title(version: dict[str, Any] | None, title: str) -> None:
    bundle: Any = SimpleNamespace(name="0123456789abcdef", facts={}, card="# Card\n")
    assert Served(bundle, version).title == title
    told = Served(bundle, version).describe()
    assert told.tag == (version or {}).get("tag")
    assert str(told.card).startswith("# Card\n\n## Energy\n\nNot known")
