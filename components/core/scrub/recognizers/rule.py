"""A rule, and a set of rules that is searched in one pass.

Python's regular expressions cost about a microsecond for each ten characters and rule, which for
forty rules and a news article is milliseconds. Each rule therefore has a gate: a cheaper expression
that matches wherever the rule does. Hyperscan (Wang et al. 2019) looks for all gates at once, at
hundreds of megabytes a second; only rules whose gate opened are run.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

BEFORE, AFTER = 60, 30  # characters around a match in which a context word counts
CONTEXT_SCORE = 0.5  # what a context word adds


class Span(NamedTuple):
    """Personal data at the characters [start, end) of a text; score 0 to 1."""

    start: int
    end: int
    entity: str
    score: float


@dataclass(frozen=True)
class Rule:
    """One form of personal data.

    Attributes:
        entity: what it is, in Presidio's words where it has one.
        pattern: Python regular expression; its group `pii`, if there is one, is the finding.
        gates: Hyperscan expressions; one of them matches in every text in which `pattern` does.
        score: 0 to 1, without context.
        context: words (regular expressions) that raise the score when one stands nearby.
        refine: from a match's text to the part of it that is personal data, as (start, end) in
            that text, or None if it is no personal data after all (a checksum, for example).
        flags: of `pattern`.
    """

    entity: str
    pattern: str
    gates: tuple[str, ...]
    score: float
    context: tuple[str, ...] = ()
    refine: Callable[[str], tuple[int, int] | None] | None = None
    flags: int = re.IGNORECASE

    @cached_property
    def _expression(self) -> re.Pattern[str]:
        return re.compile(self.pattern, self.flags)

    @cached_property
    def _context(self) -> re.Pattern[str] | None:
        if not self.context:
            return None
        return re.compile(rf"(?<![a-z])(?:{'|'.join(self.context)})(?![a-z])", re.IGNORECASE)

    def search(self, text: str) -> Iterator[Span]:
        """The findings in `text`."""
        group = "pii" if "pii" in self._expression.groupindex else 0
        for match in self._expression.finditer(text):
            start, end = match.span(group)
            if self.refine is not None:
                part = self.refine(text[start:end])
                if part is None:
                    continue
                start, end = start + part[0], start + part[1]
            yield Span(start, end, self.entity, self._scored(text, start, end))

    def _scored(self, text: str, start: int, end: int) -> float:
        if self._context is None:
            return self.score
        nearby = (text[max(0, start - BEFORE) : start], text[end : end + AFTER])
        near = any(self._context.search(part) for part in nearby)
        return min(1.0, self.score + CONTEXT_SCORE * near)


class RuleSet:
    """Rules that are searched together.

    Args:
        rules: at least one.
    """

    def __init__(self, rules: Sequence[Rule]) -> None:
        import hyperscan

        self._rules = rules
        gates = [(i, gate) for i, rule in enumerate(rules) for gate in rule.gates]
        single = hyperscan.HS_FLAG_SINGLEMATCH | hyperscan.HS_FLAG_DOTALL
        self._database = hyperscan.Database()
        self._database.compile(
            expressions=[gate.encode() for _, gate in gates],
            ids=[i for i, _ in gates],
            elements=len(gates),
            flags=[single] * len(gates),
        )
        self._lock = threading.Lock()  # the database has working memory for one scan at a time

    def open_gates(self, text: str) -> set[int]:
        """Returns the indices of the rules that may match in `text`."""
        opened: set[int] = set()

        def remember(i: int, start: int, end: int, flags: int, context: Any) -> None:
            del start, end, flags, context
            opened.add(i)

        with self._lock:
            self._database.scan(text.encode("utf-8", "surrogatepass"), match_event_handler=remember)
        return opened

    def search(self, text: str) -> list[Span]:
        """All findings of all rules in `text`; they may overlap."""
        return [span for i in sorted(self.open_gates(text)) for span in self._rules[i].search(text)]


def words(*choices: str) -> str:
    """An expression that matches one of `choices`."""
    return f"(?:{'|'.join(choices)})"


def digits_of(text: str) -> str:
    """The digits in `text`, and nothing else.

    >>> digits_of("12-3 4")
    '1234'
    """
    return "".join(character for character in text if character.isdigit())


def whole(text: str, good: bool) -> tuple[int, int] | None:
    """All of `text` as a finding if it is `good`."""
    return (0, len(text)) if good else None


def first_good(
    text: str, spans: Iterable[tuple[int, int]], good: Callable[[str], bool]
) -> tuple[int, int] | None:
    """The first of `spans` whose part of `text` is good."""
    return next((span for span in spans if good(text[slice(*span)])), None)
