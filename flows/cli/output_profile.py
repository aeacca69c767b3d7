"""Output of `newsloop init`: what was found in the data, and what params.yaml gets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.markup import escape

from flows.cli import output

_LARGEST, _SMALLEST = 15, 5  # classes that are shown of many
_UNUSED_SHOWN = 12


def show(found: dict[str, Any]) -> None:
    """Prints the findings: sources, columns, classes, texts, examples, oddities, proposals."""
    out = output.console()
    for source in found["sources"]:
        entry = source["entry"]
        address = entry.get("path", entry.get("url_env", ""))
        inside = f", {entry['inside']}" if entry.get("inside") else ""
        out.print(f"{entry['name']}: {entry['kind']}, {escape(address + inside)}", markup=True)
        _columns(source)
        out.print()
    _texts(found)
    classes = output.table("class", "documents", "share", right=("documents", "share"))
    total = sum(row["documents"] for row in found["classes"]) or 1
    rows = sorted(found["classes"], key=lambda row: -row["documents"])
    hidden = max(0, len(rows) - _LARGEST - _SMALLEST)
    for number, row in enumerate(rows):
        if hidden and number == _LARGEST:
            classes.add_row(f"... {hidden} more", "", "")
        if not hidden or number < _LARGEST or number >= len(rows) - _SMALLEST:
            share = f"{row['documents'] / total:.1%}"
            classes.add_row(escape(row["class"]), f"{row['documents']:,}", share)
    output.show(classes)
    out.print()
    for example in found["examples"]:
        out.print(f"[dim]{escape(example['class'])}:[/dim] {escape(example['text'])}")
    if found["odd"]:
        out.print("\n[bold]Odd[/bold]")
        for odd in found["odd"]:
            out.print(f"- {escape(odd['text'])}")
    if found["changes"]:
        out.print()
        changes = output.table("params.yaml", "now", "proposed")
        for change in found["changes"]:
            changes.add_row(*(escape(change[key]) for key in ("key", "now", "then")))
        output.show(changes)


def _columns(source: dict[str, Any]) -> None:
    if not source["columns"]:
        return
    columns = output.table("column", "role", "reason")
    for column in source["columns"]:
        reason = column["reason"]
        if column["doubts"]:
            flag = f"--{column['role']}"
            reason += f"; or {', '.join(column['doubts'])}: choose by {flag}"
        columns.add_row(escape(column["column"]), column["role"], escape(reason))
    unused = source["unused"]
    if unused:
        rest = f" and {len(unused) - _UNUSED_SHOWN} more" if len(unused) > _UNUSED_SHOWN else ""
        columns.add_row(escape(", ".join(unused[:_UNUSED_SHOWN]) + rest), "not read", "")
    output.show(columns)


def _texts(found: dict[str, Any]) -> None:
    """Prints counts of all documents, a line each."""
    lengths = found["characters"]
    first = "" if found["complete"] else "the first "
    facts = {
        "documents": f"{first}{found['documents']:,}, {found['repeated']:,} of them repeat another",
        "characters": f"{lengths['median']:,} (half of the texts), {lengths['low']:,} to "
        f"{lengths['high']:,} (nine of ten)",
        "languages": ", ".join(f"{code} {share:.0%}" for code, share in found["languages"].items())
        or "too short to be detected",
        "split": ", ".join(f"{part} {number:,}" for part, number in found["parts"].items()),
    }
    for name, fact in facts.items():
        if fact:
            output.console().print(f"{name:<12}{fact}", markup=False)
    output.console().print()


def finish(found: dict[str, Any], params: Path, check: bool, as_json: bool) -> None:
    """Prints what was written, and what to do next."""
    if as_json:
        output.as_json(found)
        return
    from components.profile.estimate import duration

    cost = found["estimate"]
    if not found["changes"]:
        result = f"{params} has these values already."
    elif found["written"]:
        result = f"Written: {params}. `git diff {params.name}` shows the changes."
    else:
        result = f"{params} was not changed{' (--check)' if check else ''}."
    output.console().print(f"\n{result}", markup=False)
    output.console().print(
        f"Next: `newsloop run`. Estimate by rates measured on two processors, not a measurement: "
        f"{duration(cost['seconds'])} with {cost['candidate']}, {cost['data_mb']:.0f} MB of data, "
        f"{cost['bundle_mb']} MB of model.",
        markup=False,
    )
