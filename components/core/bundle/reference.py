"""The reference of a bundle: signals of held-out texts, with which monitoring compares traffic.

The texts are those of the validation and the test side, since a model is more confident of its
training texts than of other texts.

    label, confidence, words, unknown_share, feature_0 ...   the model's signals
    language    of the text, as validation detects it
    sketch      the text's distinct words, hashed to BUCKETS numbers, without order and counts
    probabilities   of each class
    actual      the correct label, for the model's accuracy and calibration

`words.parquet` holds the number of texts with each common word. A bundle stores no text. Several
words share a bucket, so a bucket does not prove that a text had a certain word. A word is stored
only if at least NAMED_FROM texts have it.
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

import polars as pl

from components.core.bundle import Predictions
from components.core.tokenizers import words as word_tokenizer

BUCKETS = 4096  # fits 16 bits; 737 BBC articles have 15,612 words, 3.8 a bucket
NAMED_FROM = 5  # minimum number of texts with a word that the bundle stores
SKETCH, LANGUAGE = "sketch", "language"
PROBABILITIES = "probabilities"
ACTUAL = "actual"  # only the reference has it, so monitoring does not compare it
Detect = Callable[[str], str]


def sketch(text: str) -> list[int]:
    """Returns the distinct buckets of a text's words, in ascending order.

    >>> sketch("the bank, the Bank") == sketch("bank the")
    True
    """
    return sorted({zlib.crc32(word.encode("utf-8", "replace")) % BUCKETS for word in set(
        word_tokenizer.split(text)
    )})  # fmt: skip


def table(predictions: Predictions, texts: Sequence[str], detect: Detect) -> pl.DataFrame:
    """Returns the signals of N scrubbed texts, with their language, sketch and probabilities.

    Args:
        predictions: of `texts`.
        texts: scrubbed texts.
        detect: text -> language, or a constant if language detection is off.
    """
    return predictions.signals().with_columns(
        pl.Series(LANGUAGE, [detect(text) for text in texts], dtype=pl.String),
        pl.Series(SKETCH, [sketch(text) for text in texts], dtype=pl.List(pl.UInt16)),
        pl.Series(PROBABILITIES, predictions.probabilities.tolist(), dtype=pl.List(pl.Float32)),
    )


def with_truth(table: pl.DataFrame, actual: Sequence[str]) -> pl.DataFrame:
    """Adds the column ACTUAL of correct labels to `table`."""
    return table.with_columns(pl.Series(ACTUAL, actual, dtype=pl.String))


def thinned(rows: int, limit: int) -> list[int]:
    """Returns the indices of at most `limit` of `rows` rows, evenly spread, with the last row.

    >>> thinned(3, 5), thinned(6, 3)
    ([0, 1, 2], [1, 3, 5])
    """
    count = min(rows, limit)
    return [(i + 1) * rows // count - 1 for i in range(count)]


def common_words(texts: Iterable[str], min_texts: int = NAMED_FROM) -> pl.DataFrame:
    """Counts the texts with each word (columns word and texts), for words in >= `min_texts`."""
    counts = Counter(word for text in texts for word in set(word_tokenizer.split(text)))
    rows = sorted((word, count) for word, count in counts.items() if count >= min_texts)
    return pl.DataFrame(rows, schema={"word": pl.String, "texts": pl.UInt32}, orient="row")
