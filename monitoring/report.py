"""Monitoring report: lines for the terminal, and the head of Evidently's page."""

from __future__ import annotations

import html
import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from components.core.ledger.verdicts import WindowFinding
from monitoring.accuracy_estimate import Decay, Measured
from monitoring.drift import Signal
from monitoring.drift.what_moved import Change, Moved

if TYPE_CHECKING:
    from monitoring.drift.by_source import SourceDrift
    from monitoring.window_evaluation import Estimate

# The page may load Evidently's scripts from its own folder and nothing else.
_POLICY = (
    "default-src 'none'; script-src 'self' file: 'unsafe-inline' 'unsafe-eval'; "
    "style-src 'unsafe-inline'; font-src data:; img-src data: blob:"
)
_STYLE = """
.newsloop { font: 15px/1.5 system-ui, sans-serif; max-width: 1100px; margin: 24px auto;
  padding: 0 16px }
.newsloop pre, .newsloop blockquote { white-space: pre-wrap; overflow-wrap: anywhere; margin: 8px 0;
  padding: 12px; background: #8881; border-radius: 6px; overflow-x: auto }
.newsloop .columns { white-space: pre }
.newsloop table { border-collapse: collapse; font-variant-numeric: tabular-nums }
.newsloop .side { display: flex; flex-wrap: wrap; align-items: flex-start;
  gap: 8px 48px }
.newsloop td, .newsloop th { padding: 2px 12px 2px 0; text-align: right; font-weight: normal }
.newsloop td:first-child, .newsloop th:first-child { text-align: left }
.newsloop th { border-bottom: 1px solid #9ca3af }
"""
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
                signal.name,
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
        signals = f": {', '.join(source.signals)}" if source.signals else ""
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
    evidently: str, title: str, lines: Sequence[str], moved: Moved, examples: Sequence[str] = ()
) -> str:
    """Evidently's HTML with our findings above its plots, closed to the network.

    Args:
        evidently: as evidently_page.draw gives it.
        title: of the page.
        lines: for people.
        moved: what differs most.
        examples: scrubbed texts that are least like the reference.
    """
    head = (
        f'<head><meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        f"<title>{html.escape(title)}</title><style>{_STYLE}</style>"
    )
    text = "\n".join(_unbroken(lines))
    shown = "".join(
        f"<blockquote>{html.escape(_excerpt(example))}</blockquote>" for example in examples
    )
    top = (
        f'<body><div class="newsloop"><h1>{html.escape(title)}</h1><pre>{text}</pre>'
        f"{_moved(moved)}{'<h2>Texts least like the reference</h2>' if shown else ''}{shown}</div>"
    )
    return evidently.replace("<head>", head, 1).replace("<body>", top, 1)


def _unbroken(lines: Sequence[str]) -> Iterator[str]:
    """Formats lines as HTML without line breaks in tables, which are recognized by wide gaps."""
    for aligned, group in itertools.groupby(lines, lambda line: _GAP in line):
        text = html.escape("\n".join(group))
        yield f'<span class="columns">{text}</span>' if aligned else text


def _moved(moved: Moved) -> str:
    parts = [
        _table(heading, changes)
        for heading, changes in (
            ("words in more texts", moved.more),
            ("words in fewer texts", moved.fewer),
            ("predicted label", moved.classes),
        )
        if changes
    ]
    return f'<h2>What moved</h2><div class="side">{"".join(parts)}</div>' if parts else ""


def _table(heading: str, changes: Iterable[Change]) -> str:
    rows = "".join(
        f"<tr><td>{html.escape(change.name)}</td><td>{change.before:.1%}</td><td>{change.now:.1%}</td></tr>"
        for change in changes
    )
    return f"<table><tr><th>{heading}</th><th>reference</th><th>window</th></tr>{rows}</table>"


def _excerpt(text: str) -> str:
    return text if len(text) <= _EXCERPT else f"{text[:_EXCERPT]} ..."
