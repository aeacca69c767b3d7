"""Who served when, and the way back: one step, further each time, never in a circle."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from components.core.errors import ChampionChanged, LedgerError
from components.core.ledger import Ledger
from components.core.ledger import deployments as ledger_deployments

START = datetime(2026, 11, 1, 12, tzinfo=UTC)


def release(ledger: Ledger, version: int, hour: int) -> None:
    row = {
        "version": version, "bundle": f"{version:064x}", "time": START + timedelta(hours=hour),
        "tag": f"newsloop@v{version}.0.0", "commit": f"{version:040x}", "dvc_lock": "d",
        "snapshot": "s", "metrics": {}, "decision": {},
    }  # fmt: skip
    ledger.add_version(row, "a test")


def play(ledger: Ledger, moves: str) -> list[int]:
    """Plays moves such as "r1 r2 p1 b b2"; who was champion after each way back.

    r: release, p: promote, x: retire, b: back.
    """
    champions = []
    for hour, move in enumerate(moves.split()):
        kind, number = move[0], int(move[1:] or 0)
        now = START + timedelta(hours=hour)
        if kind == "r":
            release(ledger, number, hour)
        elif kind == "p":
            ledger.deploy(number, now, "promoted")
        elif kind == "x":
            ledger.retire(number, f"{number:064x}", now, "erased")
        else:
            leaving, _ = ledger_deployments.way_back(ledger, number or None)
            ledger_deployments.roll_back(ledger, leaving, now, "a test", number or None)
            champion = ledger.champion()
            assert champion is not None
            assert champion.returns_to is not None
            champions.append(champion.version)
    return champions


@pytest.mark.parametrize(
    ("moves", "champions"),
    [
        ("r1 r2 b", [1]),
        ("r1 r2 r3 b b", [2, 1]),
        ("r1 r2 r3 b r4 b b", [2, 2, 1]),  # 3 was left: it does not come back by itself
        ("r1 r2 r3 b3 b", None),  # the champion itself is no way back
        ("r1 r2 r3 b1", [1]),
        ("r1 r2 r3 p1 b b b", [3, 2, 1]),
        ("r1 r2 r3 b p3 b b", [2, 2, 1]),
        ("r1 r2 p2 p2 b", [1]),  # deployed anew is no step
        ("r1 r2 r3 x2 b", [1]),
        ("r1 r2 b r3 b", [1, 1]),
        ("r1 r2 p1 b1", None),
        ("r1 b", None),
        ("r1 r2 b b", None),
        ("r1 r2 b b2", None),
        ("b", None),
    ],
)
def test_ways_back(ledger: Ledger, moves: str, champions: list[int] | None) -> None:
    if champions is None:
        with pytest.raises(LedgerError, match=r"Expected .* (none|only)"):
            play(ledger, moves)
    else:
        assert play(ledger, moves) == champions


def test_at_and_served(ledger: Ledger) -> None:
    play(ledger, "r1 r2 b")
    found = [
        ledger_deployments.at(ledger, START + timedelta(minutes=m)) for m in (-1, 0, 59, 60, 999)
    ]
    assert [row and row["version"] for row in found] == [None, 1, 1, 2, 1]
    one, two = (ledger_deployments.served(ledger_deployments.history(ledger), v) for v in (1, 2))
    hours = [START + timedelta(hours=h) for h in range(3)]
    assert [(row["from"], row["until"]) for row in one] == [
        (hours[0], hours[1]),
        (hours[2], None),
    ]
    assert [(row["from"], row["until"]) for row in two] == [(hours[1], hours[2])]
    assert one[1]["reason"] == "a test"


def test_who_decided_on_an_older_champion_changes_nothing(ledger: Ledger) -> None:
    play(ledger, "r1 r2 r3")
    leaving, _ = ledger_deployments.way_back(ledger)
    ledger.deploy(3, START + timedelta(days=1), "promoted")  # the same version, deployed anew
    with pytest.raises(ChampionChanged):
        ledger_deployments.roll_back(ledger, leaving, START, "a test")
    assert [row["version"] for row in ledger_deployments.history(ledger)] == [1, 2, 3, 3]
