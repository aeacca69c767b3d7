"""Settings of `linear`."""

from __future__ import annotations

from pydantic import Field

from components.core.params.architectures.base import ReaderSettings, architecture
from components.core.params.base import Positive


@architecture("linear")
class Linear(ReaderSettings):
    """`train.linear`: logistic regression over TF-IDF weights of n-grams."""

    words: Positive = Field(
        2048, description="words of a document that are counted; the rest is cut"
    )
    grams: Positive = Field(2, description="words of the longest n-gram; 2: single words and pairs")
    buckets: Positive = Field(
        131_072,
        description="hash buckets for n-grams of two or more words; with more than 128 classes "
        "fewer, so that their weights take 64 MiB",
    )

    @property
    def has_closed_form(self) -> bool:
        return True
