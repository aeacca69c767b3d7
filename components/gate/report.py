"""Draws a decision of the gate as one HTML page, without foreign hosts; readable on a phone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from components.core import pages
from components.core.ledger.verdicts import GateVerdict
from components.gate.baselines import NAMES
from components.gate.checks import CheckKind

_TITLES = {
    CheckKind.FLOOR: "What every model must keep",
    CheckKind.REHEARSAL: "The rehearsal: the real service, in a process of its own",
    CheckKind.BASELINE: "Against the simplest models, on the same texts",
    CheckKind.CHAMPION: "Against the champion, on the same texts",
}
_ANSWERS = {
    GateVerdict.RELEASE: "Released",
    GateVerdict.KEEP: "Not released: the champion stays",
    GateVerdict.REFUSE: "Refused",
    GateVerdict.CANNOT_SAY: "Not decided: the rehearsal had no result",
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
        {"number": number, "evidence": evidence},
        decision=decision,
        simple_names=NAMES,
        answer=_ANSWERS[decision["verdict"]],
        groups=[(title, checks) for title, checks in groups if checks],
    )


def evidence(sample: Mapping[str, Any]) -> str:
    """Formats what the test documents prove, in a sentence or two.

    Args:
        sample: baselines.Sample as a dictionary.

    >>> interval = {"value": 1.0, "low": 0.851, "high": 1.0}
    >>> evidence({"documents": 22, "folds": 0, "accuracy": interval, "lead": 0.02, "needed": 924})
    '22 test documents: accuracy between 0.85 and 1.00. About 924 would prove a lead of 0.02.'
    """
    low, high = sample["accuracy"]["low"], sample["accuracy"]["high"]
    documents = f"{sample['documents']:,} test documents"
    if sample["folds"]:
        documents = f"{sample['documents']:,} documents by {sample['folds']} folds"
    sentence = f"{documents}: accuracy between {low:.2f} and {high:.2f}."
    if sample["documents"] >= sample["needed"]:
        return sentence
    return f"{sentence} About {sample['needed']:,} would prove a lead of {sample['lead']:g}."


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
