"""Settings of `ensemble`, which averages other architectures."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from components.core.params.architectures.base import Single
from components.core.params.base import Settings


class Ensemble(Settings):
    """`train.ensemble`: the mean prediction of several architectures."""

    of: Annotated[list[Single], Field(min_length=2)] = Field(
        ["textcnn", "linear", "pretrained"],
        description="member architectures, each trained separately",
    )

    @model_validator(mode="after")
    def distinct(self) -> Ensemble:
        if len(set(self.of)) < len(self.of):
            raise ValueError(f"architectures must differ, got {', '.join(self.of)}")
        return self
