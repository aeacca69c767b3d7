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
from pathlib import Path
from typing import Any

import polars as pl

from components import folds
from components.core import bundle, keys, pages, params, tables
from components.core import target as targets
from components.core.bundle import answers as bundle_answers
from components.core.errors import DataError
from components.core.ledger import Champion, Ledger, decisions
from components.core.ledger import gate as ledger_gate
from components.core.ledger.verdicts import DecisionKind, GateVerdict
from components.core.metrics import Interval
from components.core.paths import Paths
from components.gate import advice, baselines, callers, comparison, report
from components.gate.advice import Step
from components.gate.baselines import Baseline, Metric, Sample, Simple
from components.gate.checks import (
    Check,
    GateEvidence,
    examine,
    rehearsed,
    verdict,
)
from components.gate.comparison import Comparison, Part

_MIB = 2**20


@dataclass(frozen=True)
class Decision:
    """What the gate decided about one candidate.

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
    measured = tables.read_json(paths.evaluated / "metrics.json")
    if champion is not None and champion.bundle == candidate:
        return _decide(params_, paths, candidate, champion, measured, [], [], None, [])
    size = sum(file.stat().st_size for file in paths.bundle.rglob("*") if file.is_file())
    leaks, rehearsal = _leaks(paths), _rehearsal(paths, candidate)
    reasons: list[str] = []
    if settings.rehearse and rehearsal:
        reasons += filter(None, (rehearsal["problem"], rehearsal.get("undecided")))
    if not settings.rehearse:
        reasons.append("it was not rehearsed, because gate.rehearse is false")
    said_by = _callers(params_, ledger)
    compared_: list[Comparison] = []
    if champion is not None:
        compared_, remarks = _against(params_, paths, ledger, champion, said_by)
        reasons += remarks
    simple, remarks = _baselines(params_, paths, measured, said_by)
    # The champion's comparison rules; without one, that with the simplest models does.
    decides = settings.baselines and not compared_
    if decides:
        reasons += remarks
    # Each without the labels of another caller.
    pairs: list[tuple[Comparison | None, Sequence[Baseline]]] = [
        (comparison_, ()) for comparison_ in compared_
    ] or [(None, part if decides else ()) for part in simple or ([],)]
    evidence = [
        GateEvidence(one, leaks, size / _MIB, rehearsal, comparison_, simple_)
        for one in _measured(params_, paths, measured, said_by)
        for comparison_, simple_ in pairs
    ]
    every = callers.standing([examine(one, settings) for one in evidence])
    # The weakest comparison is the one that is shown.
    found = max(compared_, key=lambda one: one.better, default=None)
    shown = max(simple, key=lambda part: max((one.better for one in part), default=0), default=[])
    return _decide(
        params_, paths, candidate, champion, measured, every, reasons, found, list(shown)
    )


def _baselines(
    params_: params.Params, paths: Paths, measured: dict[str, Any], said_by: dict[str, str]
) -> tuple[list[list[Baseline]], list[str]]:
    """The comparisons with the simplest models, without each caller in turn; why one is missing."""
    rows = _answered(paths).unique("text", keep="first", maintain_order=True)
    if Simple.MAJORITY not in rows.columns:
        return [], [
            "the simplest models cannot be compared: another newsloop made the evaluation, and it "
            "has no answers of theirs"
        ]
    parts = callers.without_each(
        rows.select("candidate", *Simple, actual="label", caller=_caller(said_by))
    )
    metric = Metric.MACRO_F1 if measured.get("imbalanced") else Metric.ACCURACY
    compared_ = baselines.compare(parts, targets.of(params_), params_.gate, metric)
    problem = measured["baseline"].get("problem")
    remarks = [f"whether it is worse than the linear baseline cannot be said: {problem}"]
    return compared_, remarks if problem else []


def _against(
    params_: params.Params,
    paths: Paths,
    ledger: Ledger,
    champion: Champion,
    said_by: dict[str, str],
) -> tuple[list[Comparison], list[str]]:
    """The comparisons with the champion, without each caller in turn; or why there are none.

    Args:
        said_by: document -> the caller whose label it has, where that may not decide alone.
    """
    if champion.version in ledger.retired():
        return [], [f"{champion.tag} is retired and must go, so that it is not compared"]
    model = bundle.load(paths.bundles / champion.bundle, paths.keys)
    if set(model.labels) != set(params_.ingest.labels):
        return [], [f"{champion.tag} sorts into other classes and cannot be compared"]
    mark = champion.decision.get("feedback_watermark", 0)
    newest = _documents(params_, ledger_gate.labelled_since(ledger, mark))
    asked = _documents(params_, ledger_gate.asked_for(ledger))
    rows = compared(paths, model, newest, asked, said_by, paths.bundles / champion.bundle)
    parts = [] if rows.is_empty() else callers.without_each(rows)
    if not parts:
        return [], [f"no test document is left on which {champion.tag} could be compared"]
    target, bounds = targets.of(params_), params_.evaluate.length_bounds
    return [comparison.compare(part, target, params_.gate, bounds) for part in parts], []


def _callers(params_: params.Params, ledger: Ledger) -> dict[str, str]:
    said_by = callers.of_predictions(ledger)
    documents = _documents(params_, list(said_by))
    return {id_: said_by[id_.partition("/")[2]] for id_ in documents}


def _measured(
    params_: params.Params, paths: Paths, measured: dict[str, Any], said_by: dict[str, str]
) -> list[dict[str, Any]]:
    """metrics.json, or instead the same without each caller who has texts on the test side."""
    if not said_by:
        return [measured]
    rows = _answered(paths).select("candidate", actual="label", caller=_caller(said_by))
    if rows["caller"].is_null().all():
        return [measured]
    return [
        callers.measured_on(part, measured, params_) for part in callers.without_each(rows)
    ] or [measured]


def stood(params_: params.Params, paths: Paths, candidate: str) -> bool:
    """Whether a rehearsal of this candidate is there, and found nothing to object to."""
    return all(check.passed for check in rehearsed(_rehearsal(paths, candidate), params_.gate))


def _rehearsal(paths: Paths, candidate: str) -> dict[str, Any] | None:
    file = paths.rehearsals / f"{candidate}.json"
    return tables.read_json(file) if file.exists() else None


def compared(
    paths: Paths,
    champion: bundle.Model,
    newest: list[str],
    asked: list[str],
    said_by: dict[str, str],
    folder: Path | None = None,
) -> pl.DataFrame:
    """One row a text of the test side: what `comparison.compare` wants.

    A text that stands there twice counts once: repeats are no new evidence. Texts whose label the
    label queue asked for are left out: it asks for those that are hard for the champion, and on
    them any other model looks better.

    A champion that was measured by cross-validation learned from all its documents. Its bundle has
    the answers of the folds' models to them, which count instead of its own. If the candidate alone
    was measured so, only the documents that would be on the test side count: the champion did not
    learn from them.

    Args:
        champion: the model that serves.
        newest: ids of documents that people labelled since it was made. Only those that fell on
            the test side count: the candidate learned from the others.
        asked: ids of documents that the label queue asked for.
        said_by: document -> the caller whose label it has, where that may not decide alone.
        folder: of the champion's bundle; None: it has no answers.
    """
    rows = (
        _answered(paths)
        .filter(~pl.col("id").is_in(asked))
        .unique("text", keep="first", maintain_order=True)
    )
    texts = rows["text"].to_list()
    own = bundle_answers.read(folder, texts, keys.pseudonym_key(paths.keys)) if folder else None
    if own is None and "side" in rows.columns:
        rows, own = rows.filter(pl.col("side") == "test"), []
        texts = rows["text"].to_list()
    said = champion.predict(texts).labels
    if own:
        said = [answer or label for answer, label in zip(own, said, strict=True)]
    return rows.select(
        "candidate",
        "source",
        champion=pl.Series(said, dtype=pl.String),
        actual="label",
        recent=pl.col("id").is_in(newest),
        length=pl.col("text").str.len_chars(),
        caller=_caller(said_by),
    )


def _answered(paths: Paths) -> pl.DataFrame:
    """The test side, with the answers of the candidate; and of the simplest models, if any."""
    answers = tables.read_table(paths.evaluated / "predictions.parquet")
    test = folds.measured(paths)
    if answers["id"].to_list() != test["id"].to_list():
        raise DataError(
            f"Expected an answer of the candidate to each document of {paths.split}, got others. "
            "Run `dvc repro evaluate`."
        )
    simple = [answers[model] for model in Simple if model in answers.columns]
    return test.with_columns(answers["predicted"].alias("candidate"), *simple)


def _caller(said_by: dict[str, str]) -> pl.Expr:
    return pl.col("id").replace_strict(said_by, default=None, return_dtype=pl.String)


def _documents(params_: params.Params, predictions: list[str]) -> list[str]:
    """The ids that these predictions have as documents of the feedback sources."""
    sources = [one.name for one in params_.ingest.sources if one.kind == "feedback"]
    return [f"{source}/{id_}" for source in sources for id_ in predictions]


def _leaks(paths: Paths) -> int:
    """Documents in which validate's leak test found personal data, and that went on."""
    validation = tables.read_json(paths.validated / "validation.json")
    leaks = validation["leaks"] if "leaks" in validation else _leaks_of_0_1(validation)
    if leaks is None:
        raise DataError(
            f"Expected the leak test's result in {paths.validated}, it has none. Run `dvc repro "
            "--force validate`."
        )
    return int(leaks)


def _leaks_of_0_1(validation: dict[str, Any]) -> int | None:
    """The same from a file of 0.1.0, as a champion of that version makes it in the workspace."""
    rows = validation["expectations"].get("Documents that go on", [])
    return next((row["unexpected"] for row in rows if row["column"] == "leaks"), None)


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
    return baselines.sample(accuracy, measured["documents"], disagreement, settings)


def _steps(
    params_: params.Params,
    paths: Paths,
    measured: dict[str, Any],
    checks: list[Check],
    sample: Sample | None,
) -> list[Step]:
    file = paths.split / "split.json"
    split = tables.read_json(file) if file.exists() else {}
    findings = advice.Findings(
        measured=measured,
        answers=_answered(paths).select(actual="label", predicted="candidate"),
        train_documents=split.get("sides", {}).get("train", {}).get("by_class", {}),
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
