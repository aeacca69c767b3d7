"""Scenario of the drills: the real stack in a sandbox, with a small first champion.

The sandbox is the demo's with a smaller network, and a governor policy without pauses between
drills.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import polars as pl
import sqlalchemy as sa

from components.core import ledger as ledgers
from components.core.ledger import RUNS, Ledger
from components.core.ledger import decisions as ledger_decisions
from components.core.ledger.verdicts import RunOutcome
from flows.sandbox import Sandbox, Timeline, demo, send, wait, waiting
from serving.client import Client

PART = 60  # articles that a drill sends
_PER_CLASS = 60  # articles of the first champion; drills test the stack, not the model
_SEEN = 8  # articles of the held-back class, so few that the champion errs on most of it
SETTINGS: dict[str, Any] = {
    **demo.SETTINGS,
    "train.epochs": 16,  # a fraction of a second each; early stopping ends sooner
    "train.textcnn.words": 128,
    "train.textcnn.filters": 32,
    "gate.min_accuracy": 0.5,
    # A dozen labelled articles on the test side prove little, so only the floor counts.
    "gate.rule": "not_worse",
    "gate.margin": 1.0,
    "validate.noise_class_documents": 10_000,  # skips the estimate, which needs more articles
    "validate.max_class_shift": 1.0,  # with so few articles a drill shifts the classes far
    "monitor.min_rows": 40,
    "governor.min_new_labels": 20,
    "governor.cooldown_hours": 0.0,  # drills follow each other at once
    "governor.per_day": 100,
    "governor.per_month": 100,
    "governor.reconcile_minutes": 0.05,
}


@dataclass
class Scene:
    """Stack and data of a drill."""

    sandbox: Sandbox
    ledger: Ledger
    client: Client
    timeline: Timeline
    parts: dict[str, pl.DataFrame]

    def send(self, name: str, *, labelled: bool) -> float:
        """Sends a part, labels it if asked, and waits for the scrubber; returns the accuracy."""
        right, ids = send(self.client, self.parts[name])
        if labelled:
            self.client.feedback(zip(ids, self.parts[name]["label"], strict=True))
        wait("the texts to be scrubbed", lambda: waiting(self.ledger) == 0)
        suffix = ", and people label them" if labelled else ""
        self.timeline.add(f"{len(ids)} articles arrive{suffix}; accuracy {right:.3f}")
        return right

    def monitor(self) -> dict[str, Any]:
        decision: dict[str, Any] = self.sandbox.newsloop("monitor")
        self.timeline.add(f"monitoring: {decision['verdict']}. {decision['reasons'][-1]}")
        return decision

    def runs(self) -> int:
        return len(self.ledger.query(sa.select(RUNS.c.seq)))

    def ended(self, decision_id: str) -> RunOutcome:
        """Waits until the run for a decision has ended; returns its outcome."""

        def outcome() -> RunOutcome | None:
            rows = ledger_decisions.story(self.ledger, 100)
            return next((row["outcome"] for row in rows if row["id"] == decision_id), None)

        wait("the run to end", outcome, 600)
        result = outcome()
        assert result is not None
        self.timeline.add(f"the run for {decision_id[:8]} ended: {result}")
        return result

    def alerted(self, since: datetime) -> bool:
        return bool(ledger_decisions.alerts(self.ledger, since))

    def serves(self) -> str:
        """Waits until the service answers with the champion; returns the champion's bundle."""
        champion = self.ledger.champion()
        assert champion is not None
        wait("the service to follow", lambda: self.client.model().bundle == champion.bundle)
        return champion.bundle


@contextmanager
def stage(
    sandbox: Sandbox, parts: dict[str, pl.DataFrame], *, keep: bool = False
) -> Iterator[Scene]:
    """Starts the stack in `sandbox` with a first champion; stops it at the end unless `keep`."""
    timeline = Timeline()
    sandbox.prepare(parts["learned"])
    timeline.add(f"a sandbox at {sandbox.root}, {len(parts['learned'])} articles")
    try:
        sandbox.newsloop("run", "--reason", "drill")
        sandbox.newsloop("up")
        timeline.add(f"a first champion serves at {sandbox.service}")
        ledger = Ledger(ledgers.url(sandbox.home / "ledger.sqlite"))
        key = sandbox.labeller()
        with closing(ledger), Client(sandbox.service, key=key) as client:
            yield Scene(sandbox, ledger, client, timeline, parts)
    finally:
        if not keep:
            sandbox.end()


def divide(
    documents: pl.DataFrame, raw: Mapping[str, str], labels: list[str]
) -> dict[str, pl.DataFrame]:
    """Divides the articles into the parts of the drills; no article is in two parts.

    Args:
        documents: scrubbed documents of ingest.
        raw: id -> unscrubbed text, as clients send it.
        labels: classes; the last one is held back if demo.MOVED is none of them.
    """
    moved = demo.MOVED if demo.MOVED in labels else labels[-1]
    divided = demo.drift_parts(documents, moved, _SEEN)
    few = divided["learned"].filter(pl.int_range(pl.len()).over("label") < _PER_CLASS)
    new = pl.concat([divided["labelled"], divided["unlabelled"]])
    sent = {"still": divided["still"]}
    for i, name in enumerate(("outage", "unseen", "moved", "lost")):
        sent[name] = new[i * PART : (i + 1) * PART]
    return {"learned": few} | {
        name: part.with_columns(text=pl.col("id").replace_strict(raw))
        for name, part in sent.items()
    }
