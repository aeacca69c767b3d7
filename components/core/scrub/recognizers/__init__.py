"""Rules for personal data that has a recognizable form: one rule a form, one file a family.

A new form is one `Rule` in one of these files; a new family is a file and an entry in RULES. Forms
that only other countries use come from Presidio by their entity's name (`presidio.py`).
"""

from __future__ import annotations

from functools import cache

from components.core.scrub.recognizers import (
    categories,
    dates,
    national_ids,
    numbers,
    online,
    persons,
    phones,
    places,
    secrets,
)
from components.core.scrub.recognizers.national_ids import GROUPS
from components.core.scrub.recognizers.rule import Rule, RuleSet, Scan, Span

__all__ = ["GROUPS", "RULES", "Rule", "RuleSet", "Scan", "Span", "rules_for"]

RULES: tuple[Rule | Scan, ...] = (
    *online.RULES,
    *numbers.RULES,
    *national_ids.RULES,
    *dates.RULES,
    *persons.RULES,
    *categories.RULES,
    *phones.RULES,
    *places.RULES,
    *secrets.RULES,
)


@cache
def rules_for(entities: frozenset[str]) -> RuleSet | None:
    """Returns the rules of some entities; None if there are none.

    They are compiled once a process, which costs a second.
    """
    rules = [rule for rule in RULES if rule.entity in entities]
    return RuleSet(rules) if rules else None
