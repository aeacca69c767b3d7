"""Output of the command line: tables for people, JSON for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Collection, Mapping
from typing import Any, Literal

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from components.core.ledger.windows import TextCounts
from flows.prefect_auth import HOW

_PIPE_WIDTH = 10_000  # columns, more than any row has; a table uses only the columns it needs


def console() -> Console:
    """Returns the terminal; a pipe or a file has no limit of width."""
    out = Console(highlight=False, emoji=False, soft_wrap=True)
    return (
        out
        if out.is_terminal
        else Console(highlight=False, emoji=False, soft_wrap=True, width=_PIPE_WIDTH)
    )


def table(*names: str, right: Collection[str] = ()) -> Table:
    """Makes a table without lines; a narrow terminal folds its cells and never cuts them.

    Args:
        names: column names.
        right: names of the columns with numbers, which are aligned right.
    """
    columns = Table(box=None, padding=(0, 3, 0, 0), header_style="bold")
    for name in names:
        side: Literal["left", "right"] = "right" if name in right else "left"
        columns.add_column(escape(name), justify=side, overflow="fold")
    return columns


def show(rows: Table) -> None:
    console().print(rows, soft_wrap=False)


def plain(value: Any) -> str:
    """Formats a value of a setting or of a source for a person."""
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
    """Prints a line of progress on stderr."""
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


def error(message: str) -> None:
    """Prints an error as one paragraph on stderr."""
    say(f"newsloop: {' '.join(message.split())}")


def as_json(value: Any) -> None:
    sys.stdout.write(json.dumps(value, indent=2, default=str) + "\n")


def lines(for_people: list[str], for_programs: Any, json_wanted: bool) -> None:
    if json_wanted:
        as_json(for_programs)
    else:
        for line in for_people:
            console().print(escape(line))


def crossvalidation(summary: dict[str, Any], json_wanted: bool) -> None:
    """Prints mean and deviation of each candidate, and its difference from the first."""
    if json_wanted:
        as_json(summary)
        return
    numbers = ("accuracy", "+-", "macro F1", "+-", "errors", "first is better by", "p")
    compared = table("candidate", *numbers, right=numbers)
    for name, row in summary["candidates"].items():
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
        out.print(f"{name:<10}{_process_state(found, name)}")
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


def _process_state(found: dict[str, Any], name: str) -> str:
    process, left = found["processes"][name], found["left_over"][name]
    if process is None and left:
        listed = ", ".join(map(str, left))
        return (
            f"was killed and left process {listed} over: `newsloop down` ends that, `newsloop up` "
            "starts it anew"
        )
    if process is None:
        return "does not run"
    shown = f"(process {process['pid']})  {process['url']}"
    if process["stopped"]:
        return f"is stopped by a signal: `newsloop up` lets it go on {shown}"
    answers = {"server": found["prefect"]["answers"], "service": found["service"]["ready"]}
    return f"runs {shown}" if answers.get(name, True) else f"runs, but does not answer {shown}"


def card(found: dict[str, str], json_wanted: bool) -> None:
    """Prints a model card: formatted on a terminal, as Markdown into a pipe."""
    out = console()
    if json_wanted:
        as_json(found)
    elif out.is_terminal:
        from rich.markdown import Markdown

        out.print(Markdown(found["card"]))
        out.print(f"as a page: {escape(found['page'])}")
    else:
        sys.stdout.write(found["card"])
