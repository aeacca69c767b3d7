"""Recognizes exports of annotation tools among JSON records, and the field with the text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from components.profile.columns import measure
from components.profile.locate import Entry
from components.profile.names import Role
from components.profile.roles import choose
from components.sources import READERS

KIND = "annotations"
_FIELDS = ("data", "fields", "inputs")  # where Label Studio, Argilla and Argilla 1 put the text
_PRODIGY, _JSON_MIN = "_input_hash", frozenset({"annotation_id", "lead_time"})


def as_export(
    entry: Entry, rows: Sequence[Mapping[str, object]], text: Sequence[str] = ()
) -> Entry | None:
    """Returns the entry of a source of annotations; None for rows of no annotation tool.

    Args:
        entry: of kind json or jsonl.
        rows: flat records.
        text: fields that a person named.
    """
    if entry["kind"] not in ("json", "jsonl") or KIND not in READERS or not _is_export(rows[0]):
        return None
    prefix = next((f"{name}." for name in _FIELDS if _below(rows[0], name)), "")
    fields = [
        {name.removeprefix(prefix): row[name] for name in row if name.startswith(prefix)}
        for row in rows
    ]
    # The labels are found by the reader; here no column is one.
    chosen = tuple(text) or choose(measure(fields), fields, {Role.LABEL: ()}).text
    found = {**entry, "kind": KIND}
    if chosen and chosen != ("text",):
        found["text"] = list(chosen) if len(chosen) > 1 else chosen[0]
    return found


def _is_export(row: Mapping[str, object]) -> bool:
    annotations = row.get("annotations", row.get("completions"))
    listed = isinstance(annotations, list) and all(isinstance(a, Mapping) for a in annotations)
    return (
        (listed and (_below(row, "data") or "text" in row))
        or (_below(row, "fields") and (_below(row, "responses") or _below(row, "suggestions")))
        or _PRODIGY in row
        or ("answer" in row and ("accept" in row or "options" in row))
        or not _JSON_MIN.isdisjoint(row)
        or (_below(row, "annotation") and "status" in row)
    )


def _below(row: Mapping[str, object], name: str) -> bool:
    """Tests for a key, or for keys of a nested object of that name."""
    return name in row or any(key.startswith(f"{name}.") for key in row)
