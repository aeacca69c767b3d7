"""Bad data is not drift: what is broken must be mended, not learned.

A window is bad if too many of its texts are damaged, in another language, too short or too long,
or if one source floods the others or one text is sent again and again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from components.core.params import Monitor, Validate
from components.core.text_quality import SHORT, damage
from monitoring.governor import WindowVerdict
from monitoring.windows import Window


def faults(
    texts: Sequence[str], languages: Sequence[str], settings: Validate
) -> dict[str, list[int]]:
    """Fault -> the numbers of the texts that have it, by the bounds that validation has.

    Args:
        texts: N scrubbed ones.
        languages: of each, as `text_quality.language_of` tells.
        settings: bounds; no `languages` there: any will do.
    """
    least, most, marks = settings.min_characters, settings.max_characters, settings.damage_marks
    wanted = {*settings.languages, SHORT}
    rules: dict[str, Callable[[str, str], bool]] = {
        "damaged by a wrong decoding": lambda text, _: damage(text) >= marks,
        f"not in {', '.join(settings.languages)}": lambda _, language: (
            bool(settings.languages) and language not in wanted
        ),
        f"shorter than {least} characters": lambda text, _: len(text.strip()) < least,
        f"longer than {most} characters": lambda text, _: len(text) > most,
    }
    found = {
        name: [i for i, pair in enumerate(zip(texts, languages, strict=True)) if rule(*pair)]
        for name, rule in rules.items()
    }
    return {name: rows for name, rows in found.items() if rows}


def flood(window: Window, usual: Mapping[str, int], settings: Monitor) -> list[str]:
    """What floods the window, in English; nothing if nothing does.

    Args:
        window: to be judged.
        usual: source -> rows in the windows before; empty: nothing is known, and a source that
            always was alone floods nobody.
        settings: bounds.
    """
    said = []
    total = sum(usual.values())
    for name, rows in window.by_source().items():
        before = usual.get(name, 0) / max(total, 1)
        if total and rows / window.rows > settings.max_source_share >= before:
            said.append(
                f"{rows / window.rows:.0%} of the texts come from the source {name}, which had "
                f"{before:.0%} before, and at most {settings.max_source_share:.0%} may"
            )
    times = max(Counter(window.texts).values(), default=0)
    if times / max(window.rows, 1) > settings.max_text_share:
        said.append(
            f"one text makes up {times / window.rows:.0%} of them, and at most "
            f"{settings.max_text_share:.0%} may be equal"
        )
    return said


def judge(
    window: Window,
    languages: Sequence[str],
    usual: Mapping[str, int],
    validate: Validate,
    settings: Monitor,
) -> tuple[WindowVerdict | None, dict[str, int]]:
    """The verdict "bad data" or None, and how many texts have which fault.

    Args:
        window: to be judged, with at least one row.
        languages: of each text.
        usual: as `flood`.
        validate, settings: bounds.
    """
    found = faults(window.texts, languages, validate)
    bad = len({row for rows in found.values() for row in rows})
    reasons = flood(window, usual, settings)
    if bad / window.rows > settings.max_bad_share:
        shown = ", ".join(f"{len(rows)} {name}" for name, rows in found.items())
        reasons.insert(
            0,
            f"{bad} of {window.rows} texts are bad, and at most {settings.max_bad_share:.0%} may "
            f"be: {shown}",
        )
    counts = {name: len(rows) for name, rows in found.items()}
    if not reasons:
        return None, counts
    mend = "Mend where the texts come from; nothing is learned from this."
    return WindowVerdict("bad data", (f"{'; '.join(reasons)}.", mend)), counts
