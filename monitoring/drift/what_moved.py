"""What moved: the words, classes and sources in which window and reference differ most."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import polars as pl

from components.core.bundle.reference import NAMED_FROM, common_words

_SHOWN = 12  # words of each kind


@dataclass(frozen=True)
class Change:
    """Of which share of the texts something holds, each in [0, 1].

    Attributes:
        before: of the reference's; the most it can be, where a word is too rare to be named there.
        now: of the window's.
    """

    name: str
    before: float
    now: float


@dataclass(frozen=True)
class Moved:
    """The largest changes.

    Attributes:
        more, fewer: words, the clearest change first.
        classes: predicted labels, the largest change first.
    """

    more: tuple[Change, ...] = ()
    fewer: tuple[Change, ...] = ()
    classes: tuple[Change, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def words(
    known: pl.DataFrame, known_texts: int, texts: Sequence[str]
) -> tuple[list[Change], list[Change]]:
    """Words of more texts than before, and of fewer.

    Args:
        known: `word` and `texts` of the reference, as reference.common_words gives them.
        known_texts: that the reference has.
        texts: of the window. A word is named only if NAMED_FROM of them, or of the reference's,
            hold it: what one person wrote is nobody else's news.
    """
    before = dict(known.iter_rows())
    now = dict(common_words(texts).iter_rows())
    rare = NAMED_FROM - 1  # at most so many texts hold a word that is not named
    more = [_change(word, before.get(word, rare), known_texts, n, len(texts)) for word, n in
            now.items()]  # fmt: skip
    fewer = [_change(word, n, known_texts, now.get(word, rare), len(texts)) for word, n in
             before.items()]  # fmt: skip
    return (
        [one for z, one in sorted(more, key=lambda pair: -pair[0])[:_SHOWN] if z > 0],
        [one for z, one in sorted(fewer, key=lambda pair: pair[0])[:_SHOWN] if z < 0],
    )


def _change(word: str, before: int, old: int, now: int, new: int) -> tuple[float, Change]:
    """The change, and how many standard errors it is, by the pooled share."""
    share = (before + now) / (old + new)
    error = math.sqrt(max(share * (1 - share), 1 / (old + new)) * (1 / old + 1 / new))
    return (now / new - before / old) / error, Change(word, before / old, now / new)


def classes(reference: pl.DataFrame, window: pl.DataFrame) -> list[Change]:
    """The predicted labels by how far their shares moved."""
    names = sorted({*reference["label"], *window["label"]})
    found = [
        Change(name, *(float((table["label"] == name).mean() or 0) for table in
                       (reference, window)))
        for name in names
    ]  # fmt: skip
    return sorted(found, key=lambda one: -abs(one.now - one.before))
