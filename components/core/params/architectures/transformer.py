"""Settings of `transformer`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from components.core.params.architectures.base import Network, architecture
from components.core.params.base import Positive, Rate, Share


@architecture("transformer")
class Transformer(Network):
    """`train.transformer`: a transformer encoder, trained from scratch."""

    words: Positive = Field(
        256,
        description="words of a document that are read; with long texts the time grows with the "
        "square",
    )
    layers: Positive = Field(2, description="encoder layers")
    heads: Positive = Field(4, description="attention heads")
    units: Positive = Field(
        128, description="dimensions of a word's state; a multiple of twice the heads"
    )
    positions: Literal["sinusoidal", "learned"] = Field(
        "sinusoidal", description="position encoding: sinusoidal or learned"
    )
    dropout: Share = Field(0.3, description="share of the features dropped in training")
    word_dropout: Share = Field(0.1, description="share of the words dropped in training")
    batch_size: Positive = Field(32, description="documents of a step")
    learning_rate: Rate = Field(0.0005, description="learning rate of the optimizer")

    @model_validator(mode="after")
    def divisible(self) -> Transformer:
        if self.units % (2 * self.heads):
            raise ValueError(
                f"units must be a multiple of twice heads, got {self.units} and {self.heads}"
            )
        return self
