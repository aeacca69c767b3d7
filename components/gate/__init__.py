"""Decides, in writing, whether a candidate may be released. docs/release.md has the rule in words.

Floors that a person set, the leak test and the bundle's size; then the rehearsal; then the champion
on the same documents, or the simplest models where no champion can be compared. The answer is one
of five:

    release     every check passed
    keep        nothing bad was found, but the candidate is not proven better: the champion stays
    refuse      a check failed, or the candidate is proven worse; or a proof is missing where no
                champion is compared
    cannot say  only the rehearsal had no result
    unchanged   the candidate is the champion
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from components.core import bundle, pages, params, tables
from components.core.ledger import Champion, Ledger, decisions
from components.core.ledger.verdicts import DecisionKind, GateVerdict
from components.core.metrics import Interval
from components.core.paths import Paths
from components.gate import advice, baselines, callers, evidence, report
from components.gate.advice import Step
from components.gate.baselines import Baseline, Sample
from components.gate.checks import Check, GateEvidence, examine, verdict
from components.gate.comparison import Comparison, Part
from components.gate.evidence import compared, stood

__all__ = ["Decision", "compared", "judge", "record", "stood"]
_MIB = 2**20


@dataclass(frozen=True)
class Decision:
    """Decision of the gate about one candidate.

    Attributes:
        id: the same for the same candidate, champion, test side, settings and outcome.
        verdict: see the module.
        candidate: name of the candidate's bundle.
        champion: name of the champion's bundle; None before the first release.
        architecture: of the candidate.
        checks: each condition with its numbers.
        reasons: why it was not released, or what could not be compared; a sentence each.
        comparison: with the champion; None where there is none, or it cannot be compared.
        baselines: comparisons with the simplest models; they decide only where `comparison` is
            None.
        sample: how much the test documents prove; None if evaluate did not say.
        remarks: the reasons that are no failed check.
        steps: what to do next, the largest gain first; empty for a release.
    """

    id: str
    verdict: GateVerdict
    candidate: str
    champion: str | None
    architecture: str
    checks: list[Check]
    reasons: list[str]
    comparison: Comparison | None
    baselines: list[Baseline] = field(default_factory=list)
    sample: Sample | None = None
    remarks: list[str] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)

    @property
    def released(self) -> bool:
        return self.verdict == GateVerdict.RELEASE

    def as_dict(self) -> dict[str, Any]:
        """For JSON; each check says whether it passed."""
        checks = [{**asdict(check), "passed": check.passed} for check in self.checks]
        return {**asdict(self), "checks": checks, "released": self.released}


def judge(params_: params.Params, paths: Paths, ledger: Ledger) -> Decision:
    """Judges the bundle in data/06_packaged; the champion is read from the bundle store.

    Raises:
        BundleError: a bundle is incomplete, altered or not signed by our key.
        DataError: a result of an earlier stage is missing.
    """
    settings, champion = params_.gate, ledger.champion()
    candidate = bundle.verify(paths.bundle, paths.keys)
    bundle.verify(paths.bento / "src", paths.keys)
    if (paths.bento / bundle.MANIFEST).exists():  # a stage of an earlier release signs src alone
        bundle.verify(paths.bento, paths.keys)
    measured = tables.read_json(paths.evaluated / "metrics.json")
    if champion is not None and champion.bundle == candidate:
        return _decide(params_, paths, candidate, champion, measured, [], [], None, [])
    size = sum(file.stat().st_size for file in paths.bundle.rglob("*") if file.is_file())
    leaks, rehearsal = evidence.leaks(paths), evidence.rehearsal_of(paths, candidate)
    reasons: list[str] = []
    if settings.rehearse and rehearsal:
        reasons += filter(None, (rehearsal["problem"], rehearsal.get("undecided")))
    if not settings.rehearse:
        reasons.append("it was not rehearsed, because gate.rehearse is false")
    said_by = evidence.callers_of(params_, ledger)
    compared_: list[Comparison] = []
    if champion is not None:
        compared_, remarks = evidence.against_champion(params_, paths, ledger, champion, said_by)
        reasons += remarks
    simple, remarks = evidence.against_simple(params_, paths, measured, said_by)
    # The champion's comparison rules; without one, that with the simplest models does.
    decides = settings.baselines and not compared_
    if decides:
        reasons += remarks
    # Each without the labels of another caller.
    pairs: list[tuple[Comparison | None, Sequence[Baseline]]] = [
        (comparison_, ()) for comparison_ in compared_
    ] or [(None, part if decides else ()) for part in simple or ([],)]
    evidences = [
        GateEvidence(one, leaks, size / _MIB, rehearsal, comparison_, simple_)
        for one in evidence.measured_without_each(params_, paths, measured, said_by)
        for comparison_, simple_ in pairs
    ]
    every = callers.standing([examine(one, settings) for one in evidences])
    # The weakest comparison is the one that is shown.
    found = max(compared_, key=lambda one: one.better, default=None)
    shown = max(simple, key=lambda part: max((one.better for one in part), default=0), default=[])
    return _decide(
        params_, paths, candidate, champion, measured, every, reasons, found, list(shown)
    )


def _decide(
    params_: params.Params,
    paths: Paths,
    candidate: str,
    champion: Champion | None,
    measured: dict[str, Any],
    checks: list[Check],
    reasons: list[str],
    found: Comparison | None,
    simple: list[Baseline],
) -> Decision:
    said = verdict(checks) if checks else GateVerdict.UNCHANGED
    failed = [check.told() for check in checks if not check.passed and not check.undecided]
    unproven = []
    if said == GateVerdict.KEEP and found is not None:
        unproven = [_cannot_say(found.sides)]
    elif said == GateVerdict.KEEP:
        said = GateVerdict.REFUSE  # no champion serves, or it cannot serve on
    basis = [
        candidate,
        champion.bundle if champion else "",
        tables.file_hash(paths.split / "test.parquet"),
        params_.gate.model_dump_json(),
        said,
        *(check.name for check in checks if not check.passed),
        *(reasons if said == GateVerdict.CANNOT_SAY else ()),
    ]
    sample = _sample(measured, found, simple, params_.gate)
    ended = said in (GateVerdict.RELEASE, GateVerdict.UNCHANGED)
    return Decision(
        id=hashlib.sha256("\n".join(basis).encode()).hexdigest()[:32],
        verdict=said,
        candidate=candidate,
        champion=champion.bundle if champion else None,
        architecture=measured["architecture"],
        checks=checks,
        reasons=unproven + failed + reasons,
        comparison=found,
        baselines=simple,
        sample=sample,
        remarks=unproven + reasons,
        steps=[] if ended else _steps(params_, paths, measured, checks, sample),
    )


def _sample(
    measured: dict[str, Any],
    found: Comparison | None,
    simple: Sequence[Baseline],
    settings: params.Gate,
) -> Sample | None:
    if "documents" not in measured:
        return None
    disagreement = simple[-1].disagreement if simple else settings.margin
    if found is not None:
        side = found.sides[0]
        disagreement = (side.gained + side.lost + 1) / (side.documents + 2)
    accuracy = Interval(**measured["accuracy"])
    documents, folds = measured["documents"], measured.get("folds", 0)
    return baselines.sample(accuracy, documents, folds, disagreement, settings)


def _steps(
    params_: params.Params,
    paths: Paths,
    measured: dict[str, Any],
    checks: list[Check],
    sample: Sample | None,
) -> list[Step]:
    answers = evidence.answered(paths).select(actual="label", predicted="candidate")
    findings = advice.Findings(
        measured=measured,
        answers=answers,
        train_documents=(
            dict(answers["actual"].value_counts().iter_rows())
            if measured.get("folds")
            else evidence.train_documents(paths)
        ),
        checks=checks,
        sample=sample,
    )
    return advice.steps(findings, params_)


def _cannot_say(sides: list[Part]) -> str:
    told = ", ".join(
        f"{side.name}: {side.gained} texts won and {side.lost} lost of {side.documents}"
        for side in sides
    )
    return f"there is not enough to say that it is better than the champion ({told})"


def record(decision: Decision, paths: Paths, ledger: Ledger, now: datetime) -> None:
    """Writes the decision to its JSON file, its page and the ledger; the same one only once."""
    if decisions.decision(ledger, decision.id) is not None:
        return
    details = decision.as_dict()
    tables.write_json(details, paths.decisions / f"{decision.id}.json")
    page = paths.decisions / f"{decision.id}.html"
    heading = pages.Heading.of(paths, page, f"candidate {decision.candidate[:12]}", now)
    tables.write_text(report.render(details, heading), page)
    ledger.add_decision(
        {
            "id": decision.id,
            "kind": DecisionKind.GATE,
            "time": now,
            "verdict": decision.verdict,
            "reasons": decision.reasons,
            "details": details,
        }
    )
