"""A whole monitoring run, with a real ledger and a signed bundle without a model."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from components.core import bundle, ledger, params
from components.core.errors import BundleError, LedgerError
from components.core.ledger import DECISIONS, RUNS, WINDOWS, Ledger
from components.core.metrics import Interval
from components.core.paths import Paths
from monitoring import monitor, signal_names
from monitoring.accuracy_estimate import Decay
from monitoring.drift import Drift
from monitoring.governor import WindowVerdict
from monitoring.window_evaluation import Estimate, Seen
from tests.watched import NOW, WATERMARK, Reader, World, sample


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World.make(tmp_path)
    yield world
    world.ledger.close()


def test_no_champion(tmp_path: Path) -> None:
    paths = Paths(tmp_path, tmp_path / "home")
    book = Ledger(ledger.url(paths.ledger))
    with pytest.raises(LedgerError, match="newsloop run"):
        monitor.run(params.load(Paths.find().params), paths, NOW, book)
    book.close()


def test_no_drift_waits_and_is_written_down(world: World) -> None:
    world.serve(150)
    outcome = world.run()
    assert outcome.drift.verdict.finding == "none"
    assert (outcome.decision.verdict, outcome.requests()) == ("wait", [])
    window, decision = (world.ledger.query(sa.select(t))[0] for t in (WINDOWS, DECISIONS))
    assert (window["after"], window["until"], window["rows"]) == (0, 150, 150)
    assert (window["verdict"], window["bundle"], window["time"]) == ("none", world.bundle, NOW)
    assert (decision["id"], decision["kind"]) == (outcome.decision_id, "governor")
    assert (decision["verdict"], decision["reasons"]) == ("wait", outcome.decision.reasons)
    details = decision["details"]
    assert (details["after"], details["until"]) == (0, 150)
    assert [s["name"] for s in details["signals"]] == sample(1, 0).columns
    page = Path(details["report"])
    assert page == outcome.page
    assert page.parent == world.paths.monitoring_reports
    assert page.name == f"20260105T030000Z-{outcome.decision_id[:8]}.html"
    assert "Drift of newsloop@v1.0.0, 2026-01-05 03:00 UTC" in page.read_text()
    facts = json.loads(page.with_suffix(".json").read_text())
    assert facts["decision_id"] == outcome.decision_id
    assert len(facts["evidently"]["metrics"]) == 5
    again = world.run()
    assert (again.window.rows, again.drift.verdict.finding) == (0, "cannot say")


def test_few_rows_accumulate(world: World) -> None:
    for served, consumed in ((60, False), (60, True), (60, False)):
        world.serve(served)
        outcome = world.run()
        assert (outcome.drift.verdict.finding != "cannot say") is consumed
    rows = world.ledger.query(sa.select(WINDOWS).order_by(WINDOWS.c.seq))
    assert [(row["after"], row["until"], row["rows"]) for row in rows] == [
        (0, 0, 60), (0, 120, 120), (120, 120, 60),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("labels", "verdict", "says"),
    [
        (WATERMARK, "alert", "There are 0 labels"),
        (WATERMARK + 49, "alert", "There are 49 labels"),
        (WATERMARK + 50, "retrain", "There are 50 labels"),
    ],
)
def test_only_labels_after_the_watermark_count(
    world: World, labels: int, verdict: str, says: str
) -> None:
    world.serve(150, shift=2.0)
    world.label(labels)
    outcome = world.run()
    assert [s.name for s in outcome.drift.signals if s.drifted] == ["feature_0"]
    assert outcome.decision.verdict == verdict
    assert says in outcome.decision.reasons[-1]
    asked = [outcome.decision_id] if verdict == "retrain" else []
    assert [decision_id for decision_id, _ in outcome.requests()] == asked


def test_as_dict_is_json_and_lines_show_every_signal(world: World) -> None:
    world.serve(150, shift=2.0)
    outcome = world.run()
    plain = json.loads(json.dumps(outcome.as_dict()))
    assert (plain["verdict"], plain["drift"]) == ("alert", "drift")
    assert (plain["decision_id"], plain["report"]) == (outcome.decision_id, str(outcome.page))
    text = "\n".join(plain["lines"])
    for name in sample(1, 0).columns:
        assert f"\n{signal_names.column(name)} " in text
    assert "sequence numbers 1 to 150: drift" in text


def test_a_lost_request_is_made_again_until_a_run_takes_it_up(world: World) -> None:
    world.serve(150, shift=2.0)
    world.label(100)
    first = world.run()
    assert [decision_id for decision_id, _ in first.requests()] == [first.decision_id]
    assert world.run(hours=0.05).requests() == []  # 3 minutes: it may still come
    for hours in (1, 2):
        again = world.run(hours)
        assert again.requests() == [(first.decision_id, " ".join(first.decision.reasons))]
        assert first.decision_id in "\n".join(again.lines())
    row = {"decision_id": first.decision_id, "flow_run": "r", "time": NOW}
    world.ledger.insert(RUNS, [row])
    assert world.run(hours=3).requests() == []


def test_drift_after_a_lost_request_repeats_it_and_makes_no_other(world: World) -> None:
    world.serve(150, shift=2.0)
    world.label(100)
    first = world.run()
    world.serve(150, shift=2.0)
    second = world.run(hours=7)
    assert (second.decision.verdict, second.decision.rule) == ("wait", "under_way")
    assert [decision_id for decision_id, _ in second.requests()] == [first.decision_id]


def test_nothing_is_asked_for_while_a_run_is_at_work(world: World) -> None:
    world.serve(150, shift=2.0)
    world.label(100)
    outcome = monitor.run(world.params, world.paths, NOW, world.ledger, Reader, at_work=True)
    assert (outcome.decision.verdict, outcome.decision.rule) == ("wait", "under_way")
    assert outcome.requests() == []


def test_so_many_windows_must_drift(world: World) -> None:
    world.govern(drifted_windows=2, last_windows=3)
    world.serve(100)
    world.label(100)
    rules = []
    for hours, shift in enumerate([5.0, 0.0, 0.0, 5.0, 5.0]):
        world.serve(100, shift)
        rules.append(world.run(hours).decision.rule)
    assert rules == ["too_few_windows", "no_reason", "no_reason", "too_few_windows", "monitoring"]


def test_a_new_champion_overtakes_a_lost_request(world: World) -> None:
    world.serve(150, shift=2.0)
    world.label(100)
    world.run()
    world.release(version=2)
    outcome = world.run(hours=1)
    assert (outcome.requests(), outcome.window.rows) == ([], 0)


def test_an_altered_bundle_is_refused(world: World) -> None:
    world.serve(150)
    folder = world.paths.bundles / world.bundle
    (folder / bundle.REFERENCE).write_bytes(b"other")
    with pytest.raises(BundleError, match=r"reference\.parquet"):
        world.run()
    assert world.ledger.query(sa.select(WINDOWS)) == []


def test_another_bundle_under_the_name_is_refused(world: World) -> None:
    first = world.bundle
    world.release(version=2)
    second = world.paths.bundles / world.bundle
    (world.paths.bundles / first).rename(world.paths.bundles / "away")
    second.rename(world.paths.bundles / first)
    (world.paths.bundles / "away").rename(second)
    with pytest.raises(BundleError, match=first[:12]):
        world.run()


def test_a_run_killed_before_the_ledger_is_repeated(world: World) -> None:
    world.serve(150, shift=2.0)

    class Killed(Ledger):
        def add_window(self, window: dict[str, object], decision: dict[str, object]) -> None:
            raise KeyboardInterrupt

    dying = dataclasses.replace(world, ledger=Killed(ledger.url(world.paths.ledger)))
    with pytest.raises(KeyboardInterrupt):
        dying.run()
    dying.ledger.close()
    assert world.ledger.query(sa.select(DECISIONS)) == []
    outcome = world.run()
    assert (outcome.window.after, outcome.window.until) == (0, 150)
    assert outcome.drift.verdict.finding == "drift"


def test_the_window_and_its_decision_come_together_or_not_at_all(world: World) -> None:
    world.serve(150)
    world.run()
    window = world.ledger.query(sa.select(WINDOWS.c["time", "bundle", "rows", "details"]))[0]
    decision = {"kind": "governor", "time": NOW, "verdict": "wait", "reasons": [], "details": {}}
    span = {"after": 0, "until": 150, "verdict": "none"}
    with pytest.raises(LedgerError, match="judged the same"):
        world.ledger.add_window(window | span, decision | {"id": "1" * 32})
    taken = world.ledger.decisions("governor")[0]["id"]
    span = {"after": 150, "until": 160, "verdict": "none"}
    with pytest.raises(LedgerError):
        world.ledger.add_window(window | span, decision | {"id": taken})
    assert len(world.ledger.query(sa.select(WINDOWS))) == 1
    assert len(world.ledger.query(sa.select(DECISIONS))) == 1


def test_old_pages_go_their_numbers_stay(world: World) -> None:
    few = world.params.monitor.model_copy(update={"keep_pages": 2})
    world.params = world.params.model_copy(update={"monitor": few})
    pages = []
    for hours in range(3):
        world.serve(100)
        pages.append(world.run(hours).page)
    folder = world.paths.monitoring_reports
    assert sorted(folder.glob("*.html")) == pages[1:]
    assert len(list(folder.glob("*.json"))) == 3


@pytest.mark.parametrize("trusted", [True, False])
def test_an_estimate_counts_by_both_ends_of_its_interval_if_it_is_to_be_trusted(
    world: World, *, trusted: bool
) -> None:
    champion = world.ledger.champion()
    assert champion is not None
    champion = dataclasses.replace(champion, metrics={"accuracy": {"value": 0.95}})
    estimate = Estimate(Interval(0.93, 0.8, 1.0), Interval(0.02, 0.01, 0.04), trusted, {})
    seen = Seen(Drift(WindowVerdict("drift")), {}, estimate=estimate)
    decay = Decay(NOW, 0.95, 0.8)
    found = monitor.with_accuracy(WindowVerdict("drift"), seen, decay, champion)
    expected = (0.01, 0.04) if trusted else (None, None)
    assert (found.estimated_drop, found.estimated_most) == pytest.approx(expected)
    assert found.real_drop == pytest.approx(0.15)
