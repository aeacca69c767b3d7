"""Section `text`: what a word is."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from components.core.params.base import Positive, Settings


class Text(Settings):
    """`text`: the vocabulary of networks that read words."""

    vocabulary: Positive = Field(20_000, description="commonest words of the training side")
    min_count: Positive = Field(
        2, description="occurrences; a word seen once in training teaches nothing"
    )
    unit: Literal["words", "chars"] = Field(
        "words", description="words, or chars for languages without spaces; docs/learning.md"
    )
