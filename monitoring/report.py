"""What monitoring shows to people: lines for the terminal, and a heading for Evidently's page."""

from __future__ import annotations

import html
from collections.abc import Sequence

from monitoring.drift import Signal

# The page holds all it needs; this keeps a browser from asking anyone for anything.
_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; style-src 'unsafe-inline'; "
    "font-src data:; img-src data: blob:"
)
_STYLE = "font: 14px/1.5 sans-serif; max-width: 1100px; margin: 24px auto; padding: 0 16px"


def table(signals: Sequence[Signal]) -> list[str]:
    """The signals as aligned lines, the first one a heading; nothing without signals."""
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
        "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[-1]])
        for row in rows
    ]


def page(evidently: str, title: str, lines: Sequence[str]) -> str:
    """Evidently's HTML with a title and `lines` above its plots, closed to the network."""
    head = (
        f"<head><title>{html.escape(title)}</title>"
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
    )
    text = html.escape("\n".join(lines))
    top = (
        f'<body><div style="{_STYLE}"><h1>{html.escape(title)}</h1>'
        f'<pre style="white-space: pre-wrap">{text}</pre></div>'
    )
    return evidently.replace("<head>", head, 1).replace("<body>", top, 1)
