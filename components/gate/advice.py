"""Next steps after a candidate that was not released, in order of their estimated gain.

Each rule reads what the stages measured, and gives a step only if the measurement supports it. A
gain is an estimate in points of the metric that the candidate is compared in: accuracy, or macro F1
where classes are imbalanced. It only orders the steps.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import polars as pl

from components.core.params import Params
from components.gate.baselines import Sample
from components.gate.checks import Check, CheckKind

SHOWN = 3
# Error falls as the number of documents to the power -0.35: the upper end of what Hestness et al.
# 2017, "Deep Learning Scaling is Predictable, Empirically", measured.
_LEARNING = 0.35
_CLEARER = 0.5  # share of a confused pair's mistakes that a clear definition may avoid
_MIN_CONFUSED = 3  # mistakes of a pair of classes, and ...
_CONFUSED_SHARE = 0.2  # ... their share of all mistakes, to be named
_MIN_NOISE = 0.02  # share of labels that look wrong
_MIN_GAP = 0.05  # of accuracy between the shortest texts and the others
_DECIDES = 1.0  # gain of a step without which nothing is released
_PRETRAINED = "pretrained"
_COSTS = ("max_latency_ms", "max_memory_mib", "max_bundle_mib")


class Kind(StrEnum):
    REHEARSE = "rehearse again"
    LIMIT = "time, memory or size"
    LEAKS = "personal data"
    FLOOR = "floor"
    CANDIDATE = "candidate"
    DOCUMENTS = "documents of a class"
    LABELS = "labels"
    CONFUSION = "confused classes"
    SHORT_TEXTS = "short texts"
    TEST_DOCUMENTS = "test documents"


@dataclass(frozen=True)
class Step:
    """A next step.

    Attributes:
        kind: of the step.
        gain: estimate, in [0, 1], see the module; None: unknown.
        values: the numbers and names that the step is about.
        text: the step for people, one or two sentences.
    """

    kind: Kind
    gain: float | None
    text: str
    values: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Findings:
    """Facts that the rules read.

    Attributes:
        measured: metrics.json.
        answers: actual and predicted of each test document.
        train_documents: class -> documents of the train side; empty if unknown.
        checks: of the decision.
        sample: how much the test documents prove; None if unknown.
    """

    measured: Mapping[str, Any]
    answers: pl.DataFrame
    train_documents: Mapping[str, int]
    checks: Sequence[Check]
    sample: Sample | None


def steps(findings: Findings, params: Params) -> list[Step]:
    """The steps with the largest gain, at most SHOWN; those of unknown gain come last."""
    improvements = [
        *_documents(findings), *_labels(findings), *_confusion(findings), *_short_texts(findings),
        *_candidates(findings, params), *_test_documents(findings),
    ]  # fmt: skip
    reach = max((step.gain or 0.0 for step in improvements), default=0.0)
    every = [
        *_rehearsal(findings), *_leaks(findings), *_floors(findings, reach),
        *(improvements if _lacks_quality(findings) else ()),
    ]  # fmt: skip
    return sorted(every, key=lambda step: -1.0 if step.gain is None else step.gain, reverse=True)[
        :SHOWN
    ]


def _lacks_quality(findings: Findings) -> bool:
    """True if a failed check is about the answers, and not about time, size, data or service."""
    others = (*_COSTS, "max_leaks")
    return any(
        check.setting not in others and check.kind != CheckKind.REHEARSAL
        for check in _failed(findings)
    )


def _failed(findings: Findings) -> list[Check]:
    return [check for check in findings.checks if not check.passed]


def _rehearsal(findings: Findings) -> Iterator[Step]:
    for check in _failed(findings):
        if check.undecided:
            yield Step(
                Kind.REHEARSE,
                _DECIDES,
                "Remove the cause, or wait until the machine is less busy, and give `newsloop run` "
                "again: it trains nothing and only repeats the rehearsal. gate.rehearsal_seconds "
                "gives the service more time.",
            )
        elif check.setting in _COSTS:
            yield Step(
                Kind.LIMIT,
                _DECIDES,
                f"{check.name}: {check.value:.4g} on this machine, the limit is {check.limit:.4g}. "
                "Put a smaller architecture first in train.candidates, such as linear, or raise "
                f"gate.{check.setting}.",
                {"setting": check.setting, "value": check.value, "limit": check.limit},
            )


def _leaks(findings: Findings) -> Iterator[Step]:
    for check in _failed(findings):
        if check.setting == "max_leaks":
            yield Step(
                Kind.LEAKS,
                _DECIDES,
                f"Have the remaining personal data masked: {check.value:.0f} documents hold some. "
                "Data Docs name its kinds, ingest.scrub sets what is searched for.",
                {"documents": int(check.value)},
            )


def _floors(findings: Findings, reach: float) -> Iterator[Step]:
    """A floor above the interval of the measurement; first if no other step may reach it."""
    intervals = {"min_accuracy": "accuracy", "min_macro_f1": "macro_f1"}
    for check in _failed(findings):
        if (key := intervals.get(check.setting)) is None:
            continue
        interval = findings.measured[key]
        if interval.get("high", 1.0) < check.limit:
            beyond = check.limit - check.value > reach
            yield Step(
                Kind.FLOOR,
                _DECIDES if beyond else None,
                f"gate.{check.setting} is {check.limit:.4g}, above what these documents allow "
                f"({interval['low']:.3f} to {interval['high']:.3f}). Lower it, or set it to null: "
                "then only the comparisons count.",
                {"setting": check.setting, "limit": check.limit, "value": check.value},
            )


def _documents(findings: Findings) -> Iterator[Step]:
    """More documents of the class whose mistakes cost most, by a learning curve."""
    counts = {name: count for name, count in findings.train_documents.items() if count}
    if not counts:
        return
    median = statistics.median(counts.values())
    gains = {
        name: _cost(findings, name)
        * (1 - (counts[name] / max(2 * counts[name], median)) ** _LEARNING)
        for name in findings.measured["classes"]
        if name in counts
    }
    if not gains or max(gains.values()) <= 0:
        return
    name = max(gains, key=gains.__getitem__)
    target, recall = max(2 * counts[name], round(median)), findings.measured["classes"][name]
    yield Step(
        Kind.DOCUMENTS,
        gains[name],
        f"Bring more documents of {name}: {counts[name]} to learn from, recall "
        f"{recall['recall']:.2f}. With {target} the mistakes should fall by "
        f"{1 - (counts[name] / target) ** _LEARNING:.0%}.",
        {"class": name, "documents": counts[name], "wanted": target},
    )


def _cost(findings: Findings, name: str) -> float:
    """Computes how much of the metric the mistakes on a class cost."""
    row = findings.measured["classes"][name]
    if findings.measured.get("imbalanced"):
        return float(1 - row.get("f1", 1.0)) / len(findings.measured["classes"])
    mistakes = findings.answers.filter(
        (pl.col("actual") == name) & (pl.col("predicted") != name)
    ).height
    return mistakes / max(findings.answers.height, 1)


def _labels(findings: Findings) -> Iterator[Step]:
    labels = findings.measured.get("label_errors") or {"searched": 0, "suspected": 0}
    share = labels["suspected"] / max(labels["searched"], 1)
    if share < _MIN_NOISE:
        return
    yield Step(
        Kind.LABELS,
        min(share, _errors(findings)),
        f"Review the labels: {labels['suspected']} of {labels['searched']} look wrong. The "
        "evaluation report lists the most suspicious, data/05_evaluated/suspects.parquet all.",
        {"suspected": labels["suspected"], "searched": labels["searched"]},
    )


def _errors(findings: Findings) -> float:
    return float(1 - findings.measured["accuracy"]["value"])


def _confusion(findings: Findings) -> Iterator[Step]:
    wrong = findings.answers.filter(pl.col("actual") != pl.col("predicted"))
    pairs = (
        wrong.select(
            first=pl.min_horizontal("actual", "predicted"),
            second=pl.max_horizontal("actual", "predicted"),
        )
        .group_by("first", "second")
        .len()
        .sort("len", "first", "second", descending=[True, False, False])
    )
    if pairs.is_empty() or findings.answers["predicted"].n_unique() == 1:
        return  # a model that always gives the same answer confuses nothing
    first, second, mistakes = pairs.row(0)
    if mistakes < _MIN_CONFUSED or mistakes < _CONFUSED_SHARE * wrong.height:
        return
    yield Step(
        Kind.CONFUSION,
        _CLEARER * mistakes / findings.answers.height,
        f"Define the border between {first} and {second}, or join them: {mistakes} of "
        f"{wrong.height} mistakes confuse the two.",
        {"classes": [first, second], "mistakes": mistakes, "of": wrong.height},
    )


def _short_texts(findings: Findings) -> Iterator[Step]:
    """Short texts that are right less often than the others; the first slice is the shortest."""
    slices = list((findings.measured.get("slices") or {}).get("length", {}).items())
    if len(slices) < 2:  # noqa: PLR2004 - nothing to compare
        return
    (name, shortest), *others = sorted(slices, key=lambda row: int(row[0].split()[0]))
    documents = sum(row["documents"] for _, row in others)
    accuracy = sum(row["documents"] * row["accuracy"]["value"] for _, row in others) / documents
    gap = accuracy - shortest["accuracy"]["value"]
    if gap < _MIN_GAP:
        return
    share = shortest["documents"] / (documents + shortest["documents"])
    yield Step(
        Kind.SHORT_TEXTS,
        gap * share,
        f"Add text to the shortest documents ({name}), such as a title or a second column: "
        f"{shortest['accuracy']['value']:.0%} of them are right, {accuracy:.0%} of the others.",
        {"slice": name, "accuracy": shortest["accuracy"]["value"], "others": accuracy},
    )


def _candidates(findings: Findings, params: Params) -> Iterator[Step]:
    """An architecture that train.candidates lacks."""
    tried, baseline = params.train.candidates, findings.measured.get("baseline") or {}
    key = "macro_f1" if findings.measured.get("imbalanced") else "accuracy"
    if "linear" not in tried and key in baseline:
        gain = baseline[key]["value"] - findings.measured[key]["value"]
        if gain > 0:
            yield Step(
                Kind.CANDIDATE,
                gain,
                f"Add linear to train.candidates: {baseline['name']} reaches "
                f"{baseline[key]['value']:.3f} on the same documents, the candidate "
                f"{findings.measured[key]['value']:.3f}.",
                {"candidate": "linear"},
            )
    if _PRETRAINED not in tried:
        yield Step(
            Kind.CANDIDATE,
            None,
            "Add pretrained to train.candidates: it knows other texts already, which helps most "
            "where documents are few; docs/learning.md says what it needs.",
            {"candidate": _PRETRAINED},
        )


def _test_documents(findings: Findings) -> Iterator[Step]:
    """More test documents, where a proof is all that is missing or the test side is small."""
    sample = findings.sample
    if sample is None or sample.documents >= sample.needed:
        return
    failed = _failed(findings)
    if not any(check.proof for check in failed):
        return
    proofs_only = all(check.proof or check.undecided for check in failed)
    yield Step(
        Kind.TEST_DOCUMENTS,
        sample.lead if proofs_only else None,
        f"Bring more labelled documents: {sample.documents} were measured, about "
        f"{sample.needed:,} would prove a lead of {sample.lead:g}.",
        {"documents": sample.documents, "needed": sample.needed},
    )
