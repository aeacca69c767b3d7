"""Rows 4, 5, 6, 26 and 30: one training however often it is asked for, dead runs, open circuits."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from components.core.errors import Busy, GateRefused, LedgerError, SourceError
from components.core.ledger import OUTCOMES, RUNS
from components.core.ledger import decisions as ledger_decisions
from components.core.ledger.verdicts import RunOutcome
from components.core.params.sources import Source
from components.sources.feedback import FeedbackReader
from flows import notify, retrain_requests
from flows.dvc import workspace
from monitoring import governor_inputs
from monitoring.governor import GovernorDecision, WindowVerdict, decide
from tests.watched import NOW, WATERMARK, World

TRIGGERS = 20


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """With labels enough to retrain."""
    world = World.make(tmp_path)
    world.serve(100)
    world.label(WATERMARK + 60)
    yield world
    world.ledger.close()


def hour(hours: float) -> Any:
    return NOW + timedelta(hours=hours)


def drift(world: World, hours: float) -> tuple[GovernorDecision, list[str]]:
    """What monitoring does about a drifted window: the decision, and the requests it makes."""
    champion, decision_id = world.ledger.champion(), uuid.uuid4().hex
    assert champion is not None
    at_work = retrain_requests.at_work(world.paths)
    policy = world.params.governor
    past = governor_inputs.gather(world.ledger, champion, policy, hour(hours), at_work=at_work)
    decision = decide(WindowVerdict("drift"), past.history, policy, hour(hours))
    row = {"id": decision_id, "kind": "governor", "time": hour(hours), "verdict": decision.verdict}
    details = {"bundle": champion.bundle, "world_moved": decision.moved}
    world.ledger.add_decision({**row, "reasons": decision.reasons, "details": details})
    lost = past.lost(hour(hours), policy)
    asked = [decision_id] if decision.verdict == "retrain" else []
    return decision, [*([lost[0]] if lost else []), *asked]


def outcomes(world: World) -> list[str]:
    rows = world.ledger.query(sa.select(OUTCOMES.c.outcome).order_by(OUTCOMES.c.seq))
    return [row["outcome"] for row in rows]


def learn(world: World, decision_id: str | None, run: str, hours: float) -> str:
    """What flows/learning.py does, with a training that always works."""
    ledger, paths = world.ledger, world.paths
    try:
        with workspace.alone(paths):
            decision_id, instead = retrain_requests.take_up(
                ledger, world.params, decision_id, "a test", run, hour(hours)
            )
            outcome = instead or "released"
            ledger_decisions.end(ledger, run, decision_id, outcome, hour(hours))
    except Busy:
        outcome = RunOutcome.MERGED
        ledger_decisions.end(ledger, run, decision_id, outcome, hour(hours))
    return outcome


@pytest.mark.parametrize("at_once", [1, TRIGGERS], ids=["one after another", "at once"])
def test_twenty_triggers_make_one_training(world: World, at_once: int) -> None:
    _, (decision_id,) = drift(world, 0)
    with ThreadPoolExecutor(at_once) as pool:
        found = list(
            pool.map(lambda i: learn(world, decision_id, f"run {i}", 0.1), range(TRIGGERS))
        )
    assert sorted(found) == ["merged"] * (TRIGGERS - 1) + ["released"]
    assert sorted(outcomes(world)) == sorted(found)
    assert len(world.ledger.query(sa.select(RUNS))) == 1


def test_requests_overtaken_by_a_run_that_saw_their_data_are_merged(world: World) -> None:
    champion = world.ledger.champion()
    assert champion is not None
    ids = [
        retrain_requests.decide(world.ledger, world.params, champion, hour(i / 60), "person", "x")[
            0
        ]
        for i in range(3)
    ]
    assert [learn(world, one, one, 1 + i) for i, one in enumerate(ids)] == [
        "released", "merged", "merged",
    ]  # fmt: skip
    # Asked for later, it has data that no run has seen.
    later, _ = retrain_requests.decide(world.ledger, world.params, champion, hour(9), "person", "x")
    assert learn(world, later, later, 10) == "released"


def test_schedules_mind_a_retraining_of_just_now(world: World) -> None:
    assert learn(world, None, "first", 0) == "released"
    assert learn(world, None, "second", 1) == "held back"
    assert learn(world, None, "third", 7) == "released"
    verdicts = [row["verdict"] for row in ledger_decisions.story(world.ledger, 9)]
    assert verdicts == ["retrain", "wait", "retrain"]


def test_a_dead_run_is_buried_and_a_living_one_is_not(world: World) -> None:
    _, (decision_id,) = drift(world, 0)
    with workspace.alone(world.paths):
        retrain_requests.take_up(world.ledger, world.params, decision_id, "x", "run", hour(0.1))
        assert retrain_requests.bury(world.ledger, world.paths, hour(1)) == []
        assert retrain_requests.at_work(world.paths)
    # The lock went with the process; nobody wrote how it ended.
    dead = retrain_requests.bury(world.ledger, world.paths, hour(1))
    assert [row["flow_run"] for row in dead] == ["run"]
    assert retrain_requests.bury(world.ledger, world.paths, hour(2)) == []
    assert outcomes(world) == ["crashed"]
    # The next one works: drift after the cooldown asks again, and is taken up.
    _, (again,) = drift(world, 7)
    assert again != decision_id
    assert learn(world, again, "next", 7.1) == "released"


@pytest.mark.parametrize("events", [0, 1, 2], ids=["lost", "late", "twice"])
def test_a_lost_event_retrains_exactly_once(world: World, events: int) -> None:
    _, (decision_id,) = drift(world, 0)
    asked = [one for hours in (1, 2) for one in drift(world, hours)[1]]
    assert asked == [decision_id] * 2  # nobody has taken it up
    runs = [decision_id] * (events + len(asked))
    found = [learn(world, one, f"run {i}", 2.1) for i, one in enumerate(runs)]
    assert found.count("released") == 1
    assert drift(world, 3)[1] == []


@pytest.mark.parametrize(
    "error", [GateRefused("x"), SourceError("x"), RuntimeError("x")], ids=lambda e: type(e).__name__
)
def test_three_failures_open_the_circuit(world: World, error: Exception) -> None:
    world.govern(per_day=9)
    champion = world.ledger.champion()
    for i in range(3):
        _, (decision_id,) = drift(world, 7 * i)
        with workspace.alone(world.paths):
            run = f"run {i}"
            retrain_requests.take_up(
                world.ledger, world.params, decision_id, "x", run, hour(7 * i + 0.1)
            )
            kind, details = retrain_requests.failure(error)
            ledger_decisions.end(world.ledger, run, decision_id, kind, hour(7 * i + 0.2), details)
    assert drift(world, 21)[0].rule == "circuit"
    notify.tell([], world.params, world.paths, world.ledger, hour(21))
    assert "circuit open" in {row["kind"] for row in ledger_decisions.alerts(world.ledger)}
    assert learn(world, None, "schedule", 21) == "held back"
    assert world.ledger.champion() == champion
    # Time closes it for one try; if that fails it is open again, and a good one closes it.
    assert drift(world, 14.2 + 24)[0].verdict == "retrain"
    ledger_decisions.end(world.ledger, "again", None, "failed", hour(38.5))
    assert drift(world, 46)[0].rule in ("circuit", "under_way")
    assert len(ledger_decisions.failures(world.ledger)) == 4
    ledger_decisions.end(world.ledger, "good", None, "released", hour(47))
    assert ledger_decisions.failures(world.ledger) == ()


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(143)], ids=["Ctrl-C", "TERM"])
def test_a_run_that_a_person_ended_is_no_failure(world: World, error: BaseException) -> None:
    ledger_decisions.end(world.ledger, "run", None, retrain_requests.failure(error)[0], NOW)
    assert (outcomes(world), ledger_decisions.failures(world.ledger)) == (["interrupted"], ())


def test_a_person_closes_the_circuit(world: World) -> None:
    for i in range(3):
        ledger_decisions.end(world.ledger, f"run {i}", None, "failed", hour(i))
    assert len(ledger_decisions.failures(world.ledger)) == 3
    row = {"id": "c" * 32, "kind": "circuit", "time": hour(4), "verdict": "closed"}
    world.ledger.add_decision({**row, "reasons": ["mended"], "details": {}})
    assert ledger_decisions.failures(world.ledger) == ()


def test_a_person_waits_for_what_is_asked_for(world: World) -> None:
    retrain_requests.ask_as_person(world.ledger, world.params, NOW, "a whim")
    with pytest.raises(LedgerError, match="asked for already"):
        retrain_requests.ask_as_person(world.ledger, world.params, NOW, "another")


def test_predictions_of_the_model_are_no_labels(tmp_path: Path) -> None:
    """Row 26: only what people said is learned from, and nothing that they did not judge."""
    world = World.make(tmp_path)
    world.serve(100)
    limits = world.params.ingest.limits.model_dump()
    source = Source.model_validate({"name": "f", "kind": "feedback", "limits": limits})
    reader = FeedbackReader(source, world.paths)
    assert list(reader.read(reader.pin())) == []
    world.label(3)
    assert len(list(reader.read(reader.pin()))) == 3
    world.ledger.close()
