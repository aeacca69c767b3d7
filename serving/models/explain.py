"""Word weights for a label, the answer of POST /explain.

A bundle computes integrated gradients (bundle/explanation.py). An older bundle is explained by
occlusion (Zeiler and Fergus 2014, "Visualizing and Understanding Convolutional Networks"): the
change of the label's probability without a word. Occlusion needs many predictions, so it has a time
limit.
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
TRIED_TOGETHER = 16  # words that are occluded between two checks of the time limit


def explain(
    model: str,
    bundle: Model,
    text: str,
    seconds: float,
    clock: Callable[[], float] = time.monotonic,
) -> Explained:
    """Computes the weight of each word of `text` for the predicted label.

    Args:
        model: name of the model in the answer.
        bundle: model to explain.
        text: text to explain.
        seconds: time limit of occlusion; integrated gradients have none, they take about as long
            as ten predictions.
        clock: monotonic clock in seconds.

    Returns:
        The answer. With GRADIENTS the weights add up to ln(confidence / baseline), where
        `baseline` is the label's probability for an empty text. With OCCLUSION a weight is
        p(label | text) - p(label | text without the word), in [-1, 1], and `baseline` is None.
    """
    distinct = list(dict.fromkeys(words_of.split(text)))
    if bundle.explains:
        explanation = bundle.explain([text])[0]
        label, confidence = explanation.label, explanation.confidence
        baseline: float | None = explanation.baseline
        method, weights = GRADIENTS, explanation.weights
    else:
        predicted = bundle.predict([text])
        label, confidence, baseline = predicted.labels[0], float(predicted.confidence[0]), None
        weights = _occlude(bundle, text, distinct, predicted, clock() + seconds, clock)
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
    predicted: Predictions,
    end: float,
    clock: Callable[[], float],
) -> dict[str, float]:
    """Computes word -> weight in the order of the text, until the clock reaches `end`."""
    label = bundle.labels.index(predicted.labels[0])
    weights: dict[str, float] = {}
    for i in range(0, len(distinct), TRIED_TOGETHER):
        if clock() >= end:
            break
        words = distinct[i : i + TRIED_TOGETHER]
        rest = bundle.predict([without(text, word) for word in words]).probabilities[:, label]
        weights |= zip(words, (predicted.probabilities[0, label] - rest).tolist(), strict=True)
    return weights


def without(text: str, word: str) -> str:
    """Removes `word` from `text` where it is a whole word, in any case.

    >>> without("Rain, rain! Rainbow.", "rain")
    ', ! Rainbow.'
    """
    return re.sub(rf"(?<![^\W_]){re.escape(word)}(?![^\W_])", "", text, flags=re.IGNORECASE)
