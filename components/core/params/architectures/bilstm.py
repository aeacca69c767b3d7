"""Settings of `bilstm`."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from components.core.params.architectures.base import Network, architecture
from components.core.params.base import Choice, Positive, Range, Rate, SearchSpace, Share


@architecture("bilstm")
class BiLstm(Network):
    """`train.bilstm`: two bidirectional LSTM layers."""

    words: Positive = Field(
        256, description="words of a document that are read; the time grows in proportion"
    )
    units: Positive = Field(128, description="units of each direction, in both layers")
    pooling: Literal["last", "mean", "max"] = Field(
        "mean", description="mean or max over all words; last: only the state at the last word"
    )
    dropout: Share = Field(0.3, description="share of the features dropped in training")
    word_dropout: Share = Field(0.2, description="share of the words dropped in training")
    batch_size: Positive = Field(32, description="documents of a step")
    learning_rate: Rate = Field(0.004, description="learning rate of the optimizer")

    search_space: ClassVar[SearchSpace] = {
        "learning_rate": Range(low=0.0003, high=0.005, log=True),
        "dropout": Range(low=0.1, high=0.6),
        "word_dropout": Range(low=0.0, high=0.3),
        "units": Choice(choices=[64, 128]),
    }
