"""Effective values: params.yaml completed by the defaults, as plain data.

DVC compares the keys in params.yaml, where defaults are missing. So the stage `settings` writes
the effective values of each stage into a file, and the stage depends on that file.
"""

from __future__ import annotations

from typing import Any

from components.core.params import Params
from components.core.params.architectures import Candidate

_TRAINED = "train"  # reduced to the values that the candidate depends on
# Sections or keys that a stage reads.
READ_BY: dict[str, tuple[str, ...]] = {
    "ingest": ("ingest",),
    "validate": (
        "validate", "ingest.labels", "ingest.sources.name", "ingest.sources.kind", "ingest.scrub",
    ),
    "split": ("split",),
    "train": ("train", "text", "ingest.labels"),
    "evaluate": (
        "evaluate", "ingest.labels", "train.target", "validate.language_characters",
        "validate.language_score",
    ),
    "package": ("train", "text", "ingest.labels", "ingest.scrub.entities"),
}  # fmt: skip


def plain(params: Params) -> dict[str, Any]:
    """Returns all effective values; sources keep their written form, so that `parse` accepts them.

    `parse(plain(params))` equals `params`.
    """
    values = params.model_dump(mode="json", by_alias=True)
    values["ingest"]["sources"] = [
        source.model_dump(
            mode="json",
            exclude_unset=True,
            exclude={"limits"} if source.limits == params.ingest.limits else None,
        )
        for source in params.ingest.sources
    ]
    return values


def of_stage(stage: str, params: Params, candidate: Candidate) -> dict[str, Any]:
    """Returns the values that one stage reads, by dotted key.

    Args:
        stage: a key of READ_BY.
        candidate: architecture to train; values of other architectures are left out.
    """
    values = params.model_dump(mode="json", by_alias=True)
    by_key: dict[str, Any] = {}
    for key in READ_BY[stage]:
        value: Any = values
        for part in key.split("."):
            value = [entry[part] for entry in value] if isinstance(value, list) else value[part]
        by_key[key] = params.train.read_by(candidate) if key == _TRAINED else value
    return by_key
