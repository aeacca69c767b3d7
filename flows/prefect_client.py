"""What we ask of Prefect about retrainings: start one, mark dead ones, list doubled ones."""

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
# Runs say every 30 s that they live (see environment.py). After 75 s of silence a run counts as
# dead; Prefect looks every 5 s, so that it shows within 90.
SILENCE = timedelta(seconds=75)


def ask(decision_id: str, reason: str) -> None:
    """Asks for a retraining by an event; an automation starts the run."""
    emit_event(
        DRIFT,
        resource={"prefect.resource.id": f"newsloop.decision.{decision_id}"},
        payload={"decision_id": decision_id, "reason": reason},
    )


def ask_again(decision_id: str, reason: str) -> None:
    """Starts the run without an event, since the first one was lost. The run's claim in the ledger
    keeps it from learning twice, should the event come after all.
    """
    try:
        run_deployment(
            LEARNING,
            parameters={"reason": reason, "decision_id": decision_id},
            timeout=0,
            as_subflow=False,
        )
    except ObjectNotFound:  # no runner was ever started: whoever starts one gets the event
        ask(decision_id, reason)


def mark_crashed(flow_runs: Sequence[str]) -> None:
    """Shows runs as crashed that the ledger found dead."""
    with get_client(sync_client=True) as client:
        for one in flow_runs:
            try:
                found = client.read_flow_run(UUID(one))
                if found.state is None or not found.state.is_final():
                    dead: State[None] = Crashed(
                        message="Its process died; found by newsloop's monitoring."
                    )
                    client.set_flow_run_state(found.id, dead, force=True)
            except (ObjectNotFound, ValueError):
                continue  # Prefect's database was reset since


def doubled(since: datetime) -> list[str]:
    """Learning runs that Prefect cancelled since then because one was at work.

    One that a person cancelled is among them; the ledger knows already how it ended.
    """
    deployment = LEARNING.partition("/")[2]
    with get_client(sync_client=True) as client:
        found = client.read_flow_runs(
            flow_run_filter=FlowRunFilter.model_validate(
                {
                    "state": {"type": {"any_": [StateType.CANCELLED]}},
                    "expected_start_time": {"after_": since.astimezone(UTC)},
                }
            ),
            deployment_filter=DeploymentFilter.model_validate({"name": {"any_": [deployment]}}),
        )
        learning = client.read_deployment_by_name(LEARNING).id if found else None
    return [str(one.id) for one in found if one.deployment_id == learning]


def ensure_pool(name: str) -> None:
    """Makes the work pool, whose workers run flows as their children, if it is not there."""
    with get_client(sync_client=True) as client:
        try:
            client.read_work_pool(name)
        except ObjectNotFound:
            client.create_work_pool(WorkPoolCreate(name=name, type="process"))


def watch_for_dead_runs() -> None:
    """Creates the automation that shows a run as crashed whose process fell silent.

    A self-hosted Prefect has none by itself: a run whose process and runner were killed would show
    as running for ever.
    """
    begun = {"prefect.flow-run.Pending", "prefect.flow-run.Running"}
    ended = ("Completed", "Failed", "Cancelled", "Crashed")
    trigger = EventTrigger(
        # A run may die before its first sign of life, or before it has begun.
        after={*begun, "prefect.flow-run.heartbeat"},
        expect={
            "prefect.flow-run.Running",
            "prefect.flow-run.heartbeat",
            *(f"prefect.flow-run.{one}" for one in ended),
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
    # Both are no coroutines outside of a loop, whatever their types say.
    try:
        known: Any = Automation.read(name=ZOMBIES)
    except ValueError:
        automation.create()
        return
    # One of an earlier newsloop. An equal one stays: it may be waiting for somebody's silence.
    if (known.trigger.after, known.trigger.expect) != (trigger.after, trigger.expect):
        automation.id = known.id
        automation.update()
