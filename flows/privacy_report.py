"""Privacy report of a run: counts of masked values by source and entity, never a value.

.newsloop/reports/privacy.json, privacy.html  the same for programs and for people
"""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import Any

from components.core import pages, tables
from components.core.ledger import Ledger
from components.core.ledger import retention as ledger_retention
from components.core.pages import Heading
from components.core.paths import Paths
from components.core.scrub import separated, unsearched_note

SERVICE = "service"  # source of requests, counted by the placeholders in stored texts


def collect(paths: Paths, ledger: Ledger) -> dict[str, dict[str, int]]:
    """Collects source -> entity -> number of masked values; the service comes last."""
    ingested = paths.ingested / "privacy.json"
    report: dict[str, dict[str, int]] = tables.read_json(ingested) if ingested.exists() else {}
    return {**report, SERVICE: ledger_retention.masked(ledger)}


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


def read(paths: Paths) -> dict[str, Any]:
    """Reads the page's path and the report that `write` wrote."""
    folder = paths.home / "reports"
    report = folder / "privacy.json"
    masked = tables.read_json(report) if report.exists() else {}
    masked = dict(sorted(masked.items(), key=lambda item: item[0] == SERVICE))
    return {"page": str(folder / "privacy.html"), "masked": masked}


def write(paths: Paths, report: dict[str, dict[str, int]], now: datetime) -> dict[str, Any]:
    """Writes both files; returns the page's path and the report."""
    folder = paths.home / "reports"
    tables.write_json(report, folder / "privacy.json")
    page = folder / "privacy.html"
    head, *body = rows(report)
    text = pages.render(
        __package__,
        "privacy_report.html.j2",
        Heading.of(paths, page, "", now),
        service=SERVICE,
        head=head,
        rows=body,
        total=sum(int(row[-1]) for row in body),
        note=unsearched(report),
    )
    return {"page": str(tables.write_text(text, page)), "masked": report}
