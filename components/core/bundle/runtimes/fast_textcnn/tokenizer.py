"""Texts -> ids of their words without TensorFlow, equal to those of core/tokenizers/words.py."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from components.core.tokenizers import words as words_of

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

_END, _LAST_POINT = 0, 0x10FFFF  # a code point that is in no word; the last one that there is


class Tokenizer:
    """Texts -> ids of their words, as the encoder of core/tokenizers/words.py has them.

    Args:
        words: that are known.
        length: words of a text that are read.
        unit: what a word is.
    """

    def __init__(self, words: Sequence[str], length: int, unit: words_of.Unit) -> None:
        import numpy as np

        from components.core.bundle.runtimes.fast_textcnn.compilation import kernels

        self._kernels, self._length, self._unit = kernels(), length, unit
        spelled = _points(words)
        begins = np.concatenate([[0], np.cumsum([len(word) for word in words], dtype=np.int64)])
        slots = np.full(2 ** (2 * len(words)).bit_length(), -1, np.int32)
        self._kernels.index(spelled, begins, slots)
        letters = words_of.letters() if unit == "words" else np.arange(_LAST_POINT + 1) != _END
        self._known = (letters, slots, spelled, begins)

    def split(self, text: str) -> list[str]:
        """The words of `text` that are read."""
        return words_of.split(text, self._unit)[: self._length]

    def read(self, texts: Sequence[str]) -> tuple[Array, Array, Array, Array]:
        """Of B texts the ids, one text after the other, and (B + 1,) where they begin and end;
        (B,) how many words they have; (B,) how many of those that were read are not known.
        """
        import numpy as np

        if self._unit == "words":
            lower = [text.lower() for text in texts]
        else:
            lower = [chr(_END).join(words_of.split(text, self._unit)) for text in texts]
        points = _points([text + chr(_END) for text in lower])
        ends = np.cumsum([len(text) + 1 for text in lower], dtype=np.int64)
        most = sum(min(self._length, len(text) // 2 + 1) for text in lower)
        ids, starts = np.empty(most, np.int32), np.empty(len(texts) + 1, np.int64)
        words, unknowns = np.empty(len(texts), np.int32), np.empty(len(texts), np.int32)
        numbers = (self._length, words_of.FIRST_WORD, words_of.UNKNOWN)
        self._kernels.read(points, ends, *self._known, *numbers, ids, starts, words, unknowns)
        return ids[: starts[-1]], starts, words, unknowns


def _points(texts: Sequence[str]) -> Array:
    """The code points of all texts, (N,) uint32; a lone surrogate is no letter."""
    import numpy as np

    return np.frombuffer(bytearray("".join(texts).encode("utf-32-le", "replace")), np.uint32)
