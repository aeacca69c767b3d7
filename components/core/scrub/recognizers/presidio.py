"""Presidio's own recognizers, by the entity's name: ES_NIF, IN_AADHAAR, CRYPTO and many more."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from components.core.errors import ScrubError
from components.core.scrub.recognizers.rule import (
    AFTER,
    BEFORE,
    CONTEXT_SCORE,
    Span,
)


class PresidioRules:
    """Recognizers of Presidio that work by patterns and checksums.

    They have no gates, and so take about a millisecond a document each.

    Args:
        entities: their names; at least one.

    Raises:
        ScrubError: Presidio has no such recognizer, or the one it has needs a language model.
    """

    def __init__(self, entities: Iterable[str]) -> None:
        from presidio_analyzer import PatternRecognizer, predefined_recognizers

        chosen = set(entities)
        self._recognizers: list[tuple[str, Any, re.Pattern[str] | None]] = []
        for name in sorted(vars(predefined_recognizers)):
            kind = getattr(predefined_recognizers, name)
            if not isinstance(kind, type) or not issubclass(kind, PatternRecognizer):
                continue
            recognizer = kind()
            for entity in chosen & set(recognizer.supported_entities):
                self._recognizers.append((entity, recognizer, _context(recognizer.context)))
        unknown = sorted(chosen - {entity for entity, _, _ in self._recognizers})
        if unknown:
            raise ScrubError(
                f"Expected entities that can be found, got some with no recognizer for {unknown}: "
                "neither components/core/scrub/recognizers/ nor Presidio has one. Change "
                "ingest.scrub.entities in params.yaml."
            )

    def search(self, text: str) -> Iterator[Span]:
        """The findings in `text`."""
        for entity, recognizer, context in self._recognizers:
            for match in recognizer.analyze(text, [entity]):
                near = context is not None and (
                    context.search(text, max(0, match.start - BEFORE), match.start)
                    or context.search(text, match.end, match.end + AFTER)
                )
                score = min(1.0, match.score + CONTEXT_SCORE * bool(near))
                yield Span(match.start, match.end, entity, score)


def _context(words: list[str] | None) -> re.Pattern[str] | None:
    if not words:
        return None
    return re.compile(rf"\b(?:{'|'.join(map(re.escape, words))})\b", re.IGNORECASE)
