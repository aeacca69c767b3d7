"""The words in the ledger are those of earlier releases, and no others are read or written."""

from __future__ import annotations

import itertools
from enum import StrEnum
from pathlib import Path

import pytest
import sqlalchemy as sa

from components.core.errors import LedgerError
from components.core.ledger import DECISIONS, WINDOWS, Ledger
from components.core.ledger.verdicts import (
    AlertDelivery,
    CircuitVerdict,
    DecisionKind,
    GateVerdict,
    GovernorVerdict,
    RunOutcome,
    TrialEvent,
    WindowFinding,
)
from tests import tiny

WINDOW = {
    "time": tiny.NOW, "bundle": "b", "after": 0, "until": 1, "rows": 1, "details": {},
}  # fmt: skip


@pytest.mark.parametrize(
    ("words", "written"),
    [
        (DecisionKind, "gate, governor, circuit"),
        (GateVerdict, "release, keep, refuse, unchanged, cannot say"),
        (GovernorVerdict, "retrain, wait, alert"),
        (CircuitVerdict, "closed"),
        (WindowFinding, "drift, none, cannot say, bad data"),
        (
            RunOutcome,
            "released, kept, unchanged, refused, failed, crashed, merged, held back, interrupted, "
            "cannot say",
        ),
        (TrialEvent, "start, step, passed, promoted, failed, stopped"),
        (AlertDelivery, "not yet, told, no channel"),
    ],
)
def test_the_words_that_releases_have_written(words: type[StrEnum], written: str) -> None:
    assert ", ".join(words) == written


def test_a_verdict_tells_by_itself_who_gave_it() -> None:
    verdicts = (GateVerdict, GovernorVerdict, CircuitVerdict)
    assert not any({*one} & {*other} for one, other in itertools.combinations(verdicts, 2))


def test_a_word_comes_back_as_a_member(tmp_path: Path) -> None:
    ledger = Ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}")
    ledger.insert(WINDOWS, [{**WINDOW, "verdict": WindowFinding.CANNOT_SAY}])
    row = ledger.query(sa.select(WINDOWS))[0]
    assert row["verdict"] is WindowFinding.CANNOT_SAY
    with ledger.engine.begin() as connection:
        assert connection.exec_driver_sql("SELECT verdict FROM windows").scalar() == "cannot say"
        connection.exec_driver_sql("UPDATE windows SET verdict = 'maybe'")
    sentence = "Expected one of drift, none, cannot say, bad data in the ledger, got maybe: "
    with pytest.raises(LedgerError, match=sentence):
        ledger.query(sa.select(WINDOWS))
    decision = {"id": "a", "kind": DecisionKind.GATE, "time": tiny.NOW, "verdict": "perhaps"}
    with pytest.raises(LedgerError, match="got perhaps"):
        ledger.insert(DECISIONS, [{**decision, "reasons": [], "details": {}}])
    ledger.close()
