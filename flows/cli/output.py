"""What the command line prints: tables for people, JSON for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Literal

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from components.core.ledger.verdicts import RunOutcome
from components.core.ledger.windows import TextCounts
from components.core.paths import Paths
from flows import privacy_report
from flows.control_plane import HOW

_PIPE_WIDTH = 10_000  # no row of ours is as wide; a table takes what it needs
_MASKED_SHOWN = 6  # entities in the table at the end of a run; the page has them all


def console() -> Console:
    """The terminal; a pipe or a file is as wide as a table needs."""
    out = Console(highlight=False, soft_wrap=True)
    return out if out.is_terminal else Console(highlight=False, soft_wrap=True, width=_PIPE_WIDTH)


def table(*names: str, right: Collection[str] = ()) -> Table:
    """A table without lines, whose cells are never cut: on a narrow terminal they are folded.

    Args:
        names: of the columns.
        right: names of those that hold numbers.
    """
    columns = Table(box=None, padding=(0, 3, 0, 0), header_style="bold")
    for name in names:
        side: Literal["left", "right"] = "right" if name in right else "left"
        columns.add_column(escape(name), justify=side, overflow="fold")
    return columns


def show(rows: Table) -> None:
    console().print(rows, soft_wrap=False)


def plain(value: Any) -> str:
    """A value of a setting or of a source as params.yaml has it, for a person."""
    if value is None or value in ([], {}):
        return "none"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {plain(item)}" for key, item in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(plain(item) for item in value)
    return str(value)


def say(line: str) -> None:
    """Progress, on stderr."""
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


def error(message: str) -> None:
    """One paragraph on stderr."""
    say(f"newsloop: {' '.join(message.split())}")


def as_json(value: Any) -> None:
    sys.stdout.write(json.dumps(value, indent=2, default=str) + "\n")


def lines(for_people: list[str], for_programs: Any, json_wanted: bool) -> None:
    if json_wanted:
        as_json(for_programs)
    else:
        for line in for_people:
            console().print(escape(line))


def crossvalidation(found: dict[str, Any], json_wanted: bool) -> None:
    """Mean and deviation by candidate, and how each differs from the first."""
    if json_wanted:
        as_json(found)
        return
    numbers = ("accuracy", "+-", "macro F1", "+-", "errors", "first is better by", "p")
    compared = table("candidate", *numbers, right=numbers)
    for name, row in found["candidates"].items():
        gap = row.get("first_is_better_by")
        compared.add_row(
            name,
            *(f"{row[key]:.4f}" for key in ("accuracy", "accuracy_deviation")),
            *(f"{row[key]:.4f}" for key in ("macro_f1", "macro_f1_deviation")),
            f"{row['errors']} of {row['documents']}",
            "" if gap is None else f"{gap:+.4f}",
            "" if gap is None else f"{row['p']:.2f}",
        )
    show(compared)


def learning(summary: dict[str, Any], paths: Paths, server: str, json_wanted: bool) -> None:
    """The table at the end of a learning run, and where to look."""
    from flows.dvc.pipeline import StageOutcome

    links = {
        "Data Docs": _file(paths.data_docs / "index.html"),
        "evaluation": _file(paths.evaluated / "report.html"),
        "privacy": _file(Path(summary["privacy"]["page"])),
        **({"gate": page} if (page := _decision_page(summary, paths)) else {}),
        "Prefect run": f"{server.removesuffix('/api')}/runs/flow-run/{summary['flow_run']}",
    }
    if json_wanted:
        as_json({**summary, "links": links})
        return
    out = console()
    stages = table("stage", "", "seconds", right=("seconds",))
    for stage, outcome, seconds in summary["stages"]:
        took = f"{seconds:.1f}" if outcome != StageOutcome.UNCHANGED else ""
        stages.add_row(stage, outcome, took)
    out.print()
    show(stages)
    metrics, decision = summary["metrics"], summary["decision"]
    if metrics:
        for key, name in (("accuracy", "accuracy"), ("macro_f1", "macro F1")):
            found = metrics[key]
            out.print(
                f"{name:<12}{found['value']:.4f}  ({found['low']:.4f} to {found['high']:.4f})",
                markup=False,
            )
        out.print(f"candidate   {metrics['architecture']}")
    if decision:
        passed = sum(check["passed"] for check in decision["checks"])
        out.print(f"gate        {passed} of {len(decision['checks'])} checks passed")
        if summary["outcome"] == RunOutcome.KEPT:
            for reason in decision["reasons"]:
                out.print(f"            {escape(reason)}")
            promote = f"`newsloop promote {decision['candidate'][:12]} --because ...`"
            out.print(f"            {promote} releases it anyway")
    out.print(f"version     {plain(summary['version'])} ({summary['outcome']})")
    masked = privacy_report.rows(summary["privacy"]["masked"])
    if len(masked) > 1:
        out.print()
        shown = table(*masked[0], right=masked[0][1:])
        for row in masked[1 : _MASKED_SHOWN + 1]:
            shown.add_row(*row)
        show(shown)
    if note := privacy_report.unsearched(summary["privacy"]["masked"]):
        out.print(f"\n{note}")
    out.print()
    for name, place in links.items():
        out.print(f"{name:<12}{escape(place)}")
    out.print(f"{'':<12}{escape(HOW)}")
    out.print("\n`newsloop up` serves it and watches it; `newsloop down` ends the Prefect server.")


def monitoring(outcome: dict[str, Any], json_wanted: bool) -> None:
    lines([*outcome["lines"], f"report: {outcome['report']}"], outcome, json_wanted)


def status(found: dict[str, Any], json_wanted: bool) -> None:
    if json_wanted:
        as_json(found)
        return
    out = console()
    champion = found["champion"]
    if champion:
        accuracy = champion["metrics"]["accuracy"]["value"]
        out.print(
            f"champion  {champion['tag']}, {champion['metrics']['architecture']}, test accuracy "
            f"{accuracy:.4f}, since {champion['time'][:16]} UTC ({escape(champion['reason'])})"
        )
    else:
        out.print("champion  none yet: `newsloop run` makes one")
    serving = found["service"]["model"]
    for name, process in found["processes"].items():
        state = f"runs (process {process['pid']})  {process['url']}" if process else "does not run"
        out.print(f"{name:<10}{state}")
        if process and name == "server":
            out.print(f"{'':<10}{escape(HOW)}")
    if found["prefect"]["answers"] and not found["processes"]["server"]:
        out.print(
            f"{'':<10}a Prefect server that we did not start answers at {found['prefect']['url']}"
        )
    if serving:
        out.print(f"serving   {escape(str(serving.get('tag') or serving.get('bundle')))}")
    if texts := TextCounts(**found["texts"]).summary():
        out.print(f"texts     {texts}, in a day")
    for line in found["disagreements"]:
        out.print(f"disagrees {escape(line)}")
    for line in found["alerts"]:
        out.print(f"alert     {escape(line)}")


def card(found: dict[str, str], json_wanted: bool) -> None:
    """A model card; a terminal shows its headings and tables, a pipe gets the Markdown."""
    out = console()
    if json_wanted:
        as_json(found)
    elif out.is_terminal:
        from rich.markdown import Markdown

        out.print(Markdown(found["card"]))
        out.print(f"as a page: {escape(found['page'])}")
    else:
        sys.stdout.write(found["card"])


def _decision_page(summary: dict[str, Any], paths: Paths) -> str | None:
    page = paths.decisions / f"{(summary['decision'] or {}).get('id')}.html"
    return _file(page) if page.exists() else None


def _file(path: Any) -> str:
    return str(path.as_uri())
