"""Rules for personal data that has a recognizable form: one rule a form, one file a family.

A new form is one `Rule` in one of these files; a new family is a file and an entry in RULES. Forms
that only other countries use come from Presidio by their entity's name (`presidio.py`).
"""

from __future__ import annotations

from components.core.scrub.recognizers import (
    numbers,
    online,
    phones,
    places,
    secrets,
)
from components.core.scrub.recognizers.rule import Rule, RuleSet, Span

__all__ = ["RULES", "Rule", "RuleSet", "Span"]

RULES: tuple[Rule, ...] = (
    *online.RULES,
    *numbers.RULES,
    *phones.RULES,
    *places.RULES,
    *secrets.RULES,
)
