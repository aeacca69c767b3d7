"""Drills: each makes a trouble on the real stack in a sandbox, and sees whether a promise is kept.

What a drill finds is a list of promises, each kept or broken. They play on sandbox/scenario.py.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from datetime import UTC, datetime

import polars as pl
import psutil
import sqlalchemy as sa

from components.core import params as parameters
from components.core import tables
from components.core.errors import DrillFailed, UsageError
from components.core.ledger import PREDICTIONS, RUNS, Ledger
from components.core.ledger.decisions import GOOD
from components.core.ledger.verdicts import (
    DecisionKind,
    GateVerdict,
    GovernorVerdict,
    RunOutcome,
)
from components.core.params import Params, edit
from components.core.paths import Paths
from flows import stack
from flows.sandbox import Sandbox, Traffic, raw_texts, send, wait
from flows.sandbox.scenario import (
    PART,
    SETTINGS,
    Scene,
    divide,
    stage,
)

Promises = list[tuple[str, bool]]
CRASHED_WITHIN = 90  # seconds until a dead run shows as crashed
_AWAY = 10  # seconds that the database is away
_HEARD = 6  # seconds: longer than an event takes, and than reconcile_minutes below


def drift(scene: Scene) -> Promises:
    """The world moves and people label it: one retraining, released, no request lost."""
    before = scene.serves()
    unseen = scene.send("unseen", labelled=False)
    scene.send("moved", labelled=True)
    runs = scene.runs()
    traffic = Traffic(scene.sandbox.service, scene.parts["still"]["text"].to_list())
    traffic.start()
    try:
        found = scene.monitor()
        asked = found["verdict"] == GovernorVerdict.RETRAIN
        good = asked and scene.ended(found["decision_id"]) == RunOutcome.RELEASED
        after = scene.serves()
    finally:
        traffic.end()
    right = send(scene.client, scene.parts["unseen"])[0]
    scene.timeline.add(f"accuracy on articles that nobody labelled: {unseen:.3f}, then {right:.3f}")
    return [
        ("one retraining is asked for, and released", good and scene.runs() == runs + 1),
        ("the service follows", after != before),
        (f"none of {traffic.answered} requests fails", not traffic.failed),
        ("the new model knows the new world better", right > unseen),
    ]


def bad_model(scene: Scene) -> Promises:
    """A recipe that learns nothing: the gate refuses, the champion serves on."""
    before = scene.serves()
    path = scene.sandbox.root / "params.yaml"
    recipe = path.read_text(encoding="utf-8")
    rates = {f"train.{name}.learning_rate": 1e-9 for name in parameters.load(path).train.candidates}
    edit.set_values(path, {"train.epochs": 1, **rates})
    try:
        done = scene.sandbox.command("run", "--reason", "a drill")
    finally:
        path.write_text(recipe, encoding="utf-8")
    scene.timeline.add(f"newsloop run exits with {done.returncode}: {done.stderr.strip()[-200:]}")
    (gate,) = scene.ledger.decisions(DecisionKind.GATE)
    refused = done.returncode == 1 and gate["verdict"] == GateVerdict.REFUSE
    return [
        ("the gate refuses, in writing", refused),
        ("the champion serves on", scene.serves() == before),
    ]


def bad_data(scene: Scene) -> Promises:
    """Texts that were decoded wrongly: nothing is learned from them, people are told."""
    before, runs, now = scene.serves(), scene.runs(), datetime.now(UTC)
    spoiled = [
        text.encode("utf-8").decode("latin-1").translate({i: i + 0xC0 for i in range(97, 123)})
        for text in scene.parts["still"]["text"].head(PART)
    ]
    scene.parts["spoiled"] = scene.parts["still"].head(PART).with_columns(text=pl.Series(spoiled))
    scene.send("spoiled", labelled=False)
    found = scene.monitor()
    return [
        (
            "no retraining is asked for",
            found["verdict"] != GovernorVerdict.RETRAIN and scene.runs() == runs,
        ),
        ("people are told", scene.told(now)),
        ("the champion serves on", scene.serves() == before),
    ]


def label_outage(scene: Scene) -> Promises:
    """The world moves and nobody labels: no retraining, people are told what is missing."""
    before, runs, now = scene.serves(), scene.runs(), datetime.now(UTC)
    scene.send("outage", labelled=False)
    found = scene.monitor()
    return [
        (
            "no retraining is asked for",
            found["verdict"] == GovernorVerdict.ALERT and scene.runs() == runs,
        ),
        ("people are told how many labels are missing", scene.told(now)),
        ("the champion serves on", scene.serves() == before),
    ]


def lost_event(scene: Scene) -> Promises:
    """The event that asks for a retraining is lost: it is asked for again, and done once."""
    runs = scene.runs()
    automations = scene.sandbox.ask("/automations/filter", {})
    deaf = [one["id"] for one in automations if one["name"] == "retrain on drift"]
    for one in deaf:
        scene.sandbox.ask(f"/automations/{one}", {"enabled": False}, "PATCH")
    scene.timeline.add(f"{len(deaf)} automation is switched off: nobody hears the event")
    scene.send("lost", labelled=True)
    found = scene.monitor()
    time.sleep(_HEARD)
    quiet = scene.runs() == runs
    again = scene.monitor()
    scene.timeline.add(f"reconciliation asks again for {str(again['reconcile'])[:8]}")
    good = again["reconcile"] == found["decision_id"] and scene.ended(again["reconcile"]) in GOOD
    for one in deaf:
        scene.sandbox.ask(f"/automations/{one}", {"enabled": True}, "PATCH")
    scene.monitor()
    return [
        ("the event was lost indeed", found["verdict"] == GovernorVerdict.RETRAIN and quiet),
        ("it is asked for again, and learned from", good),
        ("exactly once", scene.runs() == runs + 1),
    ]


def kill_worker(scene: Scene) -> Promises:
    """Runner and run are killed with -9: the run shows as crashed, the next one works."""
    before, now = scene.serves(), datetime.now(UTC)
    request = scene.sandbox.newsloop("retrain", "--because", "a drill")["decision_id"]

    def at_work() -> str | None:
        where = RUNS.c.decision_id == request
        rows = scene.ledger.query(sa.select(RUNS.c.flow_run).where(where))
        return str(rows[0]["flow_run"]) if rows else None

    wait("the run to begin", at_work)
    run = str(at_work())
    paths = Paths(scene.sandbox.root, scene.sandbox.home)
    runner = stack.find(paths, stack.RUNNER)
    assert runner is not None
    family = [psutil.Process(runner.pid), *psutil.Process(runner.pid).children(recursive=True)]
    for one in family:
        one.kill()
    # One more that never comes to begin: nobody is left who would run it.
    monitoring = scene.sandbox.ask("/deployments/name/monitoring/newsloop", method="GET")["id"]
    taken = {"state": {"type": "PENDING", "name": "Pending"}}
    pending = scene.sandbox.ask(f"/deployments/{monitoring}/create_flow_run", taken)["id"]
    killed = time.monotonic()
    scene.timeline.add(f"the runner and {len(family) - 1} processes below it are killed")

    def shown_dead(one: str) -> bool:
        return bool(scene.sandbox.ask(f"/flow_runs/{one}", method="GET")["state_type"] == "CRASHED")

    def both() -> bool:
        return shown_dead(run) and shown_dead(pending)

    wait("Prefect to show the runs as crashed", both, 3 * CRASHED_WITHIN)
    seconds = time.monotonic() - killed
    scene.timeline.add(f"Prefect shows it, and one not yet begun, as crashed after {seconds:.0f} s")
    scene.sandbox.newsloop("up")
    scene.monitor()
    crashed = scene.ended(request) == RunOutcome.CRASHED
    served = scene.serves() == before
    again = scene.sandbox.newsloop("retrain", "--because", "the drill goes on")["decision_id"]
    return [
        (f"both show as crashed within {CRASHED_WITHIN} s", seconds <= CRASHED_WITHIN),
        ("the ledger says so, and people are told", crashed and scene.told(now)),
        ("the champion serves on", served),
        ("the next run works", scene.ended(again) in GOOD),
    ]


def database_away(scene: Scene) -> Promises:
    """Nobody can write to the ledger for a while: answers go on, and their rows come later."""
    rows = _predictions(scene.ledger)
    holder = sqlite3.connect(scene.sandbox.home / "ledger.sqlite", timeout=30)
    holder.execute("BEGIN EXCLUSIVE")
    scene.timeline.add("somebody holds the ledger for himself")
    traffic = Traffic(scene.sandbox.service, scene.parts["still"]["text"].to_list())
    traffic.start()
    try:
        time.sleep(_AWAY)
    finally:
        traffic.end()
        held = traffic.answered
        holder.rollback()
        holder.close()
    scene.timeline.add(f"after {_AWAY} s it is back; {held} requests were answered meanwhile")
    wait("the predictions to be written", lambda: _predictions(scene.ledger) >= rows + held)
    written = _predictions(scene.ledger) - rows
    return [
        ("every request is answered", held > 0 and not traffic.failed),
        ("every answer is in the ledger, once", written == held),
    ]


def _predictions(ledger: Ledger) -> int:
    count = sa.select(sa.func.count().label("n")).select_from(PREDICTIONS)
    return int(ledger.query(count)[0]["n"])


# In an order in which one does not disturb the next: what drills send, the next window judges.
DRILLS: dict[str, Callable[[Scene], Promises]] = {
    "bad-model": bad_model,
    "label-outage": label_outage,
    "bad-data": bad_data,
    "drift": drift,
    "lost-event": lost_event,
    "kill-worker": kill_worker,
    "database-away": database_away,
}


def run(params: Params, paths: Paths, names: list[str], keep: bool) -> dict[str, Promises]:
    """Runs drills one after the other in one sandbox, and prints what happens.

    Args:
        params, paths: of the project whose ingested articles are used.
        names: of DRILLS.
        keep: leave the sandbox's servers running.

    Returns:
        The promises of each drill.

    Raises:
        UsageError: there is no such drill.
        DrillFailed: a promise was broken.
        NewsloopError: anything on the way failed; the sandbox's servers are ended all the same.
    """
    if unknown := sorted(set(names) - set(DRILLS)):
        raise UsageError(f"Expected some of {', '.join(DRILLS)} or all, got {', '.join(unknown)}.")
    documents = tables.read_table(paths.ingested / "documents.parquet")
    parts = divide(documents, raw_texts(params, paths), params.ingest.labels)
    with stage(Sandbox(paths, "drill", SETTINGS), parts, keep=keep) as scene:
        found = {name: act(scene, name) for name in DRILLS if name in names}
    broken = [what for promises in found.values() for what, kept in promises if not kept]
    if broken:
        raise DrillFailed(
            f"Expected every promise to be kept, {len(broken)} were not: {'; '.join(broken)}. The "
            f"timeline stands above, the sandbox's logs are in {scene.sandbox.home / 'logs'}."
        )
    return found


def act(scene: Scene, name: str) -> Promises:
    """Runs one of DRILLS and prints what it finds."""
    scene.timeline.add(f"drill {name}: {str(DRILLS[name].__doc__).splitlines()[0]}")
    found = DRILLS[name](scene)
    for what, kept in found:
        scene.timeline.add(f"  {'kept' if kept else 'BROKEN'}: {what}")
    return found
