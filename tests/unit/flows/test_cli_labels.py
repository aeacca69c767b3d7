"""newsloop labels: who sent which, and what is withdrawn counts nowhere."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from components.core import params as parameters
from components.core.errors import UsageError
from components.core.ledger import PREDICTIONS, TEXTS, Ledger, labels, trials
from components.core.ledger import gate as ledger_gate
from components.core.ledger import windows as ledger_windows
from components.core.ledger.labels import LOOPBACK, Sender
from components.core.paths import Paths
from flows.cli.data import labels as command
from serving.http import api_keys

PROJECT = Path(__file__).resolve().parents[3]
NOW = datetime(2026, 1, 5, 3, 10, tzinfo=UTC)
BUNDLE = "b" * 64


class Made:
    """A ledger with labels of three callers, two versions, and the command."""

    def __init__(self, root: Path) -> None:
        self.paths = Paths(root, root / "home")
        self.ledger = Ledger(f"sqlite:///{self.paths.ledger}")
        file = self.paths.keys / api_keys.FILE
        api_keys.add(file, "anna", ["label"], NOW)
        self.anna = api_keys.load(file)[0].id
        columns = {
            "time": NOW, "bundle": BUNDLE, "label": "tech", "confidence": 0.9, "probabilities": {},
            "words": 1, "unknown_share": 0.0, "features": [],
        }  # fmt: skip
        ids = [f"{i:032x}" for i in range(10)]
        self.ledger.insert(PREDICTIONS, [{"id": id_, **columns} for id_ in ids])
        self.ledger.insert(TEXTS, [{"prediction_id": id_, "text": f"text {id_}"} for id_ in ids])
        for number, mark in ((1, 0), (2, 6)):
            self.ledger.add_version(
                {
                    "version": number, "bundle": f"{number:064x}", "time": NOW, "tag": f"v{number}",
                    "commit": "c" * 40, "dvc_lock": "d" * 64, "snapshot": "s" * 64, "metrics": {},
                    "decision": {"feedback_watermark": mark},
                },
                "a test",
            )  # fmt: skip
        self.send(Sender(LOOPBACK), ids[:4], NOW)
        self.send(Sender(self.anna, trusted=True), ids[4:8], NOW)
        self.send(Sender(LOOPBACK), ids[8:], NOW + timedelta(hours=2))
        params = parameters.load(PROJECT / "params.yaml")
        self.app = typer.Typer()
        command.add(self.app, lambda: (params, self.paths), lambda _: self.ledger)

    def send(self, sender: Sender, ids: list[str], time: datetime) -> None:
        self.ledger.add_labels([(id_, "sport") for id_ in ids], time, sender=sender)

    def run(self, *argv: str) -> dict[str, Any]:
        result = CliRunner().invoke(self.app, [*argv, "--json"], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        found: dict[str, Any] = json.loads(result.stdout)
        return found


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Made]:
    found = Made(tmp_path)
    yield found
    found.ledger.close()


def test_labels_are_listed_by_caller_and_hour(made: Made) -> None:
    found = made.run()
    assert [(row["name"] or row["caller"], row["labels"]) for row in found["callers"]] == [
        ("loopback", 4),
        ("anna", 4),
        ("loopback", 2),
    ]
    assert [row["decides_alone"] for row in found["callers"]] == [False, True, False]
    assert found["versions"] == {"v2": 6}
    assert made.run("--caller", "anna")["versions"] == {"v2": 2}
    (late,) = made.run("--since", "2026-01-05T04:00Z")["callers"]
    assert (late["hour"], late["labels"]) == ("2026-01-05T05:00:00+00:00", 2)
    people = CliRunner().invoke(made.app, ["--caller", "anna"]).stdout
    assert "2026-01-05 03:00 UTC  anna  4 labels, may decide alone" in people
    assert "made when they were there: v2 (2)" in people


def test_nothing_is_withdrawn_without_a_yes(made: Made) -> None:
    with pytest.raises(UsageError, match="--yes"):
        made.run("--withdraw")
    with pytest.raises(UsageError, match="--accept together with --suspects"):
        made.run("--accept", "--yes")
    assert made.run()["withdrawn"] == 0


def test_what_is_withdrawn_counts_nowhere(made: Made) -> None:
    before = NOW - timedelta(days=1)
    assert len(ledger_windows.truths(made.ledger, BUNDLE, before)) == 10
    found = made.run("--caller", "loopback", "--withdraw", "--yes")
    assert (found["withdrawn"], found["versions"]) == (6, {"v2": 4})
    ledger = made.ledger
    assert len(ledger_windows.truths(ledger, BUNDLE, before)) == 4
    assert len(trials.labelled_texts(ledger, before)) == 4
    assert trials.labelled(ledger, BUNDLE) == (0, 4)
    assert len(ledger_gate.labelled_since(ledger, 0)) == 4
    assert ledger.count_labels(0) == 4
    assert [row["prediction_id"] for row in ledger.feedback(99)] == [
        f"{i:032x}" for i in range(4, 8)
    ]
    assert len(ledger_windows.unlabelled(ledger, BUNDLE, 99)) == 6
    # Who sends them again is counted by the hour all the same.
    assert labels.sent(ledger, LOOPBACK, before) == 6
    made.send(Sender(LOOPBACK), [f"{0:032x}"], NOW)
    assert len(trials.labelled_texts(ledger, before)) == 5


def test_suspects_are_shown_accepted_and_withdrawn(made: Made) -> None:
    labels.set_aside(made.ledger, [1, 2], "suspect", NOW)
    found = made.run("--suspects")
    assert [row["text"] for row in found["labels"]] == [f"text {i:032x}" for i in range(2)]
    assert [row["predicted"] for row in found["labels"]] == ["tech", "tech"]
    assert made.run("--suspects", "--caller", "anna")["labels"] == []
    assert made.run("--suspects", "--accept", "--yes")["accepted"] == 2
    accepted = [row for row in labels.learnable(made.ledger, 99) if row["seq"] in (1, 2)]
    assert [row["caller"] for row in accepted] == [None, None]  # a person looked: they count alone
    labels.set_aside(made.ledger, [1, 2], "suspect", NOW)
    made.run("--suspects", "--withdraw", "--yes")
    assert (made.run()["held"], made.run()["withdrawn"]) == (0, 2)
