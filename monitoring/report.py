"""Monitoring report: lines for the terminal, and the page with Evidently's plots."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from components.core import pages
from components.core.ledger.verdicts import WindowFinding
from components.core.pages import Heading
from monitoring import signal_names
from monitoring.accuracy_estimate import Decay, Measured
from monitoring.drift import Signal
from monitoring.drift.what_moved import Moved

if TYPE_CHECKING:
    from monitoring.drift.by_source import SourceDrift
    from monitoring.window_evaluation import Estimate

# The page may load Evidently's scripts from its own folder and nothing else.
_POLICY = (
    "default-src 'none'; script-src 'self' file: 'unsafe-inline' 'unsafe-eval'; "
    "style-src 'unsafe-inline'; font-src data:; img-src data: blob:"
)
_BY_SOURCE = {
    WindowFinding.DRIFT: "is unlike the reference", WindowFinding.NONE: "shows no drift"
}  # fmt: skip
_GAP = "  "  # between two columns
_EXCERPT = 400  # characters of an example
_WINDOWS_SHOWN = 3  # newest windows of accuracy, in the terminal


def table(signals: Sequence[Signal]) -> list[str]:
    """Formats the signals as aligned lines below a heading; none without signals."""
    if not signals:
        return []
    rows = [("signal", "p-value", "threshold", "drifted", "test")]
    for signal in signals:
        rows.append(
            (
                signal_names.column(signal.name),
                "-" if signal.p_value is None else f"{signal.p_value:.2g}",
                f"{signal.threshold:.2g}",
                {True: "yes", False: "no", None: "cannot say"}[signal.drifted],
                signal.reason or signal.method or "",
            )
        )
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]) - 1)]
    return [
        _GAP.join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[-1]])
        for row in rows
    ]


def by_source(sources: Sequence[SourceDrift]) -> list[str]:
    """Formats a line for each source."""
    lines = []
    for source in sources:
        verdict = _BY_SOURCE.get(source.finding, "cannot be judged")
        names = dict.fromkeys(signal_names.title(name) for name in source.signals)
        signals = f": {', '.join(names)}" if names else ""
        p_value = "" if source.p_value is None else f" (p = {source.p_value:.2g})"
        lines.append(f"Source {source.name}, {source.rows} texts, {verdict}{signals}{p_value}.")
    return lines


def quality(
    estimate: Estimate | None, accuracy: Sequence[Measured], decay: Decay | None
) -> list[str]:
    """Formats estimated and measured accuracy as lines."""
    lines = []
    if estimate:
        accuracy_now, drop = estimate.accuracy, estimate.drop
        trust = (
            ""
            if estimate.trusted
            else " Neither is to be trusted: the texts are no longer such as the model knows, or "
            "it knows too few of a class that has grown."
        )
        lines.append(
            f"Estimated accuracy, without labels: {accuracy_now.value:.3f} "
            f"[{accuracy_now.low:.3f}, {accuracy_now.high:.3f}]."
        )
        lines.append(
            f"Expected change of the accuracy, from the held-back texts to such as these: "
            f"{-drop.value:+.3f} [{-drop.high:+.3f}, {-drop.low:+.3f}].{trust}"
        )
    for period in accuracy[-_WINDOWS_SHOWN:]:
        lines.append(
            f"Accuracy of {period.labelled} labelled answers from "
            f"{period.start:%Y-%m-%d %H:%M} UTC: {period.accuracy.value:.3f} "
            f"[{period.accuracy.low:.3f}, {period.accuracy.high:.3f}]."
        )
    if decay:
        lines.append(
            f"The answers have become worse: {decay.before:.3f} were right before, "
            f"{decay.after:.3f} are; certain since {decay.time:%Y-%m-%d %H:%M} UTC."
        )
    return lines


def page(
    evidently: str,
    title: str,
    heading: Heading,
    verdict: str,
    sentences: Sequence[str],
    signals: Sequence[Signal],
    moved: Moved,
    examples: Sequence[str] = (),
) -> str:
    """Renders newsloop's findings above Evidently's plots, closed to the network.

    Args:
        evidently: HTML document of evidently.draw.
        title, heading: of the page.
        verdict: finding in a sentence.
        sentences: further findings.
        signals: of the drift test.
        moved: what differs most.
        examples: scrubbed texts that are least like the reference.
    """
    from markupsafe import Markup

    head, body = (
        evidently.partition(f"<{part}>")[2].rpartition(f"</{part}>")[0] for part in ("head", "body")
    )
    return pages.render(
        __package__,
        "report.html.j2",
        heading,
        {"in_words": signal_names.in_words},
        _POLICY,
        title=title,
        verdict=verdict,
        drifted=any(signal.drifted for signal in signals),
        sentences=sentences,
        signals=[{**vars(signal), "title": signal_names.column(signal.name)} for signal in signals],
        moved=moved,
        examples=[_excerpt(example) for example in examples],
        evidently_head=Markup(head),  # noqa: S704 - Evidently escapes
        evidently_body=Markup(body),  # noqa: S704 - Evidently escapes
    )


def _excerpt(text: str) -> str:
    return text if len(text) <= _EXCERPT else f"{text[:_EXCERPT]} ..."
