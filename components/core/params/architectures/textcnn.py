"""Settings of `textcnn`."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from components.core.params.architectures.base import Network, architecture
from components.core.params.base import Choice, Positive, Range, Rate, SearchSpace, Share


@architecture("textcnn")
class TextCnn(Network):
    """`train.textcnn`: a convolution over word vectors (Kim 2014), and a bag of words."""

    words: Positive = Field(512, description="words of a document that are read; the rest is cut")
    members: Positive = Field(
        2, description="convolutional networks, averaged with one bag-of-words network"
    )
    filters: Positive = Field(128, description="filters of each width")
    widths: Annotated[list[Positive], Field(min_length=1)] = Field(
        [2, 3, 4], description="words that a filter covers"
    )
    bag: Positive = Field(
        16, description="dimensions of the word vectors of the bag-of-words network"
    )
    dropout: Share = Field(0.5, description="share of the features dropped in training")
    word_dropout: Share = Field(0.1, description="share of the words dropped in training")
    batch_size: Positive = Field(32, description="documents of a step")
    learning_rate: Rate = Field(0.001, description="learning rate of the optimizer")

    search_space: ClassVar[SearchSpace] = {
        "learning_rate": Range(low=0.0003, high=0.003, log=True),
        "dropout": Range(low=0.2, high=0.7),
        "word_dropout": Range(low=0.0, high=0.3),
        "filters": Choice(choices=[64, 128, 256]),
        "batch_size": Choice(choices=[16, 32, 64]),
    }
