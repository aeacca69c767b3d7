"""One monitoring run: picks a window, judges it, decides, and records the result.

    ledger --> window --> the bundle's signals of its texts --> data quality, drift, accuracy
           --> governor --> report, ledger

Files are written first and the two ledger rows last, in one transaction: after a kill before them,
the next run judges the same predictions again.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from components.core import bundle, tables, text_quality
from components.core.bundle import Model
from components.core.bundle import reference as references
from components.core.ledger import Champion, Ledger
from components.core.ledger import windows as ledger_windows
from components.core.ledger.verdicts import DecisionKind, GovernorVerdict
from components.core.pages import Heading
from components.core.params import Params
from components.core.paths import Paths
from monitoring import (
    accuracy_estimate,
    drift,
    governor,
    governor_inputs,
    report,
    window_evaluation,
    windows,
)
from monitoring.accuracy_estimate import Decay, Measured
from monitoring.drift import Drift
from monitoring.drift import evidently as evidently_page
from monitoring.governor import Asker, GovernorDecision, WindowVerdict
from monitoring.window_evaluation import Answered, Seen
from monitoring.windows import Window, WindowState

_USUAL = 24  # earlier windows that give the usual shares of the sources


@dataclass(frozen=True)
class Outcome:
    """Findings and decision of a monitoring run.

    Attributes:
        decision_id: 32 hexadecimal digits, of the ledger's row.
        decision: of the governor.
        seen: findings about the window.
        window: the predictions judged.
        state: completeness of the window; see windows.WindowState.
        accuracy: of labelled answers, one each window of time, the oldest first.
        decay: fall of the measured accuracy; None without one.
        tag: of the champion.
        page: path of the report; None if no signal could be tested.
        reconcile: (id, reason) of an earlier decision "retrain" that no run took up; None if none.
    """

    decision_id: str
    decision: GovernorDecision
    seen: Seen
    window: Window
    state: WindowState
    accuracy: list[Measured]
    decay: Decay | None
    tag: str
    page: Path | None
    reconcile: tuple[str, str] | None = None

    @property
    def drift(self) -> Drift:
        return self.seen.drift

    def requests(self) -> list[tuple[str, str]]:
        """Returns (decision id, reason) of each retraining to request now."""
        requests = [self.reconcile] if self.reconcile else []
        if self.decision.verdict == GovernorVerdict.RETRAIN:
            requests.append((self.decision_id, " ".join(self.decision.reasons)))
        return requests

    def lines(self) -> list[str]:
        """Formats the outcome as sentences and tables for the terminal."""
        head, *others = self.sentences()
        return [head, *report.table(self.drift.signals), *others]

    def sentences(self) -> list[str]:
        """Formats the outcome without the table of signals."""
        again = []
        if self.reconcile:
            again = [f"The retraining {self.reconcile[0]} was never taken up; asked for again."]
        return [
            f"{self.window.rows} predictions of {self.tag} ({self.window.bundle[:12]}), sequence "
            f"numbers {self.window.after + 1} to {self.window.until}: {self.drift.verdict.finding}"
            if self.window.rows
            else f"No new predictions of {self.tag} ({self.window.bundle[:12]}).",
            *report.by_source(self.seen.sources),
            *report.quality(self.seen.estimate, self.accuracy, self.decay),
            f"{self.decision.verdict}: {' '.join(self.decision.reasons)}",
            *again,
        ]

    def as_dict(self) -> dict[str, Any]:
        """Plain values for `--json` and for the flow's result."""
        return {
            "decision_id": self.decision_id,
            "verdict": self.decision.verdict,
            "reasons": self.decision.reasons,
            "rule": self.decision.rule,
            "drift": self.drift.verdict.finding,
            **facts(self),
            "reconcile": self.reconcile[0] if self.reconcile else None,
            "lines": self.lines(),
        }


def facts(outcome: Outcome) -> dict[str, Any]:
    """Converts the findings to plain values: numbers and words, no text."""
    seen = outcome.seen
    return {
        **windows.as_dict(outcome.window),
        "state": outcome.state,
        "level": seen.drift.level,
        "looked_back": seen.looked_back,
        "signals": [asdict(signal) for signal in seen.drift.signals],
        "separability": seen.drift.separability,
        "faults": dict(seen.faults),
        "moved": seen.moved.as_dict(),
        "by_source": [source.as_dict() for source in seen.sources],
        "estimate": seen.estimate.as_dict() if seen.estimate else None,
        "accuracy": [measured.as_dict() for measured in outcome.accuracy],
        "decay": outcome.decay.as_dict() if outcome.decay else None,
        "report": str(outcome.page) if outcome.page else None,
    }


