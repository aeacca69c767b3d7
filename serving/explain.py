"""Which words carried a label: leave each out and see what becomes of the label's probability.

Occlusion, after Zeiler and Fergus 2014, "Visualizing and Understanding Convolutional Networks". It
asks nothing of a model but predictions, so it works with any bundle.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from components.core import text as words_of

# Distinct words tried, the first ones of a text: each costs one prediction. 127 and the whole text
# make one call of the bundle's.
MAX_WORDS = 127


class Prediction(Protocol):
    @property
    def labels(self) -> list[str]: ...
    @property
    def confidence(self) -> Any: ...
    @property
    def probabilities(self) -> Any: ...


def explain(
    predict: Callable[[Sequence[str]], Prediction], text: str, max_words: int = MAX_WORDS
) -> dict[str, Any]:
    """The words of `text` with their weights.

    Args:
        predict: texts -> labels, confidence (N,) and probabilities (N, C); Bundle.predict.
        text: in which words are left out, everywhere they stand, in whatever case.
        max_words: distinct words tried.

    Returns:
        `label`, `confidence`, `words`: a list of `word` and `weight`, the strongest first, and
        `tried`, `distinct`: how many words were tried of how many there are. A weight is
        p(label | text) - p(label | text without the word), in [-1, 1]: above 0 the word spoke for
        the label, below 0 against it.
    """
    distinct = list(dict.fromkeys(words_of.split(text)))
    tried = distinct[:max_words]
    found = predict([text, *(without(text, word) for word in tried)])
    label = int(found.probabilities[0].argmax())
    weights = (found.probabilities[0, label] - found.probabilities[1:, label]).tolist()
    ranked = sorted(zip(tried, weights, strict=True), key=lambda pair: -abs(pair[1]))
    return {
        "label": found.labels[0],
        "confidence": float(found.confidence[0]),
        "words": [{"word": word, "weight": weight} for word, weight in ranked],
        "tried": len(tried),
        "distinct": len(distinct),
    }


def without(text: str, word: str) -> str:
    """`text` with nothing where `word` stood as a whole word.

    >>> without("Rain, rain! Rainbow.", "rain")
    ', ! Rainbow.'
    """
    return re.sub(rf"(?<![^\W_]){re.escape(word)}(?![^\W_])", "", text, flags=re.IGNORECASE)
