"""Row 28: bad traffic is not learned from; small drift is found; labels are counted once."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from components.core.ledger import PREDICTIONS, TEXTS, WINDOWS
from components.core.ledger import windows as ledger_windows
from tests.watched import NOW, WATERMARK, World


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World.make(tmp_path)
    yield world
    world.ledger.close()


def findings(world: World) -> list[str]:
    rows = world.ledger.query(sa.select(WINDOWS).order_by(WINDOWS.c.seq))
    return [row["verdict"] for row in rows]


def test_a_flood_from_one_source_calls_a_person_and_is_not_learned(world: World) -> None:
    world.label(WATERMARK)
    world.serve(120)
    world.ledger.execute(sa.update(PREDICTIONS).values(source="desk"))
    assert world.run().drift.verdict.finding == "none"
    world.serve(120, shift=2.0)
    flood = sa.update(PREDICTIONS).where(PREDICTIONS.c.source.is_(None))
    world.ledger.execute(flood.values(source="crawler"))
    world.ledger.add_labels(((f"{i:032x}", "b") for i in range(WATERMARK + 60)), NOW)
    outcome = world.run(hours=1)
    assert outcome.drift.verdict.finding == "bad data"
    assert "100% of the texts come from the source crawler" in outcome.decision.reasons[0]
    assert (outcome.decision.verdict, outcome.requests()) == ("alert", [])
    world.serve(120)  # the flood is over: the next window is judged by itself
    world.ledger.execute(flood.values(source="desk"))
    assert world.run(hours=2).drift.verdict.finding == "none"
    assert findings(world) == ["none", "bad data", "none"]


def test_texts_that_the_scrubber_lost_are_no_pass(world: World) -> None:
    world.serve(150)
    lost = sa.select(PREDICTIONS.c.id).where(PREDICTIONS.c.seq <= 30)
    world.ledger.execute(sa.update(TEXTS).where(TEXTS.c.prediction_id.in_(lost)).values(text=None))
    outcome = world.run()
    assert (outcome.state, outcome.drift.verdict.finding) == ("unvalidated", "cannot say")
    assert "lost 30 of 150 texts" in outcome.decision.reasons[0]


def test_small_drift_is_found_in_many_windows_together(world: World) -> None:
    world.serve(150)
    assert world.run().drift.verdict.finding == "none"
    for hour in range(1, 13):
        world.serve(100, shift=0.35)
        outcome = world.run(hour)
        if outcome.drift.verdict.finding == "drift":
            break
    assert outcome.drift.verdict.finding == "drift"
    assert outcome.seen.looked_back > outcome.window.rows
    assert "predictions together" in outcome.decision.reasons[0]


def test_labels_that_the_queue_asked_for_do_not_count_as_accuracy(world: World) -> None:
    world.serve(120)
    ids = [row["id"] for row in world.ledger.query(sa.select(PREDICTIONS).limit(20))]
    said = {row["id"]: row["label"] for row in world.ledger.query(sa.select(PREDICTIONS))}
    world.ledger.add_labels(((id_, said[id_]) for id_ in ids[:10]), NOW)
    world.ledger.add_labels(((id_, "neither") for id_ in ids[10:]), NOW, ledger_windows.QUEUE)
    outcome = world.run()
    assert [(one.labelled, one.accuracy.value) for one in outcome.accuracy] == [(10, 1.0)]
    world.ledger.add_labels([(ids[0], "neither")], NOW + timedelta(days=3))  # somebody corrects
    assert [one.accuracy.value for one in world.run(hours=1).accuracy] == [0.9]
