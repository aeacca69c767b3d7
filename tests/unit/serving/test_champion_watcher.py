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
from serving.models.champion_watcher import Follower, Served
from serving.models.model_cache import Shelf
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


def follow(world: World, seconds: float = 30) -> Follower:
    return Follower(world, Shelf(world.load), seconds)


def serving(follower: Follower) -> str | None:
    return follower.current.bundle.name if follower.current else None


def test_it_serves_whoever_is_champion(world: World) -> None:
    follower = follow(world)
    for name, expected in [(None, None), ("one", "one"), ("one", "one"), ("two", "two")]:
        world.champion_now = champion(name) if name else None
        follower.look()
        assert serving(follower) == expected
    assert world.loads == ["one", "two"]  # and loads each once


def test_a_swap_replaces_and_never_changes(world: World) -> None:
    follower = follow(world)
    world.champion_now = champion("one")
    follower.look()
    before = follower.current
    world.champion_now = champion("two")
    follower.look()
    assert before is not None
    assert before.title == "newsloop@one one"
    assert follower.current is not before


def test_the_same_bundle_deployed_anew_is_not_loaded_again(world: World) -> None:
    follower = follow(world)
    world.champion_now = champion("one", "release")
    follower.look()
    world.champion_now = champion("one", "rollback")
    follower.look()
    assert follower.current is not None
    assert follower.current.describe().reason == "rollback"
    assert world.loads == ["one"]


def test_each_new_state_is_reported_once_with_its_code(world: World, tmp_path: Path) -> None:
    file = tmp_path / "status.json"
    assert status.read(file) is None
    reported: list[Status] = []

    def report(state: Status) -> None:
        reported.append(state)
        status.writer(file)(state)

    follower = Follower(world, Shelf(world.load), 30, report)

    def look() -> Status | None:
        for _ in range(3):
            follower.look()
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
    follower = follow(world)
    world.champion_now = champion("one")
    follower.look()
    world.away = True
    with caplog.at_level(logging.ERROR):
        for _ in range(5):
            follower.look()
    assert serving(follower) == "one"
    assert [record.message for record in caplog.records] == [
        "The service goes on with newsloop@one one: The ledger is away."
    ]
    world.away = False
    world.champion_now = champion("two")
    follower.look()
    assert serving(follower) == "two"


def test_a_broken_bundle_leaves_the_old_one_serving(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    follower = follow(world)
    world.champion_now = champion("one")
    follower.look()
    world.broken = {"two"}
    world.champion_now = champion("two")
    with caplog.at_level(logging.ERROR):
        for _ in range(7):
            follower.look()
    assert serving(follower) == "one"
    assert len(caplog.records) == 1
    assert "two was altered" in caplog.text
    # Tried again, but ever more rarely: looks 1 and 3, then every third.
    assert world.loads == ["one", "two", "two", "two"]
    world.broken = set()
    for _ in range(3):
        follower.look()
    assert serving(follower) == "two"


def test_after_a_broken_bundle_another_one_is_tried_at_once(world: World) -> None:
    follower = follow(world, seconds=1)
    world.broken = {"one"}
    world.champion_now = champion("one")
    for _ in range(9):
        follower.look()
    assert serving(follower) is None
    world.champion_now = champion("two")
    follower.look()
    assert serving(follower) == "two"


def test_the_way_back_loads_nothing_while_the_old_one_is_kept(world: World) -> None:
    now = [0.0]
    shelf = Shelf(world.load, 10, lambda: now[0])
    follower = Follower(world, shelf, 30)
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
        follower.look()
        assert (serving(follower), shelf.names, len(world.loads)) == (name, kept, loads)


def test_a_bundle_is_kept_while_anybody_uses_it(world: World) -> None:
    shelf = Shelf(world.load)
    assert shelf.use("champion", "one") is shelf.use("challenger", "one")
    shelf.release("challenger")
    shelf.tidy()
    assert shelf.names == {"one"}
    shelf.use("champion", "two")
    shelf.tidy()
    assert shelf.names == {"two"}
    assert world.loads == ["one", "two"]


def test_the_cache_keeps_no_reference_to_a_bundle_that_is_gone(world: World) -> None:
    class Loaded:
        pass

    def load(name: str) -> Any:
        loaded = Loaded()
        seen.append(weakref.ref(loaded))
        return loaded

    seen: list[weakref.ref[Loaded]] = []
    shelf = Shelf(load)
    shelf.use("champion", "one")
    shelf.use("champion", "two")
    shelf.tidy()
    assert [ref() is None for ref in seen] == [True, False]


def test_the_thread_survives_what_nobody_foresaw(world: World) -> None:
    def load(name: str) -> Any:
        world.loads.append(name)
        if len(world.loads) == 1:
            raise RuntimeError("out of memory")
        loaded.append(name)
        follower._stop.set()
        return SimpleNamespace(name=name, facts={}, card="# Card\n")

    loaded: list[str] = []
    world.champion_now = champion("one")
    follower = Follower(world, Shelf(load), 0.01)
    follower.start()
    follower._thread.join(10)
    assert loaded == ["one"]
    follower.close()


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
