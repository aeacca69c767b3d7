"""The numbers of each architecture: one class, one section under `train` of params.yaml."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from components.core.params.base import (
    Positive,
    Rate,
    Settings,
    Share,
)

Single = Literal["textcnn", "bilstm", "transformer", "pretrained", "linear"]
Candidate = Literal[Single, "ensemble"]


class Reader(Settings):
    """What every architecture that is trained by itself asks for."""

    words: Positive


class Network(Reader):
    """What those ask for that learn step by step."""

    dropout: Share
    batch_size: Positive
    learning_rate: Rate


class TextCnn(Network):
    members: Positive
    filters: Positive
    bag: Positive
    widths: Annotated[list[Positive], Field(min_length=1)]
    word_dropout: Share


class BiLstm(Network):
    units: Positive
    pooling: Literal["last", "mean", "max"]
    word_dropout: Share


class Transformer(Network):
    layers: Positive
    heads: Positive
    units: Positive
    positions: Literal["sinusoidal", "learned"]
    word_dropout: Share

    @model_validator(mode="after")
    def divisible(self) -> Transformer:
        if self.units % (2 * self.heads):
            raise ValueError(
                f"units must be a multiple of twice heads, got {self.units} and {self.heads}"
            )
        return self


class Pretrained(Network):
    package: str | None = None
    path: str | None = None
    folder: str | None = None
    trained_layers: Annotated[int, Field(ge=0)] | Literal["all"]
    chunk: Annotated[int, Field(ge=3)]

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


class Linear(Reader):
    grams: Positive
    buckets: Positive


class Ensemble(Settings):
    of: Annotated[list[Single], Field(min_length=2)]

    @model_validator(mode="after")
    def distinct(self) -> Ensemble:
        if len(set(self.of)) < len(self.of):
            raise ValueError(f"architectures must differ, got {self.of}")
        return self
