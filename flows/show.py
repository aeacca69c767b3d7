"""What the command line prints: tables for people, JSON for programs."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from components.core.paths import Paths
from flows import privacy_report

_MASKED_SHOWN = 6  # entities in the table at the end of a run; the page has them all


def _console() -> Console:
    return Console(highlight=False, soft_wrap=True)


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
            _console().print(escape(line))


def crossvalidation(found: dict[str, Any], json_wanted: bool) -> None:
    """Mean and deviation by candidate, and how each differs from the first."""
    if json_wanted:
        as_json(found)
        return
    table = Table(box=None, padding=(0, 3, 0, 0), header_style="bold")
    table.add_column("candidate")
    for name in ("accuracy", "+-", "macro F1", "+-", "errors", "first is better by", "p"):
        table.add_column(name, justify="right")
    for name, row in found["candidates"].items():
        gap = row.get("first_is_better_by")
        table.add_row(
            name,
            *(f"{row[key]:.4f}" for key in ("accuracy", "accuracy_deviation")),
            *(f"{row[key]:.4f}" for key in ("macro_f1", "macro_f1_deviation")),
            f"{row['errors']} of {row['documents']}",
            "" if gap is None else f"{gap:+.4f}",
            "" if gap is None else f"{row['p']:.2f}",
        )
    _console().print(table)


def learning(summary: dict[str, Any], paths: Paths, server: str, json_wanted: bool) -> None:
    """The table at the end of a learning run, and where to look."""
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
    console = _console()
    table = Table(box=None, padding=(0, 3, 0, 0), header_style="bold")
    for name, side in (("stage", "left"), ("", "left"), ("seconds", "right")):
        table.add_column(name, justify=side)  # type: ignore[arg-type]
    for stage, outcome, seconds in summary["stages"]:
        table.add_row(stage, outcome, f"{seconds:.1f}" if outcome != "unchanged" else "")
    console.print()
    console.print(table)
    metrics, decision = summary["metrics"], summary["decision"]
    if metrics:
        for key, name in (("accuracy", "accuracy"), ("macro_f1", "macro F1")):
            found = metrics[key]
            console.print(
                f"{name:<12}{found['value']:.4f}  [{found['low']:.4f}, {found['high']:.4f}]",
                markup=False,
            )
        console.print(f"candidate   {metrics['architecture']}")
    if decision:
        passed = sum(check["passed"] for check in decision["checks"])
        console.print(f"gate        {passed} of {len(decision['checks'])} checks passed")
        if summary["outcome"] == "kept":
            for reason in decision["reasons"]:
                console.print(f"            {escape(reason)}")
            promote = f"`newsloop promote {decision['candidate'][:12]} --because ...`"
            console.print(f"            {promote} releases it anyway")
    console.print(f"version     {summary['version']} ({summary['outcome']})")
    masked = privacy_report.rows(summary["privacy"]["masked"])
    if len(masked) > 1:
        console.print()
        shown = Table(box=None, padding=(0, 3, 0, 0), header_style="bold")
        for i, name in enumerate(masked[0]):
            shown.add_column(name, justify="right" if i else "left")
        for row in masked[1 : _MASKED_SHOWN + 1]:
            shown.add_row(*row)
        console.print(shown)
    console.print()
    for name, place in links.items():
        console.print(f"{name:<12}{escape(place)}")
    console.print(
        "\n`newsloop up` serves it and watches it; `newsloop down` ends the Prefect server."
    )


def monitoring(outcome: dict[str, Any], json_wanted: bool) -> None:
    lines([*outcome["lines"], f"report: {outcome['report']}"], outcome, json_wanted)


def status(found: dict[str, Any], json_wanted: bool) -> None:
    if json_wanted:
        as_json(found)
        return
    console = _console()
    champion = found["champion"]
    if champion:
        accuracy = champion["metrics"]["accuracy"]["value"]
        console.print(
            f"champion  {champion['tag']}, {champion['metrics']['architecture']}, test accuracy "
            f"{accuracy:.4f}, since {champion['time'][:16]} UTC ({escape(champion['reason'])})"
        )
    else:
        console.print("champion  none yet: `newsloop run` makes one")
    serving = found["service"]["model"]
    for name, process in found["processes"].items():
        state = f"runs (process {process['pid']})  {process['url']}" if process else "does not run"
        console.print(f"{name:<10}{state}")
    if found["prefect"]["answers"] and not found["processes"]["server"]:
        console.print(
            f"{'':<10}a Prefect server that we did not start answers at {found['prefect']['url']}"
        )
    if serving:
        console.print(f"serving   {escape(str(serving.get('tag') or serving.get('bundle')))}")


def models(versions: list[dict[str, Any]], champion: int | None, json_wanted: bool) -> None:
    if json_wanted:
        as_json(versions)
        return
    table = Table(box=None, padding=(0, 3, 0, 0), header_style="bold")
    for name in ("version", "", "released (UTC)", "architecture", "accuracy", "macro F1", "bundle"):
        table.add_column(name)
    for row in versions:
        metrics = row["metrics"]
        table.add_row(
            f"v{row['version']}",
            ", ".join(
                word
                for word, holds in (
                    ("champion", row["version"] == champion),
                    ("retired", row.get("retired")),
                )
                if holds
            ),
            row["time"].strftime("%Y-%m-%d %H:%M"),
            metrics["architecture"],
            f"{metrics['accuracy']['value']:.4f}",
            f"{metrics['macro_f1']['value']:.4f}",
            row["bundle"][:12],
        )
    _console().print(table if versions else "none yet: `newsloop run` makes one")
    for row in versions:
        if because := row["decision"].get("promoted"):
            _console().print(f"v{row['version']} was released against the gate: {escape(because)}")


def _decision_page(summary: dict[str, Any], paths: Paths) -> str | None:
    page = paths.decisions / f"{(summary['decision'] or {}).get('id')}.html"
    return _file(page) if page.exists() else None


def _file(path: Any) -> str:
    return str(path.as_uri())
