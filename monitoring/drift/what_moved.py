"""Words and classes whose shares differ most between window and reference."""

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
    """Share of the texts with a word or class, each in [0, 1].

    Attributes:
        name: the word or class.
        before: share of the reference's texts; an upper bound for a word that is too rare there.
        now: share of the window's texts; an upper bound likewise.
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
    """Finds the words that more texts hold than before, and those that fewer hold.

    Args:
        known: `word` and `texts` of the reference, as reference.common_words gives them.
        known_texts: number of the reference's texts.
        texts: of the window. Only words of at least NAMED_FROM texts of the window or of the
            reference are named, so that the result does not expose what one person wrote.
    """
    before = dict(known.iter_rows())
    now = dict(common_words(texts).iter_rows())
    rare = NAMED_FROM - 1  # at most so many texts hold a word that is not named
    more = [_change(word, before.get(word, rare), known_texts, n, len(texts)) for word, n in
            now.items()]  # fmt: skip
    fewer = [_change(word, n, known_texts, now.get(word, rare), len(texts)) for word, n in
             before.items()]  # fmt: skip
    return (
        [change for z, change in sorted(more, key=lambda pair: -pair[0])[:_SHOWN] if z > 0],
        [change for z, change in sorted(fewer, key=lambda pair: pair[0])[:_SHOWN] if z < 0],
    )


def _change(word: str, before: int, old: int, now: int, new: int) -> tuple[float, Change]:
    """Computes the z-score of a change by the pooled share, and the change."""
    share = (before + now) / (old + new)
    error = math.sqrt(max(share * (1 - share), 1 / (old + new)) * (1 / old + 1 / new))
    return (now / new - before / old) / error, Change(word, before / old, now / new)


def classes(reference: pl.DataFrame, window: pl.DataFrame) -> list[Change]:
    """Computes the changes of the predicted labels' shares, the largest first."""
    names = sorted({*reference["label"], *window["label"]})
    changes = [
        Change(name, *(float((table["label"] == name).mean() or 0) for table in
                       (reference, window)))
        for name in names
    ]  # fmt: skip
    return sorted(changes, key=lambda change: -abs(change.now - change.before))
