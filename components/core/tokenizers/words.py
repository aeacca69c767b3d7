"""Words -> ids, inside TensorFlow, so that training and the served graph share one implementation.

A word is a run of letters and digits, in lower case. Where languages write no spaces, each letter
or digit is taken as a word of its own (`text.unit: chars`). Id 0 pads, id 1 stands for every word
outside the vocabulary. A placeholder of the scrubber such as <PERSON> becomes the word "person",
or, among characters, one "<person>".
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
# Of lower-case text. A pseudonym's token is left out: it would be unknown in most texts.
_PSEUDONYM = r"<([a-z][a-z_]*[a-z])_[0-9a-f]{12}>"
_PLACEHOLDER = "<[a-z][a-z_]*[a-z]>"
_CHARACTER = re.compile(rf"{_PLACEHOLDER}|[^\W_]")


def vocabulary(texts: Iterable[str], size: int, min_count: int, unit: Unit = "words") -> list[str]:
    """The commonest words of `texts`, the commonest first; ties in the order of the alphabet.

    Args:
        texts: of the training side only.
        size: most words returned.
        min_count: times that a word must occur.
        unit: what a word is; see above.
    """
    counts = Counter(word for text in texts for word in split(text, unit))
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return [word for word, count in ranked[:size] if count >= min_count]


def split(text: str, unit: Unit = "words") -> list[str]:
    """The words of `text`, as `TextEncoder` sees them.

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
    """(0x110000,) bool: whether each code point is a part of words of the unit `words`."""
    import numpy as np

    found = np.zeros(sys.maxunicode + 1, bool)
    for run in _WORD.finditer("".join(map(chr, range(len(found))))):
        found[run.start() : run.end()] = True
    return found


def make_encoder(words: Sequence[str], length: int, unit: Unit = "words") -> Any:
    """A tf.Module that turns raw strings into ids; see `TextEncoder.__call__`.

    Args:
        words: the vocabulary, of the same unit.
        length: ids of a text.
        unit: what a word is; see above.
    """
    import tensorflow as tf

    class TextEncoder(tf.Module):  # type: ignore[misc]
        """Raw strings -> ids, in the graph.

        Attributes:
            lengths: of the parts of the ids.
            vocabulary: gives the words.
            unit: what a word is.
        """

        def __init__(self) -> None:
            super().__init__()
            self.lengths = (length,)
            self.vocabulary = functools.partial(tuple, words)  # a list would become a part of it
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
                words before cutting; unknown_share (B,) float32 in [0, 1] of the words read, 1
                where there are none.
            """
            words_ = self._split(texts)
            count = tf.cast(words_.row_lengths(), tf.int32)
            ids = self.table.lookup(words_[:, :length].to_tensor("", shape=[None, length]))
            read = tf.minimum(count, length)
            inside = tf.sequence_mask(read, length)  # (B, length)
            ids = tf.where(inside, ids, PAD)
            unknown = tf.reduce_sum(tf.cast(ids == UNKNOWN, tf.float32), axis=1)
            share = unknown / tf.cast(tf.maximum(read, 1), tf.float32)
            return ids, count, tf.where(read > 0, share, 1.0)

        def read(self, texts: Any) -> Any:
            """(B, length) strings: the words at the places of the ids, "" where there is none."""
            return self._split(texts)[:, :length].to_tensor("", shape=[None, length])

        def _split(self, texts: Any) -> Any:
            """(B, None) ragged strings: all words of each text."""
            # The lowering ends a text at its first NUL.
            whole = tf.strings.regex_replace(texts, r"\x00", " ")
            lower = tf.strings.lower(whole, encoding="utf-8")
            return tf.strings.split(_spaced(lower, unit))

    return TextEncoder()


def join_encoders(encoders: Sequence[Any]) -> Any:
    """An encoder whose ids are those of all `encoders`, one after the other: (B, sum of lengths).

    Words and unknown share are those of the first.
    """
    import tensorflow as tf

    class JoinedEncoder(tf.Module):  # type: ignore[misc]
        """Raw strings -> the ids of several encoders, in the graph."""

        def __init__(self) -> None:
            super().__init__()
            self.encoders = list(encoders)
            self.lengths = tuple(one for encoder in encoders for one in encoder.lengths)

        def __call__(self, texts: Any) -> tuple[Any, Any, Any]:
            found = [encoder(texts) for encoder in self.encoders]
            return tf.concat([ids for ids, _, _ in found], axis=1), found[0][1], found[0][2]

        def read(self, texts: Any) -> Any:
            """(B, sum of lengths) strings: what each encoder reads."""
            return tf.concat([encoder.read(texts) for encoder in self.encoders], axis=1)

    return JoinedEncoder()


def _spaced(lower: Any, unit: Unit) -> Any:
    """(B,) strings in lower case, with a space between two words and nowhere else."""
    import tensorflow as tf

    if unit == "words":
        return tf.strings.regex_replace(lower, r"[^\p{L}\p{N}]+", " ")
    plain = tf.strings.regex_replace(lower, _PSEUDONYM, r"<\1>")
    # A placeholder or a character stays, anything else goes.
    return tf.strings.regex_replace(plain, rf"(?s)({_PLACEHOLDER}|[\p{{L}}\p{{N}}])|.", r"\1 ")
