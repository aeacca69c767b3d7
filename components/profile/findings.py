"""Findings as plain data, for a table on the terminal and for JSON."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from components.core.params import Params, documentation
from components.profile import Profile
from components.profile.estimate import estimate
from components.profile.oddities import oddities
from components.profile.privacy import ExampleScrubber
from components.profile.proposal import at
from components.profile.roles import reason

_EXAMPLES = 3
_EXAMPLE_CHARACTERS = 100
_CLASSES_SHOWN = 12
_NAMES_SHOWN = 6
_WORDS = 512  # of a document that an architecture without a limit reads
_LABELS = "ingest.labels"


def describe(
    profile: Profile,
    settings: Mapping[str, Any],
    changes: Mapping[str, Any],
    current: Mapping[str, Any],
    params: Params,
    privacy: ExampleScrubber,
    raw: bool = False,
) -> dict[str, Any]:
    """Describes what was found and what is proposed.

    Args:
        profile: of the data.
        settings, changes: all proposals, and those that differ from `current`, by dotted key.
        current: params.yaml as plain data.
        params: settings in effect.
        privacy: scrubs examples.
        raw: show examples and labels as they are.
    """
    summary = profile.summary
    hidden = privacy.labels({**summary.labels, **profile.classes.counts})
    shown: Callable[[str], str] = str if raw else hidden
    lengths = {"low": 0.05, "median": 0.5, "high": 0.95}
    return {
        "sources": [_source(source) for source in profile.sources],
        "documents": summary.documents,
        "complete": profile.complete,
        "classes": [
            {"class": shown(name), "documents": number}
            for name, number in profile.classes.counts.items()
        ],
        "languages": {code: round(share, 3) for code, share in profile.languages.items()},
        "characters": {name: summary.length(share) for name, share in lengths.items()},
        "repeated": summary.repeated,
        "parts": dict(summary.parts),
        "examples": _examples(profile, privacy, shown, raw),
        "odd": [odd._asdict() for odd in oddities(profile, shown)],
        "estimate": _estimate(profile, settings["train.candidates"][0], params),
        "settings": {key: _hidden(key, value, shown) for key, value in settings.items()},
        "changes": [
            {"key": key, "now": _short(key, at(current, key)), "then": _short(key, value, shown)}
            for key, value in changes.items()
        ],
    }


def _estimate(profile: Profile, candidate: str, params: Params) -> dict[str, Any]:
    words = getattr(getattr(params.train, candidate), "words", _WORDS)
    summary, classes = profile.summary, len(profile.classes.counts)
    cost = estimate(
        summary.documents, summary.characters, classes, candidate, words,
        params.ingest.scrub.workers,
    )  # fmt: skip
    return {"candidate": candidate, **asdict(cost)}


def _source(source: Any) -> dict[str, Any]:
    roles = source.roles
    columns = [
        {
            "column": column.name, "role": str(role), "reason": reason(role, column),
            "doubts": [other for other in roles.doubts.get(role, ()) if other != column.name],
        }
        for column in source.columns
        if (role := roles.of(column.name)) is not None
    ]  # fmt: skip
    return {
        "entry": source.entry,
        "rows": source.rows,
        "columns": columns,
        "unused": [column.name for column in source.columns if roles.of(column.name) is None],
    }


def _examples(
    profile: Profile, privacy: ExampleScrubber, shown: Callable[[str], str], raw: bool
) -> list[dict[str, str]]:
    """Takes one example of each of the first classes; cut after scrubbing."""
    first: dict[str, str] = {}
    names = profile.classes.names
    for text, label in profile.summary.texts.items:
        name = names.get(label or "", label or "")
        if name in profile.classes.counts and len(first) < _EXAMPLES:
            first.setdefault(name, text)
    texts = list(first.values()) if raw else privacy.scrubbed(list(first.values()))
    return [
        {"class": shown(name), "text": _cut(" ".join(text.split()))}
        for name, text in zip(first, texts, strict=True)
    ]


def _cut(text: str) -> str:
    if len(text) <= _EXAMPLE_CHARACTERS:
        return text
    return text[:_EXAMPLE_CHARACTERS].rstrip() + " ..."


def _hidden(key: str, value: Any, shown: Callable[[str], str]) -> Any:
    return [shown(name) for name in value] if key == _LABELS else value


def _short(key: str, value: Any, shown: Callable[[str], str] = str) -> str:
    """Formats a value on one line; of many classes the first ones, of entries a line each."""
    if key == _LABELS and isinstance(value, list):
        names = ", ".join(shown(str(name)) for name in value[:_CLASSES_SHOWN])
        rest = len(value) - _CLASSES_SHOWN
        return f"{names} and {rest} more" if rest > 0 else names
    if value is None:
        return "none"
    if isinstance(value, list) and value and isinstance(value[0], Mapping):
        return "\n".join(_entry(entry) for entry in value)
    return documentation.shown(value)


def _entry(entry: Mapping[str, Any]) -> str:
    names = entry.get("label_names", {})
    if len(names) > _NAMES_SHOWN:
        entry = {**entry, "label_names": f"{len(names)} names"}
    return documentation.shown(dict(entry))
