"""Rows 28 and 29: too little to judge is never a pass; drift that comes and goes retrains seldom.

Row 32 for monitoring: the same windows whatever the clock and its zone say.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa

from components.core.ledger import WINDOWS
from monitoring import monitor
from tests.watched import NOW, WATERMARK, Reader, World

HOURS = 24  # a day; each policy would have asked once more than it may


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World.make(tmp_path)
    yield world
    world.ledger.close()


@pytest.mark.parametrize("rows", [0, 1, 99])
def test_too_few_rows_cannot_be_judged_and_never_pass(world: World, rows: int) -> None:
    world.serve(rows, shift=5.0)
    world.label(min(rows, 99))
    outcome = world.run()
    assert outcome.drift.verdict.finding == "cannot say"
    assert outcome.decision.verdict == "wait"
    assert f"{rows} predictions wait, and 100 are needed" in outcome.decision.reasons[0]
    assert "no pass" in outcome.decision.reasons[-1]
    assert [row["verdict"] for row in world.ledger.query(sa.select(WINDOWS))] == ["cannot say"]
    world.serve(100 - rows, shift=5.0)
    assert world.run().drift.verdict.finding == "drift"


def test_drift_without_labels_calls_a_person(world: World) -> None:
    world.serve(100, shift=5.0)
    outcome = world.run()
    assert (outcome.decision.verdict, outcome.requests()) == ("alert", [])
    assert "must label 50 more" in outcome.decision.reasons[-1]


@pytest.mark.parametrize(
    ("taken_up", "of_windows", "most"),
    [(True, (1, 1), 2), (False, (1, 1), 1), (True, (3, 4), 0), (True, (3, 24), 2)],
    ids=["taken up", "events lost", "three of four", "default policy"],
)
def test_drift_that_comes_and_goes_hourly_retrains_once_a_cooldown(
    world: World, taken_up: bool, of_windows: tuple[int, int], most: int
) -> None:
    world.govern(drifted_windows=of_windows[0], last_windows=of_windows[1])
    world.serve(100)
    world.label(WATERMARK + 60)
    asked: list[datetime] = []
    findings = set()
    for hour in range(HOURS):
        world.serve(100, shift=5.0 * (hour % 2))
        outcome = world.run(hour, draw=False)
        findings.add(outcome.drift.verdict.finding)
        if outcome.decision.verdict == "retrain":
            asked.append(NOW + timedelta(hours=hour))
        for decision_id, _ in outcome.requests():
            if taken_up:
                assert world.ledger.claim(decision_id, "run", NOW)
    assert findings == {"drift", "none"}
    cooldown = timedelta(hours=world.params.governor.cooldown_hours)
    assert len(asked) == most
    assert all(later - earlier >= cooldown for earlier, later in pairwise(asked))


ZONES = ["UTC", "Europe/Berlin", "Pacific/Chatham", "America/New_York"]
# Berlin's clocks go forward at 01:00 UTC on this day, New York's had three weeks before; then
# somebody sets the clock back two hours. In October Berlin has the hour of 00:30 UTC twice.
TIMES = [
    *(datetime(2026, 3, 29, hour, 30, tzinfo=UTC) for hour in (0, 1, 2, 0)),
    *(datetime(2026, 10, 25, hour, 30, tzinfo=UTC) for hour in (0, 1)),
]


@pytest.fixture
def process_zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The time zone of this process, as the variable TZ sets it."""
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield request.param
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize("process_zone", ZONES, indirect=True)
def test_windows_do_not_go_by_the_clock(world: World, process_zone: str) -> None:
    assert (
        datetime(2026, 7, 1).astimezone().utcoffset()
        == datetime(2026, 7, 1, tzinfo=ZoneInfo(process_zone)).utcoffset()
    )  # the process has the zone
    windows = []
    for i, moment in enumerate(TIMES):
        world.serve(100)
        outcome = monitor.run(
            world.params, world.paths, moment.astimezone(ZoneInfo(process_zone)), world.ledger,
            Reader, draw=i == len(TIMES) - 1,
        )  # fmt: skip
        windows.append((outcome.window.after, outcome.window.until))
    assert windows == [(100 * i, 100 * (i + 1)) for i in range(len(TIMES))]
    assert outcome.page is not None
    assert outcome.page.name.startswith("20261025T013000Z-")
    rows = world.ledger.query(sa.select(WINDOWS.c.time).order_by(WINDOWS.c.seq))
    assert [row["time"] for row in rows] == TIMES
