"""The settings of the gate: section `gate` of params.yaml."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from components.core.params.base import (
    Positive,
    Rate,
    Settings,
    Share,
)


class Gate(Settings):
    min_accuracy: Share
    min_macro_f1: Share
    min_class_recall: Share
    max_calibration_error: Share
    min_behaviour: Share
    max_leaks: Annotated[int, Field(ge=0)]
    max_bundle_mib: Rate
    rule: Literal["better", "not_worse"]
    margin: Share
    level: Annotated[float, Field(gt=0.5, lt=1)]
    slice_documents: Positive
    resamples: Positive
    seed: int
    rehearse: bool
    rehearsal_texts: Annotated[int, Field(ge=2)]
    rehearsal_seconds: Rate
    max_latency_ms: Rate
    max_memory_mib: Rate
