"""Data quality: separates bad data, which people must fix, from drift, which a model can learn.

A window is bad if too many texts are damaged, in another language, too short or too long, if one
source dominates unusually, or if one text is repeated too often.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from components.core.ledger.verdicts import WindowFinding
from components.core.params import Monitor, Validate
from components.core.text_quality import SHORT, damage
from monitoring.governor import WindowVerdict
from monitoring.windows import Window


def faults(
    texts: Sequence[str], languages: Sequence[str], settings: Validate
) -> dict[str, list[int]]:
    """Finds the indices of the texts with each fault, by the bounds of validation.

    Args:
        texts: N scrubbed texts.
        languages: N languages, as `text_quality.language_of` detects them.
        settings: bounds; without `languages` any language is valid.
    """
    shortest, longest, marks = (
        settings.min_characters,
        settings.max_characters,
        settings.damage_marks,
    )
    valid = {*settings.languages, SHORT}
    rules: dict[str, Callable[[str, str], bool]] = {
        "damaged by a wrong decoding": lambda text, _: damage(text) >= marks,
        f"not in {', '.join(settings.languages)}": lambda _, language: (
            bool(settings.languages) and language not in valid
        ),
        f"shorter than {shortest} characters": lambda text, _: len(text.strip()) < shortest,
        f"longer than {longest} characters": lambda text, _: len(text) > longest,
        "without a letter or digit": lambda text, _: not any(map(str.isalnum, text)),
    }
    rows_by_fault = {
        name: [i for i, pair in enumerate(zip(texts, languages, strict=True)) if rule(*pair)]
        for name, rule in rules.items()
    }
    return {name: rows for name, rows in rows_by_fault.items() if rows}


def flood(window: Window, usual: Mapping[str, int], settings: Monitor) -> list[str]:
    """Formats a reason for each source or text that makes up too much of the window.

    Args:
        window: window to check.
        usual: source -> rows in earlier windows; without any, no source is reported. A source with
            a usual share above `max_source_share` is not reported either.
        settings: bounds.
    """
    reasons = []
    total = sum(usual.values())
    for name, rows in window.by_source().items():
        before = usual.get(name, 0) / max(total, 1)
        if total and rows / window.rows > settings.max_source_share >= before:
            reasons.append(
                f"{rows / window.rows:.0%} of the texts come from the source {name}, which had "
                f"{before:.0%} before, and at most {settings.max_source_share:.0%} may"
            )
    times = max(Counter(window.texts).values(), default=0)
    if times / max(window.rows, 1) > settings.max_text_share:
        reasons.append(
            f"one text makes up {times / window.rows:.0%} of them, and at most "
            f"{settings.max_text_share:.0%} may be equal"
        )
    return reasons


def judge(
    window: Window,
    languages: Sequence[str],
    usual: Mapping[str, int],
    validate: Validate,
    settings: Monitor,
) -> tuple[WindowVerdict | None, dict[str, int]]:
    """Returns the verdict "bad data" or None, and the number of texts with each fault.

    Args:
        window: window to check, with at least one row.
        languages: of each text.
        usual: as in `flood`.
        validate, settings: bounds.
    """
    rows_by_fault = faults(window.texts, languages, validate)
    bad = len({row for rows in rows_by_fault.values() for row in rows})
    reasons = flood(window, usual, settings)
    if bad / window.rows > settings.max_bad_share:
        shown = ", ".join(f"{len(rows)} {name}" for name, rows in rows_by_fault.items())
        reasons.insert(
            0,
            f"{bad} of {window.rows} texts are bad, and at most {settings.max_bad_share:.0%} may "
            f"be: {shown}",
        )
    counts = {name: len(rows) for name, rows in rows_by_fault.items()}
    if not reasons:
        return None, counts
    fix = "Fix the source of the texts; nothing is learned from this window."
    return WindowVerdict(WindowFinding.BAD_DATA, (f"{'; '.join(reasons)}.", fix)), counts
