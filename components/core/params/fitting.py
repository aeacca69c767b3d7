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
        "none",
        description="none: each document weighs 1; balanced: each class has the same total weight",
    )
    strengths: Annotated[list[Rate], Field(min_length=1)] = Field(
        [0.3, 1.0, 3.0],
        description="values of C, the inverse regularization strength, that are tried for "
        "`linear` and for `pretrained` with trained_layers 0. Both have a closed form"
        " instead of epochs; the keys below apply to the other architectures",
    )
    schedule: Literal["constant", "cosine", "plateau"] = Field(
        "constant",
        description="learning rate: constant; cosine (warmup, then cosine decay); or plateau "
        "(lowered when the validation loss stops falling)",
    )
    warmup_share: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.1, description="cosine: share of all steps in which the learning rate rises from 0"
    )
    plateau_factor: Between = Field(0.5, description="plateau: factor for the learning rate")
    plateau_patience: Positive = Field(
        2, description="plateau: epochs without a better validation loss, before the factor applies"
    )
    l1: NotNegative = Field(0.0, description="L1 penalty on kernel weights; 0: none")
    weight_decay: NotNegative = Field(
        0.0, description="decoupled weight decay of kernels at each step, as in AdamW; 0: none"
    )
    neighbours: Share = Field(
        0.0,
        description="augmentation: share of words replaced by a near word in GloVe; no effect on "
        "`pretrained`, which reads word pieces",
    )
    neighbour_count: Positive = Field(5, description="near words to draw a replacement from")
    crop: Share = Field(
        0.0,
        description="augmentation: share of documents of which only a part is read; each epoch "
        "draws the parts again",
    )
    crop_keep: Annotated[float, Field(gt=0, le=1)] = Field(
        0.5, description="smallest share of the words that such a part has"
    )
    sorted_batches: Positive = Field(
        16,
        description="batches that are drawn together and sorted by length, for less padding; 1: "
        "not sorted",
    )
    padding_step: Positive = Field(
        32, description="words; the length of a batch is padded to a multiple of this number"
    )
    accumulate: Positive = Field(
        1, description="batches whose gradients are summed before one optimizer step"
    )
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        "auto",
        description="of the computation: float32 or bfloat16; auto: bfloat16 on GPUs that support"
        " it, else float32",
    )
    xla: bool = Field(
        False, description="compiles the training step with XLA, once per padded length"
    )
    read_rows: Positive = Field(
        4096, description="documents that are read and encoded together; bounds the memory"
    )
    feature_documents: Positive = Field(
        20_000,
        description="documents of the training side from which feature_directions are computed",
    )
    keep_checkpoints: Positive = Field(
        4,
        description="newest checkpoints of unfinished trainings that stay in .newsloop/checkpoints",
    )

    @model_validator(mode="after")
    def waits(self) -> Fitting:
        if self.schedule == "cosine" and self.warmup_share == 0:
            raise ValueError("warmup_share must be above 0 where schedule is cosine")
        return self
