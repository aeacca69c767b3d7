"""How a network is fitted: the section `train.fitting` of params.yaml, and `train.hardware`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from components.core.params.base import (
    Positive,
    Rate,
    Settings,
    Share,
)

Hardware = Literal["auto", "cpu", "gpu", "mirrored", "workers"]


class Fitting(Settings):
    strengths: Annotated[list[Rate], Field(min_length=1)]
    schedule: Literal["constant", "cosine", "plateau"]
    warmup_share: Annotated[float, Field(ge=0, lt=1)]
    plateau_factor: Annotated[float, Field(gt=0, lt=1)]
    plateau_patience: Positive
    l1: Annotated[float, Field(ge=0)]
    weight_decay: Annotated[float, Field(ge=0)]
    class_weights: Literal["none", "balanced"]
    neighbours: Share
    neighbour_count: Positive
    crop: Share
    crop_keep: Annotated[float, Field(gt=0, le=1)]
    sorted_batches: Positive
    padding_step: Positive
    accumulate: Positive
    precision: Literal["auto", "float32", "bfloat16"]
    xla: bool
    read_rows: Positive
    feature_documents: Positive
    keep_checkpoints: Positive

    @model_validator(mode="after")
    def waits(self) -> Fitting:
        if self.schedule == "cosine" and self.warmup_share == 0:
            raise ValueError("warmup_share must be above 0 where schedule is cosine")
        return self
