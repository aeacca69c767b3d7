"""The page that links all other pages: .newsloop/home.html, and copies of pages for it.

    reports/runs.json        the newest learning runs, also those without a release
    reports/evaluation.html  copy of data/05_evaluated/report.html with project, version and time
    reports/cards/vN.html    the model card of a version

DVC's outputs have equal bytes for equal inputs, so only the copies have a time and a link back.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from components.core import bundle, pages, tables
from components.core.errors import Busy, NewsloopError
from components.core.ledger import WINDOWS, Ledger
from components.core.ledger.verdicts import DecisionKind, RunOutcome
from components.core.pages import Heading
from components.core.paths import Paths
from components.core.progress import say
from components.core.scrub.pseudonyms import redact
from components.core.training import energy
from components.package import model_card
from flows import prefect_auth, privacy_report, retrain_requests

_RUNS = 30  # newest that runs.json keeps
_ROWS = 10  # newest runs, versions, decisions and windows on the page
_COMPARED = 4  # newest trained models, side by side
_ID = 8  # digits of the decision's id at the end of a report's name
_NO_RUN = (RunOutcome.MERGED, RunOutcome.HELD_BACK)
_METRICS = {
    "accuracy": "accuracy",
    "macro_f1": "macro F1",
    "baseline.accuracy": "accuracy of the linear baseline",
    "answered.share": "share of texts that are answered",
    "answered.accuracy": "accuracy of these answers",
    "calibration_error": "calibration error",
    "behaviour": "behaviour tests passed",
    "documents": "test documents",
    "errors": "mistakes",
}


def after_run(
    paths: Paths,
    ledger: Ledger,
    summary: Mapping[str, Any],
    reason: str,
    error: BaseException | None,
) -> None:
    """Records a learning run and writes the privacy report and the page, however the run ended.

    Args:
        paths: of the checkout.
        ledger: open.
        summary: of the run, as `learning.Summary` is as a dictionary.
        reason: of the run.
        error: that ended the run; None without one.
    """
    now = datetime.now(UTC)
    try:
        if not isinstance(error, Busy) and (error or summary["outcome"] not in _NO_RUN):
            _record(paths, summary, reason, error, now)
        privacy_report.write(paths, privacy_report.collect(paths, ledger), now)
        write(paths, ledger, now, prefect=True)
    except (OSError, NewsloopError) as problem:  # the run's own end matters more
        say(f"home: the page could not be written ({problem})")


def _record(
    paths: Paths,
    summary: Mapping[str, Any],
    reason: str,
    error: BaseException | None,
    now: datetime,
) -> None:
    outcome, why = summary["outcome"], ""
    if error is not None:
        if outcome == RunOutcome.UNCHANGED:  # no decision of the gate
            outcome, _ = retrain_requests.failure(error)
        known = isinstance(error, NewsloopError)
        why = redact(" ".join(str(error).split())) if known else type(error).__name__
    row = {
        "time": now.isoformat(),
        "reason": reason,
        "outcome": outcome,
        "why": why,
        "version": summary["version"],
        "seconds": sum(seconds for _, _, seconds in summary["stages"]),
        "flow_run": summary["flow_run"],
        "decision": (summary["decision"] or {}).get("id"),
        "architecture": (summary["metrics"] or {}).get("architecture"),
        "metrics": summary["metrics"] and _chosen(summary["metrics"]),
    }
    tables.write_json([row, *_runs(paths)][:_RUNS], _runs_file(paths))


def _runs_file(paths: Paths) -> Path:
    return paths.home / "reports" / "runs.json"


def _runs(paths: Paths) -> list[dict[str, Any]]:
    """Reads the recorded runs, the newest first."""
    file = _runs_file(paths)
    return list(tables.read_json(file)) if file.exists() else []


def _chosen(metrics: Mapping[str, Any]) -> dict[str, Any]:
    """Picks the metrics that the page compares, by their names in _METRICS."""
    chosen = {}
    for name in _METRICS:
        value: Any = metrics
        for part in name.split("."):
            value = value.get(part) if isinstance(value, Mapping) else None
        if value:
            chosen[name] = value
    return chosen


def write(paths: Paths, ledger: Ledger, now: datetime, *, prefect: bool) -> Path:
    """Writes the page and the copies that it links; returns the page's path.

    Args:
        paths: of the checkout.
        ledger: open.
        now: UTC.
        prefect: True if the Prefect server answers.

    Raises:
        LedgerError: the ledger cannot be reached.
    """
    champion, runs, versions = ledger.champion(), _runs(paths), ledger.versions()[:_ROWS]
    page = paths.home_page
    server = os.environ.get("PREFECT_API_URL", "").removesuffix("/api")
    cards = _cards(paths, versions)
    evaluation = _evaluation(paths, runs)
    reports = sorted(paths.monitoring_reports.glob("*.html"))[::-1]

    def link(file: Path | None) -> str:
        return os.path.relpath(file, page.parent) if file and file.exists() else ""

    decisions = ledger.decisions(DecisionKind.GATE, limit=_ROWS)
    gate_pages = {row["id"]: link(paths.decisions / f"{row['id']}.html") for row in decisions}
    listed = [
        ("Data Docs", "checks of the documents; what was refused, and why",
         paths.data_docs / "index.html"),
        ("Evaluation", "the newest trained model on the test side: metrics, mistakes, words",
         evaluation),
        ("Gate decision", "the newest check of a candidate: what passed, what failed",
         paths.decisions / f"{decisions[0]['id']}.html" if decisions else None),
        ("Model card", "the champion: data, training, quality, limits",
         cards.get(champion.version) if champion else None),
        ("Privacy report", "counts of masked personal data", paths.home / "reports/privacy.html"),
        ("Operator's page", "champion, drift, accuracy, decisions of monitoring",
         paths.home / "reports/index.html"),
        ("Monitoring report", "the newest window: drift, what moved, Evidently's plots",
         reports[0] if reports else None),
    ]  # fmt: skip
    text = pages.render(
        __package__,
        "home_page.html.j2",
        Heading(paths.project, champion.tag if champion else "no version yet", now),
        champion=champion,
        project=paths.project,
        last=runs[0] if runs else None,
        pages=[
            (name, what, link(file), _changed(file) if link(file) else "")
            for name, what, file in listed
        ],
        prefect=server if prefect else "",
        how=prefect_auth.HOW,
        runs=[{**row, "time": _shown(row["time"])} for row in runs[:_ROWS]],
        gate_pages=gate_pages,
        compared=_compared(runs, versions),
        decisions=[{**row, "time": _time(row["time"])} for row in decisions],
        versions=[
            {**row, "time": _time(row["time"]), "card": link(cards.get(row["version"]))}
            for row in versions
        ],
        reports=[(link(report), *_window(ledger, report)) for report in reports[:_ROWS]],
    )
    return tables.write_text(text, page)


def _evaluation(paths: Paths, runs: Sequence[Mapping[str, Any]]) -> Path | None:
    """Copies the newest evaluation, of the checkout or of the workspace."""
    found = [
        root / paths.evaluated.relative_to(paths.root) / "report.html"
        for root in (paths.root, paths.workspace)
    ]
    found = [file for file in found if file.exists()]
    if not found:  # an erasure or a person removed it
        paths.evaluation_page.unlink(missing_ok=True)
        return None
    newest = max(found, key=lambda file: file.stat().st_mtime)
    trained = next((row for row in runs if row["metrics"]), None)
    version = ""
    if trained:
        serves = trained["outcome"] in (RunOutcome.RELEASED, RunOutcome.UNCHANGED)
        candidate = f"candidate {trained['architecture']}, {trained['outcome']}"
        version = trained["version"] if serves else candidate
    page = paths.evaluation_page
    time = datetime.fromtimestamp(newest.stat().st_mtime, UTC)
    heading = Heading.of(paths, page, version, time)
    return _dated(pages.with_heading(newest.read_text("utf-8"), heading), page, time)


def _cards(paths: Paths, versions: Sequence[Mapping[str, Any]]) -> dict[int, Path]:
    """Writes the model cards of versions whose bundle is stored, and removes all others."""
    folder, written = paths.home / "reports" / "cards", dict[int, Path]()
    for row in versions:
        stored = paths.bundles / row["bundle"]
        if card := bundle.card(stored) if stored.is_dir() else None:
            page = folder / f"v{row['version']}.html"
            heading = Heading.of(paths, page, row["tag"], row["time"])
            text = card + energy.section(row["metrics"].get("energy"))
            html = model_card.page(text, heading)
            written[row["version"]] = _dated(html, page, row["time"])
    for page in set(folder.glob("*.html")) - set(written.values()):
        page.unlink(missing_ok=True)
    return written


def _dated(text: str, page: Path, time: datetime) -> Path:
    """Writes a copy with the time of its original."""
    tables.write_text(text, page)
    os.utime(page, (time.timestamp(), time.timestamp()))
    return page


def _compared(
    runs: Sequence[Mapping[str, Any]], versions: Sequence[Mapping[str, Any]]
) -> tuple[list[dict[str, str]], list[tuple[str, list[str]]]]:
    """Compares the newest trained models, the newest first.

    Runs that trained nothing are left out. Versions that were released before runs were recorded
    are compared, too.

    Returns:
        Models (name, time, outcome), and rows: a metric's name and its value for each model.
    """
    trained = [
        (
            {"name": row["version"] if row["outcome"] == RunOutcome.RELEASED
             else row["architecture"], "time": _shown(row["time"]), "outcome": row["outcome"]},
            row["metrics"],
        )
        for row in runs
        if row["metrics"] and row["outcome"] != RunOutcome.UNCHANGED
    ]  # fmt: skip
    known = {model["name"] for model, _ in trained}
    trained += [
        ({"name": row["tag"], "time": _time(row["time"]), "outcome": RunOutcome.RELEASED},
         _chosen(row["metrics"]))
        for row in versions
        if row["tag"] not in known
    ]  # fmt: skip
    trained = sorted(trained, key=lambda pair: pair[0]["time"], reverse=True)[:_COMPARED]
    rows = [
        (title, [_number(metrics.get(name)) for _, metrics in trained])
        for name, title in _METRICS.items()
        if any(name in metrics for _, metrics in trained)
    ]
    return [model for model, _ in trained], rows


def _number(value: Any) -> str:
    """
    >>> _number(0.91234), _number(12), _number({"value": 0.9, "low": 0.85, "high": 0.95})
    ('0.912', '12', '0.900 (0.850 to 0.950)')
    """
    if isinstance(value, Mapping):
        if "low" not in value:
            return _number(value.get("value"))
        return f"{value['value']:.3f} ({value['low']:.3f} to {value['high']:.3f})"
    if value is None:
        return ""
    return f"{value:,}" if isinstance(value, int) else f"{value:.3f}"


def _window(ledger: Ledger, report: Path) -> tuple[str, str]:
    """Reads time and finding of the window that a monitoring report is about."""
    rows = ledger.query(
        sa.select(WINDOWS.c.time, WINDOWS.c.verdict)
        .where(WINDOWS.c.details["decision_id"].as_string().startswith(report.stem[-_ID:]))
        .limit(1)
    )
    if rows:
        return _time(rows[0]["time"]), str(rows[0]["verdict"])
    return _changed(report), ""  # the ledger keeps windows for `privacy.ledger_days`


def _changed(file: Path | None) -> str:
    return _time(datetime.fromtimestamp(file.stat().st_mtime, UTC)) if file else ""


def _shown(time: str) -> str:
    return _time(datetime.fromisoformat(time))


def _time(time: datetime) -> str:
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M}"
