"""Privacy report of a run: counts of masked values by source and entity, never a value.

.newsloop/reports/privacy.json, privacy.html  the same for programs and for people
"""

from __future__ import annotations

import html
from collections import Counter
from typing import Any

from components.core import tables
from components.core.ledger import Ledger
from components.core.ledger import retention as ledger_retention
from components.core.paths import Paths
from components.core.scrub import separated, unsearched_note

SERVICE = "service"  # source of requests, counted by the placeholders in stored texts
_STYLE = (
    "body{font:14px/1.5 sans-serif;max-width:900px;margin:24px auto;padding:0 16px}"
    "td,th{padding:4px 16px 4px 0;text-align:right}th:first-child,td:first-child{text-align:left}"
)


def collect(paths: Paths, ledger: Ledger) -> dict[str, dict[str, int]]:
    """Collects source -> entity -> number of masked values; the service comes last."""
    ingested = paths.ingested / "privacy.json"
    found: dict[str, dict[str, int]] = tables.read_json(ingested) if ingested.exists() else {}
    return {**found, SERVICE: ledger_retention.masked(ledger)}


def rows(report: dict[str, dict[str, int]]) -> list[list[str]]:
    """Formats the report as a table: a row for each entity, the most frequent first."""
    totals: dict[str, int] = {}
    for counts in report.values():
        for entity, count in separated(counts)[0].items():
            totals[entity] = totals.get(entity, 0) + count
    ordered = sorted(totals, key=lambda entity: (-totals[entity], entity))
    head = ["masked", *report, "together"]
    return [
        head,
        *[
            [
                entity,
                *(str(counts.get(entity, 0)) for counts in report.values()),
                str(totals[entity]),
            ]
            for entity in ordered
        ],
    ]


def unsearched(report: dict[str, dict[str, int]]) -> str:
    """Describes the documents in which names were not searched; empty for none."""
    counts = sum((Counter(source) for source in report.values()), Counter[str]())
    return unsearched_note(separated(counts)[1])


def write(paths: Paths, report: dict[str, dict[str, int]]) -> dict[str, Any]:
    """Writes both files; returns the page's path and the report."""
    folder = paths.home / "reports"
    tables.write_json(report, folder / "privacy.json")
    head, *body = rows(report)
    lines = [f"<tr>{''.join(f'<th>{html.escape(cell)}</th>' for cell in head)}</tr>"]
    lines += [
        f"<tr>{''.join(f'<td>{html.escape(cell)}</td>' for cell in row)}</tr>" for row in body
    ]
    note = f"<p>{html.escape(found)}</p>" if (found := unsearched(report)) else ""
    page = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
        "style-src 'unsafe-inline'\">"
        f"<title>Privacy report</title><style>{_STYLE}</style></head><body>"
        "<h1>Privacy report</h1><p>What was masked before anything was kept: counts by entity and "
        f"source.</p><table>{''.join(lines)}</table>{note}</body></html>\n"
    )
    return {"page": str(tables.write_text(page, folder / "privacy.html")), "masked": report}