def run(
    params: Params,
    paths: Paths,
    now: datetime,
    ledger: Ledger,
    load: Callable[[Path, Path], Model] = bundle.load,
    *,
    at_work: bool = False,
    draw: bool = True,
) -> Outcome:
    """Judges the champion's newest predictions, decides, and records both.

    Args:
        params: the sections `monitor` and `governor` are read.
        paths: `bundles`, `keys` and `monitoring_reports` are used.
        now: UTC.
        ledger: open; it is left open.
        load: gives the model for a bundle's folder and the folder with the public key.
        at_work: True while a learning run holds the lock: the governor then waits.
        draw: True draws a page, the slowest part of a run; no verdict depends on the page.

    Raises:
        LedgerError: there is no champion, the ledger cannot be reached, or another run was faster.
        BundleError: the champion's bundle is missing or altered.
    """
    champion = ledger.need_champion("to watch")
    reference = bundle.read_reference(paths.bundles / champion.bundle, champion.bundle, paths.keys)
    settings = params.monitor
    window = windows.pick(
        ledger, champion.bundle, settings.max_rows, uneven=settings.max_lost_share
    )
    allowed = window_evaluation.level(
        ledger_windows.spent(ledger, now - timedelta(days=1)), settings
    )
    unready = window_evaluation.unready(window, allowed, settings)
    seen = (
        Seen(Drift(unready), {})
        if unready
        else _look(params, paths, ledger, champion, reference, window, allowed, load, draw)
    )
    shift = seen.drift
    truths = ledger_windows.truths(
        ledger, champion.bundle, now - timedelta(days=settings.accuracy_days)
    )
    state = window.state(settings.min_rows, settings.max_lost_share)
    decay = accuracy_estimate.decay_without_each(truths, settings.decay_delta)
    answers = [(time, right) for time, right, _ in truths]
    verdict = with_accuracy(shift.verdict, seen, decay, champion)
    verdict = replace(verdict, enough=state not in (WindowState.EMPTY, WindowState.INCOMPLETE))
    past = governor_inputs.gather(ledger, champion, params.governor, now, at_work=at_work)
    decision = governor.decide(verdict, past.history, params.governor, now)
    decision_id = uuid.uuid4().hex
    folder = paths.monitoring_reports
    name = f"{now.astimezone(UTC):%Y%m%dT%H%M%SZ}-{decision_id[:8]}"
    page = folder / f"{name}.html" if shift.page else None
    outcome = Outcome(
        decision_id=decision_id,
        decision=decision,
        seen=seen,
        window=window,
        state=state,
        accuracy=accuracy_estimate.by_time(answers, settings.accuracy_hours, settings.confidence),
        decay=decay,
        tag=champion.tag,
        page=page,
        reconcile=past.lost(now, params.governor),
    )
    if page and shift.page:
        title = f"Drift of {champion.tag}, {now.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
        html = report.page(
            shift.page,
            title,
            Heading.of(paths, page, champion.tag, now),
            " ".join(shift.verdict.reasons),
            outcome.sentences(),
            shift.signals,
            seen.moved,
            seen.examples,
        )
        evidently_page.share(folder)
        tables.write_text(html, page)
        written = {**outcome.as_dict(), "time": now.isoformat(), "evidently": shift.evidently}
        tables.write_json(written, folder / f"{name}.json")
    _record(ledger, outcome, now, consumed=window.rows >= params.monitor.min_rows)
    _prune(folder, params.monitor.keep_pages)
    return outcome


def with_accuracy(
    verdict: WindowVerdict, seen: Seen, decay: Decay | None, champion: Champion
) -> WindowVerdict:
    """Adds the drops of accuracy to `verdict`.

    The drop by labels, against the test accuracy, counts once ADWIN detects a decay. A trusted
    estimate counts by the bounds of the expected drop, which exclude the window's sampling noise.
    """
    tested = champion.metrics.get("accuracy")
    if decay and isinstance(tested, dict):
        verdict = replace(verdict, real_drop=tested["value"] - decay.after)
    if seen.estimate and seen.estimate.trusted:
        drop = seen.estimate.drop
        verdict = replace(verdict, estimated_drop=drop.low, estimated_most=drop.high)
    return verdict


def _look(
    params: Params,
    paths: Paths,
    ledger: Ledger,
    champion: Champion,
    reference: pl.DataFrame,
    window: Window,
    allowed: float,
    load: Callable[[Path, Path], Model],
    draw: bool,
) -> Seen:
    """Predicts the texts of the window again with the champion, and judges the answers."""
    folder, asked = paths.bundles / champion.bundle, params.validate_
    model = load(folder, paths.keys)
    language = text_quality.language_of(asked.language_characters, asked.language_score)

    def answered(part: Window) -> Answered:
        answers = model.predict(part.texts)
        signals = references.table(answers, part.texts, language)
        return Answered(part, answers.probabilities, signals)

    max_rows = min(
        drift.look_back(reference.height, window.rows), params.monitor.max_rows - window.rows
    )
    past = windows.past(ledger, window, max_rows, reference.height)
    return window_evaluation.judge(
        answered(window),
        answered(past.before) if past.before.rows else None,
        past.quiet,
        answered(past.early).table if past.early.rows else None,
        reference,
        bundle.words(folder),
        model.target,
        ledger_windows.usual_sources(ledger, champion.bundle, _USUAL),
        allowed,
        params,
        draw=draw,
    )


def _record(ledger: Ledger, outcome: Outcome, now: datetime, *, consumed: bool) -> None:
    """Records window and decision; a window that is not consumed ends where it starts."""
    window = outcome.window
    details = {
        **facts(outcome),
        "consumed": consumed,
        "finding": outcome.drift.verdict.finding,
        "by": Asker.MONITORING,
        "rule": outcome.decision.rule,
        "world_moved": outcome.decision.moved,
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
            "kind": DecisionKind.GOVERNOR,
            "time": now,
            "verdict": outcome.decision.verdict,
            "reasons": outcome.decision.reasons,
            "details": details,
        },
    )


def _prune(folder: Path, keep: int) -> None:
    """Deletes all but the newest `keep` pages; their names sort by time."""
    for old in sorted(folder.glob("*.html"))[:-keep]:
        old.unlink(missing_ok=True)
