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
        needs: Hyperscan expressions; one of them must match too, if there is one.
        not_after: regular expression; a match right after text that it fits is no finding.
        not_before: regular expression; a match right before text that it fits is no finding.
        flags: of `pattern`.
    """

    entity: str
    pattern: str
    gates: tuple[str, ...]
    score: float
    context: tuple[str, ...] = ()
    refine: Callable[[str], tuple[int, int] | None] | None = None
    needs: tuple[str, ...] = ()
    not_after: str = ""
    not_before: str = ""
    flags: int = re.IGNORECASE

    @cached_property
    def _expression(self) -> re.Pattern[str]:
        return re.compile(self.pattern, self.flags)

    @cached_property
    def _context(self) -> re.Pattern[str] | None:
        if not self.context:
            return None
        return re.compile(rf"(?<![a-z])(?:{'|'.join(self.context)})(?![a-z])", re.IGNORECASE)

    @cached_property
    def _not_after(self) -> re.Pattern[str] | None:
        return re.compile(rf"(?:{self.not_after})\Z", re.I) if self.not_after else None

    @cached_property
    def _not_before(self) -> re.Pattern[str] | None:
        return re.compile(self.not_before, re.I) if self.not_before else None

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
            if self._not_after and self._not_after.search(text[max(0, start - BEFORE) : start]):
                continue
            if self._not_before and self._not_before.match(text, end):
                continue
            yield Span(start, end, self.entity, self._scored(text, start, end))

    def _scored(self, text: str, start: int, end: int) -> float:
        if self._context is None:
            return self.score
        nearby = (text[max(0, start - BEFORE) : start], text[end : end + AFTER])
        near = any(self._context.search(part) for part in nearby)
        return min(1.0, self.score + CONTEXT_SCORE * near)


@dataclass(frozen=True)
class Scan:
    """A form of personal data that one regular expression cannot describe.

    Attributes:
        entity, gates, score, needs: as of a Rule.
        find: yields the (start, end) of each finding in a text.
    """

    entity: str
    gates: tuple[str, ...]
    score: float
    find: Callable[[str], Iterator[tuple[int, int]]]
    needs: tuple[str, ...] = ()

    def search(self, text: str) -> Iterator[Span]:
        """The findings in `text`."""
        for start, end in self.find(text):
            yield Span(start, end, self.entity, self.score)


class RuleSet:
    """Rules that are searched together.

    Args:
        rules: at least one.
    """

    def __init__(self, rules: Sequence[Rule | Scan]) -> None:
        import hyperscan

        self._rules = rules
        expressions = list(
            dict.fromkeys(gate for rule in rules for gate in rule.gates + rule.needs)
        )
        numbers = {expression: number for number, expression in enumerate(expressions)}
        self._opened_by: list[list[int]] = [[] for _ in expressions]  # rules by expression
        for i, rule in enumerate(rules):
            for gate in rule.gates:
                self._opened_by[numbers[gate]].append(i)
        self._needs = {
            i: frozenset(numbers[gate] for gate in rule.needs)
            for i, rule in enumerate(rules)
            if rule.needs
        }
        self._database = hyperscan.Database()
        self._database.compile(
            expressions=[expression.encode() for expression in expressions],
            ids=list(range(len(expressions))),
            elements=len(expressions),
            flags=[hyperscan.HS_FLAG_SINGLEMATCH | hyperscan.HS_FLAG_DOTALL] * len(expressions),
        )
        self._lock = threading.Lock()  # the database has working memory for one scan at a time

    def open_gates(self, text: str) -> set[int]:
        """Returns the indices of the rules that may match in `text`."""
        matched: set[int] = set()

        def remember(number: int, start: int, end: int, flags: int, context: Any) -> None:
            del start, end, flags, context
            matched.add(number)

        with self._lock:
            self._database.scan(text.encode("utf-8", "surrogatepass"), match_event_handler=remember)
        opened = {i for number in matched for i in self._opened_by[number]}
        return {i for i in opened if i not in self._needs or self._needs[i] & matched}

    def search(self, text: str) -> list[Span]:
        """All findings of all rules in `text`; they may overlap."""
        return [span for i in sorted(self.open_gates(text)) for span in self._rules[i].search(text)]


def gate(*choices: str) -> str:
    """Returns the Hyperscan expression of plain words, in small letters or capitals.

    Hyperscan reads bytes: its case-insensitivity and its ends of words end with ASCII.
    """
    ascii_only = [
        rf"\b{re.escape(word)}" + r"\b" * word[-1].isalnum() for word in choices if word.isascii()
    ]
    forms = {form for word in choices for form in (word, word.upper(), word.capitalize())}
    others = [re.escape(word) for word in forms if not word.isascii()]
    return "(?i)(?:" + "|".join([*sorted(ascii_only), *sorted(others)]) + ")"


NUMBER = r"\d(?:[ ./()-]{0,3}\d){5}"  # Hyperscan: six digits, perhaps in groups


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
