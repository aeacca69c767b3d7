"""Effective values: what params.yaml says, completed by the defaults, as plain data.

DVC compares what stands in params.yaml, and a default does not stand there. So the stage `settings`
writes effective values into a file for each stage, on which the stage depends instead.
"""

from __future__ import annotations

from typing import Any

from components.core.params import Params
from components.core.params.architectures import Candidate

_TRAINED = "train"  # of this section only what the candidate depends on
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
    """All effective values; sources as they were written, so that `parse` gives `params` again."""
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
    """The values that one stage reads, by dotted key.

    Args:
        stage: a key of READ_BY.
        candidate: that is trained; numbers of other architectures are left out.
    """
    values = params.model_dump(mode="json", by_alias=True)
    found: dict[str, Any] = {}
    for key in READ_BY[stage]:
        value: Any = values
        for part in key.split("."):
            value = [one[part] for one in value] if isinstance(value, list) else value[part]
        found[key] = params.train.read_by(candidate) if key == _TRAINED else value
    return found
