"""Settings for params.yaml that fit the profiled data."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from components.core import params as parameters
from components.core import tables
from components.core.params import Params, edit
from components.profile import Profile
from components.profile.locate import Entry

_LANGUAGE_SHARE = 0.02  # of the texts, from which a language is named
_NAMED = 0.95  # share of the texts in the named languages; with fewer no language is asked for
_UNSPACED = 0.3  # share of letters in scripts without spaces, from which a token is a character
_SMALL = 2_000  # documents, below which the linear model is as good and costs seconds
_MANY_CLASSES = 50
_LARGE = 200_000  # documents, above which a network takes hours on two cores
_IMBALANCE = 3  # largest class over smallest class, from which rare classes get more weight
_ROOM = 1.25  # times the measured share, for the next export of the same kind
_MOST_SHARE = 0.95
_FEEDBACK = {"name": "feedback", "kind": "feedback"}
_FLOORS = ("min_accuracy", "min_macro_f1", "min_class_recall")


def propose(profile: Profile, params: Params, sources: Sequence[Entry]) -> dict[str, Any]:
    """Proposes values by dotted key.

    Args:
        profile: of the data.
        params: settings in effect; limits are only changed where the data would be refused.
        sources: entries of ingest.sources in params.yaml; those of kind feedback stay.
    """
    summary, found = profile.summary, profile.classes
    labels = list(found.counts)
    entries = [_with_names(source.entry, found.names) for source in profile.sources]
    feedback = [dict(entry) for entry in sources if entry.get("kind") == "feedback"]
    if not feedback:
        feedback = [_FEEDBACK]
    named = [code for code, share in profile.languages.items() if share >= _LANGUAGE_SHARE]
    if sum(profile.languages[code] for code in named) < _NAMED:
        named = []
    settings: dict[str, Any] = {
        "ingest.labels": labels,
        "ingest.sources": [*entries, *feedback],
        "validate.languages": named,
        "split.by": "column" if summary.parts else "content",
        "text.unit": "chars" if profile.unspaced >= _UNSPACED else "words",
        "train.candidates": candidates(summary.documents, len(labels)),
        "train.embedding": "glove" if named == ["en"] else "random",
        "train.fitting.class_weights": _weights(list(found.counts.values())),
        **dict.fromkeys((f"gate.{floor}" for floor in _FLOORS), None),
    }
    return settings | _limits(profile, params)


def candidates(documents: int, classes: int) -> list[str]:
    """Proposes architectures: linear first for few documents or many classes, or else textcnn.

    >>> candidates(500, 3), candidates(9000, 4), candidates(9000, 150)
    (['linear', 'textcnn'], ['textcnn', 'linear'], ['linear'])
    """
    if classes > _MANY_CLASSES:
        return ["linear"]
    if documents < _SMALL or documents > _LARGE:
        return ["linear", "textcnn"]
    return ["textcnn", "linear"]


def _weights(counts: Sequence[int]) -> str:
    return "balanced" if counts and max(counts) > _IMBALANCE * max(1, min(counts)) else "none"


def _limits(profile: Profile, params: Params) -> dict[str, Any]:
    """Proposes limits of `validate` that the data would not pass."""
    summary, found, validate = profile.summary, profile.classes, params.validate_
    learned = sum(found.counts.values())
    limits: dict[str, Any] = {}
    if learned < validate.min_documents:
        limits["validate.min_documents"] = max(1, learned // 2)
    smallest = min(found.counts.values(), default=0)
    if smallest < validate.min_class_documents:
        limits["validate.min_class_documents"] = max(1, smallest)
    if summary.length(0.01) < validate.min_characters:
        limits["validate.min_characters"] = 1
    # Documents without a label are no bad rows.
    rows = summary.documents - summary.unlabelled + sum(profile.faults.values())
    bad = 1 - learned / max(1, rows)
    if bad * _ROOM > validate.max_bad_share:
        limits["validate.max_bad_share"] = _rounded(bad)
    noise = profile.noise.share if profile.noise else 0.0
    if noise * _ROOM > validate.max_label_noise:
        limits["validate.max_label_noise"] = _rounded(noise)
    repeated = summary.repeated / max(1, summary.documents)
    if repeated * _ROOM > validate.max_duplicate_share:
        limits["validate.max_duplicate_share"] = _rounded(repeated)
    return limits


def _rounded(share: float) -> float:
    """Rounds a share up to two digits, with room for the next export.

    >>> _rounded(0.031), _rounded(0.9)
    (0.04, 0.95)
    """
    return min(_MOST_SHARE, math.ceil(share * _ROOM * 100) / 100)


def _with_names(entry: Entry, names: Mapping[str, str]) -> Entry:
    return {**entry, "label_names": dict(names)} if names else dict(entry)


def write(path: Path, settings: Mapping[str, Any]) -> None:
    """Writes settings into params.yaml, by round trip.

    Raises:
        ParamsError: the file would not load; it stays as it is.
    """
    text = edit.with_values(path.read_text(encoding="utf-8"), settings, str(path))
    parameters.parse(yaml.safe_load(text), str(path))
    tables.write_text(text, path)


def changed(settings: Mapping[str, Any], current: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the proposals that differ from `current`, the values in effect, by dotted key."""
    return {key: value for key, value in settings.items() if at(current, key) != value}


def at(values: Mapping[str, Any], key: str) -> Any:
    """Returns the value at a dotted key; None for a missing one."""
    value: Any = values
    for part in key.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value
