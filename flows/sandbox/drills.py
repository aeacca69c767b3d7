"""Drills: each injects a fault into the real stack in a sandbox, and checks promises.

A drill returns a list of promises, each kept or broken. scenario.py makes the sandbox.
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
CRASHED_WITHIN = 90  # seconds until Prefect shows a dead run as crashed
_AWAY = 10  # seconds that the database is locked
_HEARD = 6  # seconds; longer than an event takes, and than reconcile_minutes of scenario.py


def drift(scene: Scene) -> Promises:
    """Inputs drift and people label them: one retraining, released, no request lost."""
    before = scene.serves()
    unseen = scene.send("unseen", labelled=False)
    scene.send("moved", labelled=True)
    runs = scene.runs()
    traffic = Traffic(scene.sandbox.service, scene.parts["still"]["text"].to_list())
    traffic.start()
    try:
        decision = scene.monitor()
        requested = decision["verdict"] == GovernorVerdict.RETRAIN
        good = requested and scene.ended(decision["decision_id"]) == RunOutcome.RELEASED
        after = scene.serves()
    finally:
        traffic.end()
    right = send(scene.client, scene.parts["unseen"])[0]
    scene.timeline.add(f"accuracy on articles that nobody labelled: {unseen:.3f}, then {right:.3f}")
    return [
        ("one retraining is requested, and released", good and scene.runs() == runs + 1),
        ("the service follows", after != before),
        (f"none of {traffic.answered} requests fails", not traffic.failed),
        ("the new model predicts the new topics better", right > unseen),
    ]


def bad_model(scene: Scene) -> Promises:
    """Settings that learn nothing: the gate refuses, the champion serves on."""
    before = scene.serves()
    path = scene.sandbox.root / "params.yaml"
    settings = path.read_text(encoding="utf-8")
    rates = {f"train.{name}.learning_rate": 1e-9 for name in parameters.load(path).train.candidates}
    edit.set_values(path, {"train.epochs": 1, **rates})
    try:
        done = scene.sandbox.command("run", "--reason", "a drill")
    finally:
        path.write_text(settings, encoding="utf-8")
    scene.timeline.add(f"newsloop run exits with {done.returncode}: {done.stderr.strip()[-200:]}")
    (gate,) = scene.ledger.decisions(DecisionKind.GATE)
    refused = done.returncode == 1 and gate["verdict"] == GateVerdict.REFUSE
    return [
        ("the gate refuses, in writing", refused),
        ("the champion serves on", scene.serves() == before),
    ]


def bad_data(scene: Scene) -> Promises:
    """Texts that were decoded wrongly: no training on them, and an alert."""
    before, runs, now = scene.serves(), scene.runs(), datetime.now(UTC)
    spoiled = [
        text.encode("utf-8").decode("latin-1").translate({i: i + 0xC0 for i in range(97, 123)})
        for text in scene.parts["still"]["text"].head(PART)
    ]
    scene.parts["spoiled"] = scene.parts["still"].head(PART).with_columns(text=pl.Series(spoiled))
    scene.send("spoiled", labelled=False)
    decision = scene.monitor()
    return [
        (
            "no retraining is requested",
            decision["verdict"] != GovernorVerdict.RETRAIN and scene.runs() == runs,
        ),
        ("an alert is sent", scene.alerted(now)),
        ("the champion serves on", scene.serves() == before),
    ]


def label_outage(scene: Scene) -> Promises:
    """Drift without labels: no retraining, and an alert with the number of missing labels."""
    before, runs, now = scene.serves(), scene.runs(), datetime.now(UTC)
    scene.send("outage", labelled=False)
    decision = scene.monitor()
    return [
        (
            "no retraining is requested",
            decision["verdict"] == GovernorVerdict.ALERT and scene.runs() == runs,
        ),
        ("an alert says how many labels are missing", scene.alerted(now)),
        ("the champion serves on", scene.serves() == before),
    ]


def lost_event(scene: Scene) -> Promises:
    """The event of a retraining request is lost: the request is sent again, and trained once."""
    runs = scene.runs()
    automations = scene.sandbox.ask("/automations/filter", {})
    disabled = [row["id"] for row in automations if row["name"] == "retrain on drift"]
    for automation in disabled:
        scene.sandbox.ask(f"/automations/{automation}", {"enabled": False}, "PATCH")
    scene.timeline.add(f"{len(disabled)} automation is switched off: the event starts no run")
    scene.send("lost", labelled=True)
    decision = scene.monitor()
    time.sleep(_HEARD)
    quiet = scene.runs() == runs
    again = scene.monitor()
    scene.timeline.add(f"reconciliation sends {str(again['reconcile'])[:8]} again")
    good = again["reconcile"] == decision["decision_id"] and scene.ended(again["reconcile"]) in GOOD
    for automation in disabled:
        scene.sandbox.ask(f"/automations/{automation}", {"enabled": True}, "PATCH")
    scene.monitor()
    return [
        ("the event was lost indeed", decision["verdict"] == GovernorVerdict.RETRAIN and quiet),
        ("the request is sent again, and trained", good),
        ("exactly once", scene.runs() == runs + 1),
    ]


def kill_worker(scene: Scene) -> Promises:
    """SIGKILL of runner and run: Prefect shows the run as crashed, the next one works."""
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
    for process in family:
        process.kill()
    # One more run, which never begins because no runner is left.
    monitoring = scene.sandbox.ask("/deployments/name/monitoring/newsloop", method="GET")["id"]
    state = {"state": {"type": "PENDING", "name": "Pending"}}
    pending = scene.sandbox.ask(f"/deployments/{monitoring}/create_flow_run", state)["id"]
    killed = time.monotonic()
    scene.timeline.add(f"the runner and {len(family) - 1} processes below it are killed")

    def crashed(flow_run: str) -> bool:
        return bool(
            scene.sandbox.ask(f"/flow_runs/{flow_run}", method="GET")["state_type"] == "CRASHED"
        )

    def both_crashed() -> bool:
        return crashed(run) and crashed(pending)

    wait("Prefect to show the runs as crashed", both_crashed, 3 * CRASHED_WITHIN)
    seconds = time.monotonic() - killed
    scene.timeline.add(f"Prefect shows it, and one not yet begun, as crashed after {seconds:.0f} s")
    scene.sandbox.newsloop("up")
    scene.monitor()
    recorded = scene.ended(request) == RunOutcome.CRASHED
    served = scene.serves() == before
    again = scene.sandbox.newsloop("retrain", "--because", "the drill goes on")["decision_id"]
    return [
        (f"both show as crashed within {CRASHED_WITHIN} s", seconds <= CRASHED_WITHIN),
        ("the ledger records the crash, and an alert is sent", recorded and scene.alerted(now)),
        ("the champion serves on", served),
        ("the next run works", scene.ended(again) in GOOD),
    ]


def database_away(scene: Scene) -> Promises:
    """The ledger is locked for a while: the service answers, and records the rows later."""
    rows = _predictions(scene.ledger)
    holder = sqlite3.connect(scene.sandbox.home / "ledger.sqlite", timeout=30)
    holder.execute("BEGIN EXCLUSIVE")
    scene.timeline.add("another process locks the ledger")
    traffic = Traffic(scene.sandbox.service, scene.parts["still"]["text"].to_list())
    traffic.start()
    try:
        time.sleep(_AWAY)
    finally:
        traffic.end()
        answered = traffic.answered
        holder.rollback()
        holder.close()
    scene.timeline.add(
        f"after {_AWAY} s the lock ends; {answered} requests were answered meanwhile"
    )
    wait("the predictions to be written", lambda: _predictions(scene.ledger) >= rows + answered)
    written = _predictions(scene.ledger) - rows
    return [
        ("every request is answered", answered > 0 and not traffic.failed),
        ("every answer is in the ledger, once", written == answered),
    ]


def _predictions(ledger: Ledger) -> int:
    count = sa.select(sa.func.count().label("n")).select_from(PREDICTIONS)
    return int(ledger.query(count)[0]["n"])


# Ordered so that no drill disturbs the next: the next window contains the drill's traffic.
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
        params, paths: settings and paths of the project with the ingested articles.
        names: keys of DRILLS.
        keep: keep the sandbox's servers running.

    Returns:
        The promises of each drill.

    Raises:
        UsageError: unknown drill.
        DrillFailed: a promise was broken.
        NewsloopError: a step failed; without `keep` the sandbox's servers are stopped first.
    """
    if unknown := sorted(set(names) - set(DRILLS)):
        raise UsageError(f"Expected some of {', '.join(DRILLS)} or all, got {', '.join(unknown)}.")
    documents = tables.read_table(paths.ingested / "documents.parquet")
    parts = divide(documents, raw_texts(params, paths), params.ingest.labels)
    with stage(Sandbox(paths, "drill", SETTINGS), parts, keep=keep) as scene:
        results = {name: act(scene, name) for name in DRILLS if name in names}
    broken = [promise for promises in results.values() for promise, met in promises if not met]
    if broken:
        raise DrillFailed(
            f"Expected every promise to be kept, {len(broken)} were not: {'; '.join(broken)}. The "
            f"timeline is above, the sandbox's logs are in {scene.sandbox.home / 'logs'}."
        )
    return results


def act(scene: Scene, name: str) -> Promises:
    """Runs one of DRILLS and prints its promises."""
    scene.timeline.add(f"drill {name}: {str(DRILLS[name].__doc__).splitlines()[0]}")
    promises = DRILLS[name](scene)
    for promise, met in promises:
        scene.timeline.add(f"  {'kept' if met else 'BROKEN'}: {promise}")
    return promises
