"""Word and character tokenizer inside TensorFlow, one implementation for training and serving.

A word is a run of letters and digits in lower case. For languages without spaces, each letter or
digit is a word (`text.unit: chars`). Id 0 is padding, id 1 every word outside the vocabulary. A
placeholder of the scrubber such as <PERSON> becomes the word "person", or with the unit chars the
single word "<person>".
"""

from __future__ import annotations

import functools
import re
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import numpy as np

Unit = Literal["words", "chars"]

PAD, UNKNOWN = 0, 1
FIRST_WORD = 2  # id of the commonest word
_WORD = re.compile(r"[^\W_]+")
# Patterns of lower-case text. The hexadecimal token of a pseudonym would be an unknown word in most
# texts, so it is removed.
_PSEUDONYM = r"<([a-z][a-z_]*[a-z])_[0-9a-f]{12}>"
_PLACEHOLDER = "<[a-z][a-z_]*[a-z]>"
_CHARACTER = re.compile(rf"{_PLACEHOLDER}|[^\W_]")


def vocabulary(texts: Iterable[str], size: int, min_count: int, unit: Unit = "words") -> list[str]:
    """Returns the most frequent words of `texts`, most frequent first, ties in alphabetical order.

    Args:
        texts: texts of the training side only.
        size: maximum number of words.
        min_count: minimum number of occurrences of a word.
        unit: "words" or "chars"; see the module's docstring.
    """
    counts = Counter(word for text in texts for word in split(text, unit))
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return [word for word, count in ranked[:size] if count >= min_count]


def split(text: str, unit: Unit = "words") -> list[str]:
    """Splits `text` into words as `TextEncoder` does.

    >>> split("Mr <PERSON> isn't 41_years old")
    ['mr', 'person', 'isn', 't', '41', 'years', 'old']
    >>> split("<PERSON>说:4月", "chars")
    ['<person>', '说', '4', '月']
    """
    if unit == "words":
        return _WORD.findall(text.lower())
    return _CHARACTER.findall(re.sub(_PSEUDONYM, r"<\1>", text.lower()))


@functools.cache
def letters() -> np.ndarray[Any, Any]:
    """Returns a mask over all code points, (0x110000,) bool: True for characters of words."""
    import numpy as np

    mask = np.zeros(sys.maxunicode + 1, bool)
    for run in _WORD.finditer("".join(map(chr, range(len(mask))))):
        mask[run.start() : run.end()] = True
    return mask


def make_encoder(words: Sequence[str], length: int, unit: Unit = "words") -> Any:
    """Makes a tf.Module that encodes raw strings to ids; see `TextEncoder.__call__`.

    Args:
        words: vocabulary of the same unit, most frequent first.
        length: number of ids of a text.
        unit: "words" or "chars"; see the module's docstring.
    """
    import tensorflow as tf

    class TextEncoder(tf.Module):  # type: ignore[misc]
        """Raw strings -> ids, in the graph.

        Attributes:
            lengths: lengths of the parts of the ids; one part here.
            vocabulary: function that returns the words.
            unit: "words" or "chars".
        """

        def __init__(self) -> None:
            super().__init__()
            self.lengths = (length,)
            self.vocabulary = functools.partial(tuple, words)  # tf.Module would track a list
            self.unit = unit
            ids = tf.range(FIRST_WORD, FIRST_WORD + len(words), dtype=tf.int32)
            self.table = tf.lookup.StaticHashTable(
                tf.lookup.KeyValueTensorInitializer(tf.constant(list(words), tf.string), ids),
                default_value=UNKNOWN,
            )

        def __call__(self, texts: Any) -> tuple[Any, Any, Any]:
            """Encodes a batch.

            Args:
                texts: (B,) strings in UTF-8.

            Returns:
                ids (B, length) int32, cut and padded at the end; words (B,) int32, the number of
                words before cutting; unknown_share (B,) float32 in [0, 1], the share of unknown
                words among the ids, 1 for a text without words.
            """
            tokens = self._split(texts)
            count = tf.cast(tokens.row_lengths(), tf.int32)
            ids = self.table.lookup(tokens[:, :length].to_tensor("", shape=[None, length]))
            read = tf.minimum(count, length)
            inside = tf.sequence_mask(read, length)  # (B, length)
            ids = tf.where(inside, ids, PAD)
            unknown = tf.reduce_sum(tf.cast(ids == UNKNOWN, tf.float32), axis=1)
            share = unknown / tf.cast(tf.maximum(read, 1), tf.float32)
            return ids, count, tf.where(read > 0, share, 1.0)

        def read(self, texts: Any) -> Any:
            """Returns the word of each id, (B, length) strings, "" for padding."""
            return self._split(texts)[:, :length].to_tensor("", shape=[None, length])

        def _split(self, texts: Any) -> Any:
            """Returns all words of each text, (B, None) ragged strings."""
            # tf.strings.lower ends a text at its first NUL.
            without_nul = tf.strings.regex_replace(texts, r"\x00", " ")
            lower = tf.strings.lower(without_nul, encoding="utf-8")
            return tf.strings.split(_spaced(lower, unit))

    return TextEncoder()


def join_encoders(encoders: Sequence[Any]) -> Any:
    """Joins encoders: the ids are those of all `encoders`, concatenated to (B, sum of lengths).

    Words and unknown share come from the first encoder.
    """
    import tensorflow as tf

    class JoinedEncoder(tf.Module):  # type: ignore[misc]
        """Raw strings -> the ids of several encoders, in the graph."""

        def __init__(self) -> None:
            super().__init__()
            self.encoders = list(encoders)
            self.lengths = tuple(length for encoder in encoders for length in encoder.lengths)

        def __call__(self, texts: Any) -> tuple[Any, Any, Any]:
            encoded = [encoder(texts) for encoder in self.encoders]
            return tf.concat([ids for ids, _, _ in encoded], axis=1), encoded[0][1], encoded[0][2]

        def read(self, texts: Any) -> Any:
            """Returns the words of each encoder's ids, (B, sum of lengths) strings."""
            return tf.concat([encoder.read(texts) for encoder in self.encoders], axis=1)

    return JoinedEncoder()


def _spaced(lower: Any, unit: Unit) -> Any:
    """Separates the words of lower-case texts (B,) by spaces."""
    import tensorflow as tf

    if unit == "words":
        return tf.strings.regex_replace(lower, r"[^\p{L}\p{N}]+", " ")
    plain = tf.strings.regex_replace(lower, _PSEUDONYM, r"<\1>")
    # Keeps placeholders, letters and digits; removes everything else.
    return tf.strings.regex_replace(plain, rf"(?s)({_PLACEHOLDER}|[\p{{L}}\p{{N}}])|.", r"\1 ")
