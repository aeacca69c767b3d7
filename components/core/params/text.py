"""Section `text`: tokens and vocabulary."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from components.core.params.base import Positive, Settings


class Text(Settings):
    """`text`: the vocabulary of networks that read words."""

    vocabulary: Positive = Field(
        20_000, description="words; the most frequent ones of the training side"
    )
    min_count: Positive = Field(
        2, description="occurrences in the training side, from which a word enters the vocabulary"
    )
    unit: Literal["words", "chars"] = Field(
        "words", description="token: words, or chars for languages without spaces; docs/learning.md"
    )
