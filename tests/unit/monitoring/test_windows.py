"""Which predictions a window holds: tables of small ledgers."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from components.core.ledger import PREDICTIONS, TEXTS, WINDOWS, Ledger
from components.core.ledger import windows as ledger_windows
from monitoring import windows

NOW = datetime(2026, 1, 5, 3, tzinfo=UTC)
A, B = "a" * 64, "b" * 64


def prediction(number: int, bundle: str = A, **changes: Any) -> dict[str, Any]:
    return {
        "id": f"{number:032x}",
        "time": NOW,
        "bundle": bundle,
        "label": "sport",
        "confidence": 0.75,
        "probabilities": {"sport": 0.75},
        "words": number,
        "unknown_share": 0.125,
        "features": [1.0, 2.0],
    } | changes


def text(number: int) -> dict[str, Any]:
    return {"prediction_id": f"{number:032x}", "text": str(number)}


def judged(after: int, until: int, bundle: str = A) -> dict[str, Any]:
    span = {"after": after, "until": until, "rows": until - after}
    return {"time": NOW, "bundle": bundle, "verdict": "none", "details": {}} | span


@pytest.mark.parametrize(
    ("earlier", "max_rows", "texts", "span", "skipped"),
    [
        ([], 10, ["1", "3", "5"], (0, 5), 0),
        ([judged(0, 1)], 10, ["3", "5"], (1, 5), 0),
        ([judged(0, 3), judged(0, 1)], 10, ["5"], (3, 5), 0),
        ([judged(0, 5)], 10, [], (5, 5), 0),
        ([judged(0, 0)], 10, ["1", "3", "5"], (0, 5), 0),  # too few rows: nothing was consumed
        ([judged(0, 5, bundle=B)], 10, ["1", "3", "5"], (0, 5), 0),
        ([], 2, ["1", "5"], (0, 5), 1),
    ],
)
def test_a_window_holds_what_none_has_judged(
    ledger: Ledger,
    *,
    earlier: list[dict[str, Any]],
    max_rows: int,
    texts: list[str],
    span: tuple[int, int],
    skipped: int,
) -> None:
    # Sequence numbers 1, 3, 5 are of bundle A, 2 and 4 of B.
    ledger.insert(PREDICTIONS, [prediction(n, A if n % 2 else B) for n in range(1, 6)])
    ledger.insert(TEXTS, [text(n) for n in range(1, 6)])
    ledger.insert(WINDOWS, earlier)
    window = windows.pick(ledger, A, max_rows)
    assert window.texts == texts
    assert (window.after, window.until) == span
    assert (window.rows, window.skipped) == (len(texts), skipped)


def test_the_clock_does_not_matter(ledger: Ledger) -> None:
    times = [NOW, NOW - timedelta(hours=2), NOW + timedelta(days=1)]
    ledger.insert(PREDICTIONS, [prediction(n, time=time) for n, time in enumerate(times, 1)])
    ledger.insert(TEXTS, [text(n) for n in range(1, 4)])
    assert windows.pick(ledger, A, 10).texts == ["1", "2", "3"]


def test_under_overload_each_prediction_has_the_same_chance(ledger: Ledger) -> None:
    """One caller floods and is sampled thinly; the window must not over-represent the others."""
    draw = random.Random(3)
    predictions, texts = [], []
    for number in range(8_000):
        caller, share = ("flood", 0.1) if number % 4 else ("steady", 0.8)
        id_ = f"{draw.getrandbits(128):032x}"
        predictions.append(prediction(number, id=id_, source=caller))
        kept = ledger_windows.position(id_) < share
        row = {"prediction_id": id_, "text": caller if kept else None, "share": share}
        texts.append(row if number % 100 else row | {"text": None, "share": None})  # lost
    ledger.insert(PREDICTIONS, predictions)
    ledger.insert(TEXTS, texts)
    window = windows.pick(ledger, A, 10_000)
    assert window.share == 0.1
    assert window.lost == 80 - (window.until < 8_000 - 100)
    assert window.rows == pytest.approx(792, rel=0.1)
    assert window.by_source()["steady"] / window.rows == pytest.approx(0.25, abs=0.04)
    # By itself the steady caller keeps what is known of it.
    assert windows.pick(ledger, A, 10_000, "steady").share == 0.8


def test_few_predictions_of_a_short_overload_do_not_thin_the_window() -> None:
    rows = [ledger_windows.Sampled(i, i / 100, 1.0 if i % 25 else 0.01, True) for i in range(100)]
    assert windows.even(rows, 0.05) == (list(range(100)), 1.0)
    assert windows.even(rows) == ([0], 0.01)
    assert windows.even([]) == ([], 1.0)


def test_only_scrubbed_texts_are_judged(ledger: Ledger) -> None:
    """3 was lost by the scrubber, 5 still waits for it and belongs to the next window."""
    ledger.insert(PREDICTIONS, [prediction(n) for n in range(1, 6)])
    ledger.insert(TEXTS, [text(1), text(2), text(3) | {"text": None}, text(4)])
    window = windows.pick(ledger, A, 10)
    assert (window.texts, window.until, window.skipped) == (["1", "2", "4"], 4, 1)
    ledger.insert(WINDOWS, [judged(0, 4)])
    assert windows.pick(ledger, A, 10).rows == 0
    ledger.insert(TEXTS, [text(5)])
    assert windows.pick(ledger, A, 10).texts == ["5"]


@pytest.mark.parametrize(
    ("judged", "until", "most", "early", "expected"),
    [
        ({}, 9, 10, 10, (["1", "3", "5", "7", "9"], 5, [])),
        ({}, 9, 2, 10, (["7", "9"], 2, ["1", "3", "5"])),
        ({}, 9, 2, 2, (["7", "9"], 2, ["1", "3"])),
        ({"bad data": [(0, 2)]}, 7, 2, 9, (["5", "7"], 2, ["3"])),
        # What drifted is neither quiet, nor is anything compared with it later.
        ({"drift": [(4, 6)]}, 9, 4, 9, (["3", "5", "7", "9"], 2, ["1", "3"])),
        ({"drift": [(0, 2), (8, 9)]}, 9, 4, 2, (["3", "5", "7", "9"], 0, ["3", "5"])),
        ({"bad data": [(8, 9)]}, 9, 4, 2, ([], 0, [])),
        ({}, 9, 0, 2, ([], 0, ["1", "3"])),
        ({}, 9, 4, 0, (["3", "5", "7", "9"], 4, [])),
    ],
)
def test_before_a_window_come_the_newest_and_long_before_the_oldest(
    ledger: Ledger, judged: dict[str, list[tuple[int, int]]], until: int, most: int, early: int,
    expected: tuple[list[str], int, list[str]],
) -> None:  # fmt: skip
    ledger.insert(PREDICTIONS, [prediction(i, A if i % 2 else B) for i in range(1, 12)])
    ledger.insert(TEXTS, [text(i) for i in range(1, 12)])
    for verdict, spans in judged.items():
        for after, end in spans:
            row = {"time": NOW, "bundle": A, "after": after, "until": end, "rows": end - after}
            ledger.insert(WINDOWS, [{**row, "verdict": verdict, "details": {}}])
    found = windows.past(ledger, windows.Window(A, until, until), most, early)
    assert (found.before.texts, found.quiet, found.early.texts) == expected


def test_texts_are_counted_by_what_became_of_them(ledger: Ledger) -> None:
    rows = [prediction(number) for number in range(1, 6)]
    rows.append(prediction(6, time=NOW - timedelta(days=2)))
    ledger.insert(PREDICTIONS, rows)
    ledger.insert(TEXTS, [text(1) | {"share": 0.5}])
    ledger.insert(TEXTS, [text(2), text(6)])
    ledger.insert(TEXTS, [text(3) | {"text": None, "share": 0.5}])
    ledger.insert(TEXTS, [text(4) | {"text": None}])
    counts = ledger_windows.text_counts(ledger, NOW - timedelta(days=1))
    assert counts == (2, 1, 1, 1)
    assert counts.summary() == (
        "2 of 5 texts kept, 1 left out by the sample under overload, 1 lost"
    )
    assert ledger_windows.TextCounts(5, 0, 0, 1).summary() == ""
