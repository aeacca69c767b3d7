"""One monitoring run: a window is picked, judged and decided upon, and all of it is written down.

    ledger --> window --> the bundle's signals of its texts --> drift against the reference
           --> governor --> report, ledger

Files come first and the two ledger rows last, in one transaction: a run killed before them is
simply repeated, and judges the same predictions again.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from components.core import bundle, tables
from components.core.bundle import Model
from components.core.errors import LedgerError
from components.core.ledger import RUNS, Champion, Ledger
from components.core.params import Params
from components.core.paths import Paths
from monitoring import drift, governor, report, windows
from monitoring.drift import Drift
from monitoring.governor import Decision, History
from monitoring.windows import Window

GOVERNOR = "governor"  # kind of its decisions in the ledger


@dataclass(frozen=True)
class Outcome:
    """What a monitoring run found and decided.

    Attributes:
        decision_id: 32 hexadecimal digits, of the ledger's row.
        decision: of the governor.
        drift: what was found in the window.
        window: the predictions judged.
        tag: of the champion.
        page: Evidently's HTML; None if nothing could be tested.
        reconcile: (id, reason) of an earlier decision "retrain" that no run took up; None if none.
    """

    decision_id: str
    decision: Decision
    drift: Drift
    window: Window
    tag: str
    page: Path | None
    reconcile: tuple[str, str] | None = None

    def requests(self) -> list[tuple[str, str]]:
        """(decision id, reason) of each retraining that is to be asked for now."""
        found = [self.reconcile] if self.reconcile else []
        if self.decision.verdict == "retrain":
            found.append((self.decision_id, " ".join(self.decision.reasons)))
        return found

    def lines(self) -> list[str]:
        """The outcome in English, for the terminal."""
        again = []
        if self.reconcile:
            again = [f"The retraining {self.reconcile[0]} was never taken up; asked for again."]
        return [
            f"{self.window.rows} predictions of {self.tag} ({self.window.bundle[:12]}), sequence "
            f"numbers {self.window.after + 1} to {self.window.until}: {self.drift.verdict.finding}"
            if self.window.rows
            else f"No new predictions of {self.tag} ({self.window.bundle[:12]}).",
            *report.table(self.drift.signals),
            f"{self.decision.verdict}: {' '.join(self.decision.reasons)}",
            *again,
        ]

    def as_dict(self) -> dict[str, Any]:
        """Plain values for `--json` and for the flow's result."""
        return {
            "decision_id": self.decision_id,
            "verdict": self.decision.verdict,
            "reasons": self.decision.reasons,
            "drift": self.drift.verdict.finding,
            "signals": [asdict(signal) for signal in self.drift.signals],
            "bundle": self.window.bundle,
            "rows": self.window.rows,
            "after": self.window.after,
            "until": self.window.until,
            "report": str(self.page) if self.page else None,
            "reconcile": self.reconcile[0] if self.reconcile else None,
            "lines": self.lines(),
        }


def run(
    params: Params,
    paths: Paths,
    now: datetime,
    ledger: Ledger,
    load: Callable[[Path, Path], Model] = bundle.load,
) -> Outcome:
    """Judges the champion's newest predictions, decides, and records both.

    Args:
        params: the sections `monitor` and `governor` are read.
        paths: `bundles`, `keys` and `monitoring_reports` are used.
        now: UTC.
        ledger: open; it is left open.
        load: gives the model for a bundle's folder and the folder with the public key.

    Raises:
        LedgerError: there is no champion, the ledger cannot be reached, or another run was faster.
        BundleError: the champion's bundle is missing or altered.
    """
    champion = ledger.champion()
    if champion is None:
        raise LedgerError(
            "Expected a champion to watch, found none in the ledger. `newsloop run` makes one."
        )
    reference = bundle.reference(paths.bundles / champion.bundle, champion.bundle, paths.keys)
    window = windows.pick(ledger, champion.bundle, params.monitor.max_rows)
    signals = reference.clear()
    if window.rows >= params.monitor.min_rows:
        model = load(paths.bundles / champion.bundle, paths.keys)
        signals = model.predict(window.texts).signals()
    found = drift.judge(reference, signals, params.monitor, window.rows)
    asked = ledger.decisions(GOVERNOR, "retrain")
    history = History(
        last_retrain=asked[0]["time"] if asked else None,
        new_labels=ledger.count_labels(int(champion.decision.get("feedback_watermark", 0))),
    )
    decision = governor.decide(found.verdict, history, params.governor, now)
    decision_id = uuid.uuid4().hex
    folder = paths.monitoring_reports
    name = f"{now.astimezone(UTC):%Y%m%dT%H%M%SZ}-{decision_id[:8]}"
    page = folder / f"{name}.html" if found.page else None
    patience = timedelta(minutes=params.governor.reconcile_minutes)
    outcome = Outcome(
        decision_id=decision_id,
        decision=decision,
        drift=found,
        window=window,
        tag=champion.tag,
        page=page,
        reconcile=_lost(ledger, asked, champion, now, patience)
        if decision.verdict != "retrain"
        else None,
    )
    if page and found.page:
        title = f"Drift of {champion.tag}, {now.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
        tables.write_text(report.page(found.page, title, outcome.lines()), page)
        facts = {**outcome.as_dict(), "time": now.isoformat(), "evidently": found.evidently}
        tables.write_json(facts, folder / f"{name}.json")
    _record(ledger, outcome, now, consumed=window.rows >= params.monitor.min_rows)
    _prune(folder, params.monitor.keep_pages)
    return outcome


def _record(ledger: Ledger, outcome: Outcome, now: datetime, *, consumed: bool) -> None:
    """Writes the window and the decision; a window that is not consumed ends where it starts."""
    window = outcome.window
    details = {
        "bundle": window.bundle,
        "after": window.after,
        "until": window.until,
        "rows": window.rows,
        "skipped": window.skipped,
        "consumed": consumed,
        "finding": outcome.drift.verdict.finding,
        "signals": [asdict(signal) for signal in outcome.drift.signals],
        "report": str(outcome.page) if outcome.page else None,
    }
    ledger.add_window(
        {
            "time": now,
            "bundle": window.bundle,
            "after": window.after,
            "until": window.until if consumed else window.after,
            "rows": window.rows,
            "verdict": outcome.drift.verdict.finding,
            "details": {**details, "decision_id": outcome.decision_id},
        },
        {
            "id": outcome.decision_id,
            "kind": GOVERNOR,
            "time": now,
            "verdict": outcome.decision.verdict,
            "reasons": outcome.decision.reasons,
            "details": details,
        },
    )


def _lost(
    ledger: Ledger,
    asked: list[dict[str, Any]],
    champion: Champion,
    now: datetime,
    patience: timedelta,
) -> tuple[str, str] | None:
    """The newest request for a retraining, if no run took it up though there was time to.

    One that was judged on another bundle than the champion's has been overtaken.
    """
    if not asked or abs(now - asked[0]["time"]) < patience:
        return None
    newest = asked[0]
    if newest["details"].get("bundle", champion.bundle) != champion.bundle:
        return None
    taken = sa.select(RUNS.c.seq).where(RUNS.c.decision_id == newest["id"])
    if ledger.query(taken):
        return None
    return newest["id"], " ".join(newest["reasons"])


def _prune(folder: Path, keep: int) -> None:
    """Deletes all but the newest `keep` pages; their names sort by time."""
    for old in sorted(folder.glob("*.html"))[:-keep]:
        old.unlink(missing_ok=True)
