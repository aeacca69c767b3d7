"""Writes the operator's page: .newsloop/reports/index.html."""

from __future__ import annotations

import os
from collections import Counter
from datetime import datetime
from pathlib import Path

from components.core import tables
from components.core.ledger import Ledger
from components.core.pages import Heading
from components.core.params import Params
from components.core.paths import Paths
from flows import environment, prefect_auth
from monitoring import operator_page


def write(params: Params, paths: Paths, ledger: Ledger, now: datetime) -> Path:
    """Writes the page and returns its path.

    Raises:
        LedgerError: no champion, or the ledger cannot be reached.
    """
    champion = ledger.need_champion("to report on")
    page = paths.home / "reports" / "index.html"
    pages = sorted(paths.monitoring_reports.glob("*.html"))
    candidates = [
        ("Data Docs", paths.data_docs / "index.html"),
        ("evaluation of the last run", paths.evaluation_page),
        ("privacy", page.with_name("privacy.html")),
        *[(f"drift {path.stem[:13]}", path) for path in pages[:-6:-1]],
    ]
    links = [
        (name, os.path.relpath(path, page.parent)) for name, path in candidates if path.exists()
    ]
    links.append(
        (f"Prefect ({prefect_auth.HOW})", environment.server_url(params).removesuffix("/api"))
    )
    masked: Counter[str] = Counter()
    report = page.with_name("privacy.json")  # counts of the last `newsloop run`
    for counts in tables.read_json(report).values() if report.exists() else ():
        masked.update(counts)
    newest = os.path.relpath(pages[-1], page.parent) if pages else None
    spooled = sum(file.stat().st_size for file in paths.spool.glob("**/*") if file.is_file())
    heading = Heading.of(paths, page, champion.tag, now)
    text = operator_page.render(
        params, ledger, champion, now, masked, links, newest, heading, spooled
    )
    return tables.write_text(text, page)
