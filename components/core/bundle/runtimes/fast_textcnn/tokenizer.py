"""Word tokenizer without TensorFlow, with the same ids as core/tokenizers/words.py."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from components.core.tokenizers import words as word_tokenizer

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

_SEPARATOR, _LAST_CODE_POINT = 0, 0x10FFFF  # a code point in no word; the last one of Unicode


class Tokenizer:
    """Encodes texts as the encoder of core/tokenizers/words.py does.

    Args:
        words: the vocabulary.
        length: maximum number of words of a text.
        unit: "words" or "chars".
    """

    def __init__(self, words: Sequence[str], length: int, unit: word_tokenizer.Unit) -> None:
        import numpy as np

        from components.core.bundle.runtimes.fast_textcnn.compilation import kernels

        self._kernels, self._length, self._unit = kernels(), length, unit
        spelled = _code_points(words)
        begins = np.concatenate([[0], np.cumsum([len(word) for word in words], dtype=np.int64)])
        slots = np.full(2 ** (2 * len(words)).bit_length(), -1, np.int32)
        self._kernels.index(spelled, begins, slots)
        letters = (
            word_tokenizer.letters()
            if unit == "words"
            else np.arange(_LAST_CODE_POINT + 1) != _SEPARATOR
        )
        self._known = (letters, slots, spelled, begins)

    def split(self, text: str) -> list[str]:
        """Splits `text` into its first `length` words."""
        return word_tokenizer.split(text, self._unit)[: self._length]

    def read(self, texts: Sequence[str]) -> tuple[Array, Array, Array, Array]:
        """Encodes B texts.

        Returns:
            The ids, one text after the other; (B + 1,) the start of each text in the ids, and the
            end of the last; (B,) numbers of words; (B,) numbers of unknown words among the ids.
        """
        import numpy as np

        if self._unit == "words":
            lower = [text.lower() for text in texts]
        else:
            lower = [chr(_SEPARATOR).join(word_tokenizer.split(text, self._unit)) for text in texts]
        points = _code_points([text + chr(_SEPARATOR) for text in lower])
        ends = np.cumsum([len(text) + 1 for text in lower], dtype=np.int64)
        max_ids = sum(min(self._length, len(text) // 2 + 1) for text in lower)
        ids, starts = np.empty(max_ids, np.int32), np.empty(len(texts) + 1, np.int64)
        words, unknowns = np.empty(len(texts), np.int32), np.empty(len(texts), np.int32)
        numbers = (self._length, word_tokenizer.FIRST_WORD, word_tokenizer.UNKNOWN)
        self._kernels.read(points, ends, *self._known, *numbers, ids, starts, words, unknowns)
        return ids[: starts[-1]], starts, words, unknowns


def _code_points(texts: Sequence[str]) -> Array:
    """Returns the code points of all texts, (N,) uint32; a lone surrogate becomes "?"."""
    import numpy as np

    return np.frombuffer(bytearray("".join(texts).encode("utf-32-le", "replace")), np.uint32)
