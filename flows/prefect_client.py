"""Prefect client for retrainings: start runs, mark dead runs, list cancelled duplicates."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from prefect.automations import Automation
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.client.schemas.filters import DeploymentFilter, FlowRunFilter
from prefect.client.schemas.objects import State, StateType
from prefect.deployments import run_deployment
from prefect.events import EventTrigger, emit_event
from prefect.events.actions import ChangeFlowRunState
from prefect.events.schemas.automations import Posture
from prefect.exceptions import ObjectNotFound
from prefect.states import Crashed

DRIFT = "newsloop.drift"  # the event that the learning deployment waits for
LEARNING, MONITORING = "learning/newsloop", "monitoring/newsloop"
ZOMBIES = "newsloop: mark dead runs as crashed"
# Runs send a heartbeat every 30 s (see environment.py). After 75 s without one a run counts as
# dead; Prefect checks every 5 s, so the page shows the crash within 90 s.
SILENCE = timedelta(seconds=75)


def ask(decision_id: str, reason: str) -> None:
    """Requests a retraining by an event; an automation starts the run."""
    emit_event(
        DRIFT,
        resource={"prefect.resource.id": f"newsloop.decision.{decision_id}"},
        payload={"decision_id": decision_id, "reason": reason},
    )


def ask_again(decision_id: str, reason: str) -> None:
    """Starts the run directly, because the event was lost.

    If the event arrives later, the run's claim in the ledger prevents a second training.
    """
    try:
        run_deployment(
            LEARNING,
            parameters={"reason": reason, "decision_id": decision_id},
            timeout=0,
            as_subflow=False,
        )
    except ObjectNotFound:  # no runner registered the deployment yet; it will receive the event
        ask(decision_id, reason)


def mark_crashed(flow_runs: Sequence[str]) -> None:
    """Marks dead runs of the ledger as crashed in Prefect."""
    with get_client(sync_client=True) as client:
        for id_ in flow_runs:
            try:
                run = client.read_flow_run(UUID(id_))
                if run.state is None or not run.state.is_final():
                    crashed: State[None] = Crashed(
                        message="Its process died; found by newsloop's monitoring."
                    )
                    client.set_flow_run_state(run.id, crashed, force=True)
            except (ObjectNotFound, ValueError):
                continue  # Prefect's database was reset meanwhile


def doubled(since: datetime) -> list[str]:
    """Returns the ids of learning runs that Prefect cancelled since then.

    Prefect cancels a run that meets another one. Runs that a person cancelled are listed too; the
    ledger has their outcome already.
    """
    deployment = LEARNING.partition("/")[2]
    with get_client(sync_client=True) as client:
        runs = client.read_flow_runs(
            flow_run_filter=FlowRunFilter.model_validate(
                {
                    "state": {"type": {"any_": [StateType.CANCELLED]}},
                    "expected_start_time": {"after_": since.astimezone(UTC)},
                }
            ),
            deployment_filter=DeploymentFilter.model_validate({"name": {"any_": [deployment]}}),
        )
        learning = client.read_deployment_by_name(LEARNING).id if runs else None
    return [str(run.id) for run in runs if run.deployment_id == learning]


def ensure_pool(name: str) -> None:
    """Creates the work pool, whose workers run flows as child processes, if it is missing."""
    with get_client(sync_client=True) as client:
        try:
            client.read_work_pool(name)
        except ObjectNotFound:
            client.create_work_pool(WorkPoolCreate(name=name, type="process"))


def watch_for_dead_runs() -> None:
    """Creates the automation that marks a run without heartbeats as crashed.

    A self-hosted Prefect has no such automation: a run whose process and runner were killed would
    stay in the state running.
    """
    begun = {"prefect.flow-run.Pending", "prefect.flow-run.Running"}
    ended = ("Completed", "Failed", "Cancelled", "Crashed")
    trigger = EventTrigger(
        # A run may die before its first heartbeat, or before it has begun.
        after={*begun, "prefect.flow-run.heartbeat"},
        expect={
            "prefect.flow-run.Running",
            "prefect.flow-run.heartbeat",
            *(f"prefect.flow-run.{state}" for state in ended),
        },
        match={"prefect.resource.id": ["prefect.flow-run.*"]},
        for_each={"prefect.resource.id"},
        posture=Posture.Proactive,
        threshold=1,
        within=SILENCE,
    )
    action = ChangeFlowRunState(
        state=StateType.CRASHED, message=f"No sign of life for {SILENCE.seconds} s."
    )
    automation = Automation(name=ZOMBIES, trigger=trigger, actions=[action])
    # Outside of an event loop both methods are synchronous, in spite of their types.
    try:
        known: Any = Automation.read(name=ZOMBIES)
    except ValueError:
        automation.create()
        return
    # Replaces an older automation. An equal one stays, because it may count a run's silence.
    if (known.trigger.after, known.trigger.expect) != (trigger.after, trigger.expect):
        automation.id = known.id
        automation.update()
