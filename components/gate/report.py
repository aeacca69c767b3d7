"""Draws a decision of the gate as one HTML page, without foreign hosts; readable on a phone."""

from __future__ import annotations

from typing import Any

from components.core import pages
from components.core.ledger.verdicts import GateVerdict
from components.gate.checks import CheckKind

_TITLES = {
    CheckKind.FLOOR: "What every model must reach",
    CheckKind.REHEARSAL: "The rehearsal: the real service, in a process of its own",
    CheckKind.CHAMPION: "Against the champion, on the same texts",
}
_ANSWERS = {
    GateVerdict.RELEASE: "Released",
    GateVerdict.KEEP: "Not released: the champion stays",
    GateVerdict.REFUSE: "Refused",
    GateVerdict.UNCHANGED: "Unchanged: the candidate is the champion",
}


def render(decision: dict[str, Any], heading: pages.Heading) -> str:
    """The page.

    Args:
        decision: as `gate.Decision.as_dict` gives it.
        heading: of the page.
    """
    groups = [
        (title, [check for check in decision["checks"] if check["kind"] == kind])
        for kind, title in _TITLES.items()
    ]
    return pages.render(
        __package__,
        "report.html.j2",
        heading,
        {"number": number},
        decision=decision,
        answer=_ANSWERS[decision["verdict"]],
        groups=[(title, checks) for title, checks in groups if checks],
    )


def number(value: float) -> str:
    """
    >>> number(0.978208), number(0.0000081), number(1312.44), number(1.0), number(-0.02)
    ('0.978', '0.0000081', '1312', '1', '-0.02')
    """
    large, small = 100, 0.001
    if abs(value) >= large:
        return f"{value:.0f}"
    if 0 < abs(value) < small:
        return f"{value:.2g}" if abs(value) < 1e-6 else f"{value:.7f}".rstrip("0")  # noqa: PLR2004
    return f"{value:.3f}".rstrip("0").rstrip(".")
