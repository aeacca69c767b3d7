"""Which words carried a label, as POST /explain answers it.

A bundle computes it itself (bundle/explanation.py). Older bundles are asked by leaving each
word out and seeing what becomes of the label's probability: occlusion (Zeiler and Fergus 2014,
"Visualizing and Understanding Convolutional Networks"). It asks nothing of a model but predictions,
and many of them, so it ends when its time is up.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from components.core.tokenizers import words as words_of
from serving.http.answers import Explained, WordWeight

if TYPE_CHECKING:
    from components.core.bundle import Model, Predictions

GRADIENTS, OCCLUSION = "integrated gradients", "occlusion"
TRIED_TOGETHER = 16  # words left out between two looks at the clock


def explain(
    model: str,
    bundle: Model,
    text: str,
    seconds: float,
    clock: Callable[[], float] = time.monotonic,
) -> Explained:
    """The words of `text` with their weights.

    Args:
        model: its name in the answer.
        bundle: which model.
        text: to explain.
        seconds: after which occlusion tries no more words; integrated gradients always cost the
            same, some ten predictions.
        clock: seconds, from any start.

    Returns:
        The answer. With GRADIENTS the weights add up to ln(confidence / baseline), where
        `baseline` is the label's probability with nothing to read. With OCCLUSION a weight is
        p(label | text) - p(label | text without the word), in [-1, 1], and `baseline` is None.
    """
    distinct = list(dict.fromkeys(words_of.split(text)))
    if bundle.explains:
        why = bundle.explain([text])[0]
        label, confidence = why.label, why.confidence
        baseline: float | None = why.baseline
        method, weights = GRADIENTS, why.weights
    else:
        whole = bundle.predict([text])
        label, confidence, baseline = whole.labels[0], float(whole.confidence[0]), None
        weights = _occlude(bundle, text, distinct, whole, clock() + seconds, clock)
        method = OCCLUSION
    ranked = sorted(weights.items(), key=lambda pair: -abs(pair[1]))
    return Explained(
        model=model,
        label=label,
        confidence=confidence,
        method=method,
        baseline=baseline,
        words=[WordWeight(word, weight) for word, weight in ranked],
        tried=len(ranked),
        distinct=len(distinct),
    )


def _occlude(
    bundle: Model,
    text: str,
    distinct: Sequence[str],
    whole: Predictions,
    end: float,
    clock: Callable[[], float],
) -> dict[str, float]:
    """Word -> weight, from the first word on, until `end`."""
    label = bundle.labels.index(whole.labels[0])
    weights: dict[str, float] = {}
    for i in range(0, len(distinct), TRIED_TOGETHER):
        if clock() >= end:
            break
        words = distinct[i : i + TRIED_TOGETHER]
        left = bundle.predict([without(text, word) for word in words]).probabilities[:, label]
        weights |= zip(words, (whole.probabilities[0, label] - left).tolist(), strict=True)
    return weights


def without(text: str, word: str) -> str:
    """`text` with nothing where `word` stood as a whole word.

    >>> without("Rain, rain! Rainbow.", "rain")
    ', ! Rainbow.'
    """
    return re.sub(rf"(?<![^\W_]){re.escape(word)}(?![^\W_])", "", text, flags=re.IGNORECASE)
