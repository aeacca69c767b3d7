"""What a bundle keeps of the texts held back, for monitoring to compare traffic with.

They are those of the validation and of the test side: of a text that it learned from, a model is
surer than of any other.

    label, confidence, words, unknown_share, feature_0 ...   the model's signals
    language    of the text, as validation detects it
    sketch      the text's words, hashed into BUCKETS numbers, each once: no order, no counts
    probabilities   what the model said of each class
    actual      the right label, with which the probabilities tell what the model is worth

and, as `words.parquet`, in how many of the texts each common word occurs. No text is kept. A bucket
stands for several words of any news text, so it proves of no word that it was there; a word is
named only if at least NAMED_FROM texts hold it.
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

import polars as pl

from components.core.bundle import Predictions
from components.core.tokenizers import words as words_

BUCKETS = 4096  # fits 16 bits; 737 BBC articles have 15,612 words, 3.8 a bucket
NAMED_FROM = 5  # texts that hold a word before the bundle names it
SKETCH, LANGUAGE = "sketch", "language"
PROBABILITIES = "probabilities"
ACTUAL = "actual"  # known of the reference only: nothing to compare
Detect = Callable[[str], str]


def sketch(text: str) -> list[int]:
    """The buckets of a text's words, each once, in rising order.

    >>> sketch("the bank, the Bank") == sketch("bank the")
    True
    """
    return sorted({zlib.crc32(word.encode("utf-8", "replace")) % BUCKETS for word in set(
        words_.split(text)
    )})  # fmt: skip


def table(found: Predictions, texts: Sequence[str], detect: Detect) -> pl.DataFrame:
    """The signals of N scrubbed texts, with their language, sketch and probabilities.

    Args:
        found: the model's answers to `texts`.
        texts: scrubbed.
        detect: text -> language, or a word that says that it was not asked.
    """
    return found.signals().with_columns(
        pl.Series(LANGUAGE, [detect(text) for text in texts], dtype=pl.String),
        pl.Series(SKETCH, [sketch(text) for text in texts], dtype=pl.List(pl.UInt16)),
        pl.Series(PROBABILITIES, found.probabilities.tolist(), dtype=pl.List(pl.Float32)),
    )


def with_truth(table: pl.DataFrame, actual: Sequence[str]) -> pl.DataFrame:
    """`table` with the ACTUAL labels."""
    return table.with_columns(pl.Series(ACTUAL, actual, dtype=pl.String))


def thinned(rows: int, most: int) -> list[int]:
    """The numbers of at most `most` of `rows` rows, evenly spread; always the last one.

    >>> thinned(3, 5), thinned(6, 3)
    ([0, 1, 2], [1, 3, 5])
    """
    kept = min(rows, most)
    return [(i + 1) * rows // kept - 1 for i in range(kept)]


def common_words(texts: Iterable[str], least: int = NAMED_FROM) -> pl.DataFrame:
    """`word`, `texts`: in how many of the texts it occurs; only words of at least `least`."""
    counts = Counter(word for text in texts for word in set(words_.split(text)))
    rows = sorted((word, count) for word, count in counts.items() if count >= least)
    return pl.DataFrame(rows, schema={"word": pl.String, "texts": pl.UInt32}, orient="row")
