"""Learning flow: from sources to a released model.

1. Hold the lock; repair the state of a killed run; claim the governor's request, or ask the
   governor if a schedule started this run.
2. Choose the workspace: the checkout for a person, the clone for a schedule or an event.
3. Pin the current content of the sources: the snapshot.
4. For each candidate of train.candidates run ingest, validate, split, train, evaluate and package
   through DVC; then the rehearsal and the gate. The first candidate that passes is released. If a
   candidate is sound but not proven better, the champion stays. Later candidates are not trained.
5. If the gate refuses all candidates, the run fails with the reasons, and the champion stays.
6. If a rehearsal has no result, the run fails with its reason, and no other candidate is trained.
   The next run repeats the rehearsal.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from prefect import flow, get_run_logger, task
from prefect.artifacts import create_table_artifact
from prefect.cache_policies import NO_CACHE
from prefect.runtime import flow_run

from components import gate, release, snapshot
from components.core import bundle, tables
from components.core import ledger as ledgers
from components.core import params as parameters
from components.core.errors import (
    Busy,
    GateRefused,
    NotReleased,
    RehearsalUndecided,
    SourceError,
)
from components.core.ledger import Champion, Ledger
from components.core.ledger import decisions as ledger_decisions
from components.core.ledger.verdicts import GateVerdict, RunOutcome
from components.core.params import Candidate, Params
from components.core.params import migration as params_migration
from components.core.paths import Paths
from components.core.progress import say
from components.core.scrub.pseudonyms import redact
from flows import home_page, notify, prefect_auth, rehearsal, retrain_requests
from flows.dvc import pipeline, process, workspace
from flows.dvc.pipeline import StageOutcome
from flows.versions import repair

_DECIDING = ("rehearse", "gate", "release")
_REASONS = 8  # of each candidate in an error, which is one paragraph


@dataclass
class Summary:
    """Results of a learning run, for the table at its end.

    Attributes:
        stages: (stage, outcome, seconds) in the order of execution.
        outcome: outcome of the run.
        version: tag of the champion after the run.
        decision: the gate's last decision as a dictionary.
        decisions: the decisions about each candidate of this run.
        metrics: metrics of the last candidate.
        flow_run: Prefect's id of this run.
    """

    stages: list[tuple[str, StageOutcome, float]] = field(default_factory=list)
    outcome: RunOutcome = RunOutcome.UNCHANGED
    version: str | None = None
    decision: dict[str, Any] | None = None
    decisions: list[dict[str, Any]] = field(default_factory=list)
    metrics: dict[str, Any] | None = None
    flow_run: str = ""


@task(name="snapshot", task_run_name="snapshot", cache_policy=NO_CACHE)
def take_snapshot(params: Params, paths: Paths, ledger: Ledger) -> StageOutcome:
    before = paths.snapshot.read_bytes() if paths.snapshot.exists() else b""
    champion = ledger.champion()
    released = release.left_by(paths, champion) if champion else None
    try:
        snapshot.run(params, paths, released)
    except SourceError as error:
        # Prefect stores a task's error, and a file's name may contain a person's name.
        raise SourceError(redact(str(error))) from None
    same = paths.snapshot.read_bytes() == before
    return StageOutcome.UNCHANGED if same else StageOutcome.RAN


@task(name="stage", task_run_name="{stage}", cache_policy=NO_CACHE)
def run_stage(stage: str, paths: Paths) -> StageOutcome:
    outcome = pipeline.repro(stage, paths)
    if outcome == StageOutcome.RESTORED:
        pipeline.verify(paths, [stage])
        pipeline.complete(paths)
        if stage == pipeline.STAGES[-1] and not (paths.bundle / bundle.SIGNATURE).exists():
            # Another installation with the same cache made it.
            outcome = pipeline.repro(stage, paths, force=True)
    get_run_logger().info("%s: %s", stage, outcome)
    return outcome


@task(name="rehearse", task_run_name="rehearse", cache_policy=NO_CACHE)
def rehearse(params: Params, paths: Paths) -> StageOutcome:
    name = bundle.verify(paths.bundle, paths.keys)
    if not params.gate.rehearse or gate.stood(params, paths, name):
        return StageOutcome.UNCHANGED
    result = rehearsal.run(params, paths, name)
    if reason := result.problem or result.undecided:
        say(f"rehearse: {reason}")
    get_run_logger().info("rehearsal: %s", reason or result)
    return StageOutcome.RAN


@task(name="gate", task_run_name="gate", cache_policy=NO_CACHE)
def judge(params: Params, paths: Paths, ledger: Ledger) -> gate.Decision:
    decision = gate.judge(params, paths, ledger)
    gate.record(decision, paths, ledger, datetime.now(UTC))
    get_run_logger().info("gate: %s", " ".join([decision.verdict, *decision.reasons]))
    return decision


@task(name="release", task_run_name="release", cache_policy=NO_CACHE)
def publish(
    params: Params, paths: Paths, ledger: Ledger, decision: gate.Decision, reason: str
) -> str:
    watermark = snapshot.feedback_watermark(paths)
    now, remote, said = datetime.now(UTC), params.release.git_remote, decision.as_dict()
    seconds = params.release.remote_minutes * 60
    champion = release.publish(paths, ledger, said, watermark, now, reason, remote, seconds)
    get_run_logger().info("release: %s", champion.tag)
    return champion.tag


@flow(name="learning", flow_run_name="learning: {reason}", validate_parameters=False)
def learning(
    root: str, home: str, reason: str, decision_id: str | None = None, in_place: bool = False
) -> dict[str, Any]:
    """Learns from the sources and releases a model that passes the gate.

    Args:
        root: folder of the checkout.
        home: the installation's state, NEWSLOOP_HOME.
        reason: reason of this run, stored with the release.
        decision_id: id of the governor's decision that requested the run; a second run for the
            same decision does nothing.
        in_place: True: work in the checkout; False: in the workspace clone.

    Returns:
        A `Summary` as a dictionary.

    Raises:
        NotReleased: the gate refused every candidate, or a rehearsal had no result.
        NewsloopError: a stage failed.
    """
    prefect_auth.reserve(os.environ.get("PREFECT_API_URL"))
    paths = Paths(Path(root), Path(home))
    ledger = ledgers.opened(ledgers.url(paths.ledger))
    summary = Summary(flow_run=str(flow_run.get_id() or ""))
    try:
        with workspace.alone(paths):
            for line in repair.run(paths, ledger, datetime.now(UTC)):
                say(f"repair: {line}")
            if in_place:
                _learn(paths, ledger, reason, in_place, summary)
            else:
                _learn_for_governor(paths, ledger, reason, decision_id, summary)
    except Busy:
        if in_place:
            raise
        # Another run holds the lock; the request stays unclaimed and is sent again.
        summary.outcome = RunOutcome.MERGED
        ledger_decisions.end(
            ledger, summary.flow_run, decision_id, RunOutcome.MERGED, datetime.now(UTC)
        )
    except NotReleased as error:
        error.summary = asdict(summary)  # for the table at the end of the command
        raise
    finally:
        home_page.after_run(paths, ledger, asdict(summary), reason, sys.exception())
        ledger.close()
    return asdict(summary)


def _learn_for_governor(
    paths: Paths, ledger: Ledger, reason: str, decision_id: str | None, summary: Summary
) -> None:
    """Learns if the request is not merged or held back; the outcome is recorded in the ledger."""
    params, run = parameters.load(paths.params), summary.flow_run
    decision_id, no_training = retrain_requests.take_up(
        ledger, params, decision_id, reason, run, datetime.now(UTC)
    )
    if no_training:
        summary.outcome = no_training
        ledger_decisions.end(ledger, run, decision_id, no_training, datetime.now(UTC))
        return
    try:
        _learn(paths, ledger, reason, False, summary)
    except BaseException as error:
        now = datetime.now(UTC)
        outcome, details = retrain_requests.failure(error)
        ledger_decisions.end(ledger, run, decision_id, outcome, now, details)
        notify.tell(notify.of_learning(outcome, run, error), params, paths, ledger, now)
        raise
    details = {"version": summary.version}
    ledger_decisions.end(ledger, run, decision_id, summary.outcome, datetime.now(UTC), details)


def _learn(paths: Paths, ledger: Ledger, reason: str, in_place: bool, summary: Summary) -> None:
    workspace.settle(paths)
    champion = None if in_place else ledger.champion()
    if champion:
        paths = workspace.prepare(paths, champion)
    with process.shared(paths):
        if champion:
            pipeline.checkout(paths)
            pipeline.verify(paths)
        resolved = None
        if champion and pipeline.SETTINGS in pipeline.stages(paths):
            pipeline.repro(pipeline.SETTINGS, paths)  # with the champion's own code and defaults
            resolved = paths.resolved
        params, migrated = params_migration.load(
            paths.params, paths.sources / paths.params.name, resolved
        )
        for line in migrated:
            say(f"settings: {line}")
        try:
            with pipeline.earlier_data_kept(paths):
                _choose(params, paths, ledger, reason, summary)
        finally:
            _show(summary)


def _choose(params: Params, paths: Paths, ledger: Ledger, reason: str, summary: Summary) -> None:
    """Trains the candidates one after the other until one passes the gate."""
    _timed(summary, "snapshot", take_snapshot, params, paths, ledger)
    changed: set[str] | None = pipeline.changed_stages(paths)
    if not changed and _is_champion(paths, ledger, summary):
        skipped = (*pipeline.stages(paths), *_DECIDING)
        summary.stages += [(stage, StageOutcome.UNCHANGED, 0.0) for stage in skipped]
        return

    def attempt(candidate: Candidate) -> gate.Decision | None:
        nonlocal changed
        _train(candidate, paths, summary, changed)
        changed = None
        if _is_champion(paths, ledger, summary):
            summary.stages += [(stage, StageOutcome.UNCHANGED, 0.0) for stage in _DECIDING]
            return None
        _timed(summary, "rehearse", rehearse, params, paths)
        return _timed(summary, "gate", judge, params, paths, ledger)  # type: ignore[no-any-return]

    def release_candidate(decision: gate.Decision) -> str:
        arguments = (params, paths, ledger, decision, reason)
        return str(_timed(summary, "release", publish, *arguments))

    in_turn(params.train.candidates, attempt, release_candidate, ledger.champion(), summary)


def in_turn(
    candidates: Sequence[Candidate],
    attempt: Callable[[Candidate], gate.Decision | None],
    publish_: Callable[[gate.Decision], str],
    champion: Champion | None,
    summary: Summary,
) -> None:
    """Tries candidates until one passes the gate, or one is not proven better than the champion.

    Args:
        candidates: architectures in the order of params.yaml.
        attempt: trains a candidate; returns the gate's decision, None for the champion itself.
        publish_: releases the candidate of a decision; returns the tag.
        champion: serving version; None before the first release.
        summary: receives decision, version and outcome.

    Raises:
        GateRefused: the gate refused every candidate.
        RehearsalUndecided: a rehearsal had no result.
    """
    refused: list[gate.Decision] = []
    effect = f"The champion {champion.tag} stays. " if champion else "Nothing was released. "
    tag = champion.tag if champion else None
    for candidate in candidates:
        decision = attempt(candidate)
        if decision is None:
            return
        summary.decision = decision.as_dict()
        summary.decisions.append(summary.decision)
        if decision.released:
            summary.version, summary.outcome = publish_(decision), RunOutcome.RELEASED
            return
        if decision.verdict == GateVerdict.KEEP and champion:
            summary.version, summary.outcome = champion.tag, RunOutcome.KEPT
            return
        if decision.verdict == GateVerdict.CANNOT_SAY:
            summary.version, summary.outcome = tag, RunOutcome.CANNOT_SAY
            raise RehearsalUndecided(
                f"Expected the rehearsal of {decision.architecture} to have a result, it has none. "
                f"{' '.join(decision.reasons)} This says nothing about the candidate. "
                f"{effect}`newsloop run` trains nothing and repeats the rehearsal."
            )
        refused.append(decision)
    summary.version, summary.outcome = tag, RunOutcome.REFUSED
    reasons = "; ".join(f"{each.architecture}: {_shortened(each.reasons)}" for each in refused)
    reasons = reasons.removesuffix(".")  # of a sentence among them
    raise GateRefused(
        f"Expected one of {', '.join(candidates)} to pass the gate, none did. {reasons}. "
        f"{effect}`newsloop gate` shows each check; bring more or better data, or change train or "
        "gate in params.yaml."
    )


def _shortened(reasons: Sequence[str]) -> str:
    """Joins the first reasons; a thousand classes may have a thousand floors."""
    more = len(reasons) - _REASONS
    return ", ".join(reasons[:_REASONS]) + (f", and {more} more" if more > 0 else "")


def _train(candidate: Candidate, paths: Paths, summary: Summary, changed: set[str] | None) -> None:
    """Brings every stage up to date for one candidate.

    Args:
        changed: changed stages, if DVC was just asked; None, or another candidate than before, asks
            DVC again.
    """
    if snapshot.choose(candidate, paths) or changed is None:
        changed = pipeline.changed_stages(paths)
    stages = pipeline.stages(paths)
    for stage in stages:
        if stage in changed:
            _timed(summary, stage, run_stage, stage, paths)
            # The later stages may have changed too. After the settings DVC lists the changed ones,
            # which are few; after any other stage each later stage is run, and may be unchanged.
            changed = pipeline.changed_stages(paths) if stage == pipeline.SETTINGS else {*stages}
        else:
            summary.stages.append((stage, StageOutcome.UNCHANGED, 0.0))
    pipeline.verify(paths)
    pipeline.complete(paths)


def _is_champion(paths: Paths, ledger: Ledger, summary: Summary) -> bool:
    """Returns True if the packaged bundle is the champion's; adds its facts to the summary."""
    summary.metrics = tables.read_json(paths.evaluated / "metrics.json")
    champion = ledger.champion()
    if champion is None or champion.bundle != tables.file_hash(paths.bundle / "manifest.json"):
        return False
    summary.version, summary.decision = champion.tag, champion.decision
    return True


def _timed(summary: Summary, stage: str, work: Callable[..., Any], *arguments: Any) -> Any:
    started = time.monotonic()
    outcome = work(*arguments)
    word = outcome if isinstance(outcome, StageOutcome) else StageOutcome.RAN
    summary.stages.append((stage, word, time.monotonic() - started))
    return outcome


def _show(summary: Summary) -> None:
    """Writes the table of stages to Prefect, for the operator of a scheduled run."""
    create_table_artifact(
        [{"stage": s, "outcome": o, "seconds": round(t, 1)} for s, o, t in summary.stages],
        key="learning-stages",
        description=f"{summary.outcome}; champion {summary.version}",
    )
