"""Settings for fitting a network: section `train.fitting` of params.yaml, and `train.hardware`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from components.core.params.base import (
    Between,
    NotNegative,
    Positive,
    Rate,
    Settings,
    Share,
)

Hardware = Literal["auto", "cpu", "gpu", "mirrored", "workers"]


class Fitting(Settings):
    """`train.fitting`: shared by all architectures."""

    class_weights: Literal["none", "balanced"] = Field(
        "none", description="balanced: rare classes count as much as common ones"
    )
    strengths: Annotated[list[Rate], Field(min_length=1)] = Field(
        [0.3, 1.0, 3.0],
        description="C, how much an error counts against large weights, of `linear` and of "
        "`pretrained` without trained layers: both are solved for each value, in place of epochs; "
        "the keys below are for the other architectures",
    )
    schedule: Literal["constant", "cosine", "plateau"] = Field(
        "constant", description="of the learning rate: constant, cosine (first up) or plateau"
    )
    warmup_share: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.1, description="cosine: share of all steps in which the rate grows from 0"
    )
    plateau_factor: Between = Field(0.5, description="plateau: the rate is multiplied by it")
    plateau_patience: Positive = Field(
        2, description="plateau: after so many epochs without a better validation loss"
    )
    l1: NotNegative = Field(
        0.0, description="penalty on the sum of absolute kernel weights; 0: none"
    )
    weight_decay: NotNegative = Field(
        0.0, description="of kernels, at each step, as AdamW does it; 0: none"
    )
    neighbours: Share = Field(
        0.0,
        description="share of words exchanged for a near one in GloVe; without effect on "
        "`pretrained`, which reads no words",
    )
    neighbour_count: Positive = Field(5, description="near words to choose from")
    crop: Share = Field(
        0.0,
        description="share of documents of which only a part is read, another part each epoch",
    )
    crop_keep: Annotated[float, Field(gt=0, le=1)] = Field(
        0.5, description="least share of the words that a part keeps"
    )
    sorted_batches: Positive = Field(
        16, description="batches that are drawn together and sorted by length; 1: not sorted"
    )
    padding_step: Positive = Field(32, description="words; a batch is padded to a multiple of it")
    accumulate: Positive = Field(
        1, description="batches whose gradients are added up before one step"
    )
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        "auto", description="float32 or bfloat16; auto: bfloat16 on GPUs that compute in it"
    )
    xla: bool = Field(
        False, description="compiles the step; each padded length is compiled by itself"
    )
    read_rows: Positive = Field(4096, description="documents that are read and encoded together")
    feature_documents: Positive = Field(
        20_000, description="documents of the training side that feature_directions are drawn from"
    )
    keep_checkpoints: Positive = Field(
        4, description="newest unfinished trainings that .newsloop/checkpoints keeps"
    )

    @model_validator(mode="after")
    def waits(self) -> Fitting:
        if self.schedule == "cosine" and self.warmup_share == 0:
            raise ValueError("warmup_share must be above 0 where schedule is cosine")
        return self
