"""Names of monitoring's signals for people."""

from __future__ import annotations

import re

from components.core.bundle.reference import LANGUAGE, PROBABILITIES, SKETCH

VECTORS = "text vectors"
_TITLES = {
    "label": "predicted class",
    "confidence": "confidence",
    "words": "length in words",
    "unknown_share": "share of unknown words",
    "features": VECTORS,
    LANGUAGE: "language",
    SKETCH: "words",
    PROBABILITIES: "expected class shares",
}
_DIRECTION = re.compile(r"\bfeature_\d+\b")


def title(name: str) -> str:
    """Returns the name of a signal for people; all directions of the text vectors share one.

    >>> title("unknown_share"), title("feature_3")
    ('share of unknown words', 'text vectors')
    """
    return VECTORS if _DIRECTION.fullmatch(name) else _TITLES.get(name, name)


def column(name: str) -> str:
    """Returns the name of a signal as `title`, with the number of a direction.

    >>> column("label"), column("feature_3")
    ('predicted class', 'text vectors, direction 3')
    """
    number = f", direction {name.rpartition('_')[2]}" if _DIRECTION.fullmatch(name) else ""
    return title(name) + number


def in_words(sentence: str) -> str:
    """Replaces the names of columns that say nothing to a person.

    >>> in_words("2 of 9 signals drifted: label (p = 0.01), feature_0 (p = 0.02)")
    '2 of 9 signals drifted: label (p = 0.01), a direction of the text vectors (p = 0.02)'
    """
    return _DIRECTION.sub(f"a direction of the {VECTORS}", sentence)
