"""Output at the end of a learning run, whether it released a model or not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape

from components.core.ledger.verdicts import RunOutcome
from components.core.metrics import Interval, wilson
from components.core.paths import Paths
from components.gate import report
from flows import privacy_report
from flows.cli import output
from flows.prefect_auth import HOW

_MASKED_SHOWN = 6  # entities in the table at the end of a run; the page lists all entities
_FAILED_SHOWN = 12  # checks of a candidate; with many classes there may be many more
_CONFIDENCE = 0.95  # of the interval of a class's recall
_WIDTH = 12  # columns of the first column
NOT_RELEASED = (RunOutcome.KEPT, RunOutcome.REFUSED, RunOutcome.CANNOT_SAY)


def show(summary: dict[str, Any], paths: Paths, server: str, json_wanted: bool) -> None:
    """Prints stages, metrics, the gate's answer with the next steps, and the addresses of pages.

    Args:
        summary: of flows.learning, with `privacy`, the result of `privacy_report.write`.
        paths: of the project.
        server: URL of the Prefect API.
        json_wanted: print JSON instead.
    """
    addresses = links(summary, paths, server)
    if json_wanted:
        output.as_json({**summary, "links": addresses})
        return
    out = output.console()
    out.print()
    _stages(summary)
    for name, value in _metrics(summary["metrics"] or {}):
        _line(out, name, value)
    _decision(out, summary)
    _line(out, "version", f"{output.plain(summary['version'])} ({summary['outcome']})")
    _privacy(out, summary["privacy"]["masked"])
    out.print()
    for name, address in addresses.items():
        _line(out, name, address)
    _line(out, "", HOW)
    _changed_pins(out, summary, paths)
    if summary["outcome"] not in NOT_RELEASED or summary["version"]:
        out.print(
            "\n`newsloop up` serves and monitors it; `newsloop down` stops the Prefect server."
        )


def _changed_pins(out: Console, summary: Mapping[str, Any], paths: Paths) -> None:
    from flows.dvc import workspace

    if changed := workspace.changed_pins(paths.root):
        files = " ".join(changed)
        subject = f"Pins of {summary['version']}" if summary["version"] else "Pins of a run"
        _line(out, "git", f"the run changed {output.plain(changed)}; this commits them:")
        _line(out, "", f'git commit -m "{subject}" -- {files}')


def links(summary: Mapping[str, Any], paths: Paths, server: str) -> dict[str, str]:
    """Addresses of the pages that exist, by name; those of the gate for each candidate."""
    pages = {
        "home": paths.home_page,
        "Data Docs": paths.data_docs / "index.html",
        "evaluation": paths.evaluation_page,
        "privacy": Path(summary["privacy"]["page"]),
    }
    decisions = summary["decisions"] or [summary["decision"] or {}]
    for number, decision in enumerate(decisions, start=1):
        name = "gate" if number == len(decisions) else f"gate, {decision['architecture']}"
        pages[name] = paths.decisions / f"{decision.get('id')}.html"
    run = f"{server.removesuffix('/api')}/runs/flow-run/{summary['flow_run']}"
    return {
        **{name: page.as_uri() for name, page in pages.items() if page.exists()},
        "Prefect run": run,
    }


def _line(out: Console, name: str, value: str) -> None:
    out.print(
        f"{name:<{_WIDTH}}{value}" if len(name) < _WIDTH else f"{name}  {value}", markup=False
    )


def _stages(summary: Mapping[str, Any]) -> None:
    from flows.dvc.pipeline import StageOutcome

    stages = output.table("stage", "", "seconds", right=("seconds",))
    for stage, outcome, seconds in summary["stages"]:
        took = f"{seconds:.1f}" if outcome != StageOutcome.UNCHANGED else ""
        stages.add_row(stage, outcome, took)
    output.show(stages)


def _metrics(metrics: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The metrics with intervals; of imbalanced classes macro F1 and the weakest class first."""
    if not metrics:
        return
    lines = [
        ("accuracy", _interval(Interval(**metrics["accuracy"]))),
        ("macro F1", _interval(Interval(**metrics["macro_f1"]))),
        *_weakest(metrics.get("classes", {})),
    ]
    yield from lines[1:] + lines[:1] if metrics.get("imbalanced") else lines
    if majority := metrics.get("majority"):
        yield (
            "majority",
            f"{majority['accuracy']['value']:.4f}  if every answer is {majority['label']}",
        )
    baseline = metrics.get("baseline", {})
    if "accuracy" in baseline:
        yield "baseline", f"{baseline['accuracy']['value']:.4f}  {baseline['name']}"
    yield "candidate", metrics["architecture"]


def _weakest(classes: Mapping[str, Mapping[str, float]]) -> Iterator[tuple[str, str]]:
    measured = {name: row for name, row in classes.items() if row["documents"]}
    if not measured:
        return
    name, row = min(measured.items(), key=lambda entry: entry[1]["f1"])
    documents = int(row["documents"])
    recall = wilson(round(row["recall"] * documents), documents, _CONFIDENCE)
    yield "weakest", f"{_interval(recall)}  recall of {name}, {documents} documents"


def _interval(interval: Interval) -> str:
    return f"{interval.value:.4f}  ({interval.low:.4f} to {interval.high:.4f})"


def _decision(out: Console, summary: Mapping[str, Any]) -> None:
    decision = summary["decision"]
    if not decision:
        return
    passed = sum(check["passed"] for check in decision["checks"])
    _line(out, "gate", f"{passed} of {len(decision['checks'])} checks passed")
    if summary["outcome"] not in NOT_RELEASED:
        return
    for each in summary["decisions"]:
        failed = [_failed(check) for check in each["checks"] if not check["passed"]]
        if (more := len(failed) - _FAILED_SHOWN) > 0:
            failed[_FAILED_SHOWN:] = [f"{more} more checks failed; its page shows all"]
        for line in [*failed, *each["remarks"]]:
            _line(out, "", f"{each['architecture']}: {line}")
    if sample := decision["sample"]:
        _line(out, "evidence", report.evidence(sample))
    for number, step in enumerate(decision["steps"], start=1):
        _line(out, "" if number > 1 else "next", f"{number}. {step['text']}")
    if summary["outcome"] != RunOutcome.CANNOT_SAY:
        promote = f"`newsloop promote {decision['candidate'][:12]} --because ...`"
        _line(out, "", f"{promote} releases {decision['architecture']} anyway")


def _failed(check: Mapping[str, Any]) -> str:
    """
    >>> _failed({"name": "accuracy", "value": 0.9, "limit": 0.95, "ceiling": False})
    'accuracy is 0.9, must be at least 0.95'
    """
    if check.get("undecided"):
        return f"{check['name']}: no result"
    bound = "at most" if check["ceiling"] else "at least"
    proof = ", not proven" if check.get("proof") else ""
    return f"{check['name']} is {check['value']:.4g}, must be {bound} {check['limit']:.4g}{proof}"


def _privacy(out: Console, counts: dict[str, dict[str, int]]) -> None:
    masked = privacy_report.rows(counts)
    if len(masked) > 1:
        out.print()
        entities = output.table(*masked[0], right=masked[0][1:])
        for row in masked[1 : _MASKED_SHOWN + 1]:
            entities.add_row(*row)
        output.show(entities)
    if note := privacy_report.unsearched(counts):
        out.print(f"\n{escape(note)}")
