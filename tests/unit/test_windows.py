"""Which predictions a window holds: tables of small ledgers."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from components.core.ledger import PREDICTIONS, WINDOWS, Ledger
from monitoring import windows

NOW = datetime(2026, 1, 5, 3, tzinfo=UTC)
A, B = "a" * 64, "b" * 64


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    ledger = Ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}")
    yield ledger
    ledger.close()


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


def judged(after: int, until: int, bundle: str = A) -> dict[str, Any]:
    span = {"after": after, "until": until, "rows": until - after}
    return {"time": NOW, "bundle": bundle, "verdict": "none", "details": {}} | span


@pytest.mark.parametrize(
    ("earlier", "max_rows", "words", "span", "skipped"),
    [
        ([], 10, [1, 3, 5], (0, 5), 0),
        ([judged(0, 1)], 10, [3, 5], (1, 5), 0),
        ([judged(0, 3), judged(0, 1)], 10, [5], (3, 5), 0),
        ([judged(0, 5)], 10, [], (5, 5), 0),
        ([judged(0, 0)], 10, [1, 3, 5], (0, 5), 0),  # too few rows: nothing was consumed
        ([judged(0, 5, bundle=B)], 10, [1, 3, 5], (0, 5), 0),
        ([], 2, [3, 5], (0, 5), 1),
    ],
)
def test_a_window_holds_what_none_has_judged(
    ledger: Ledger,
    *,
    earlier: list[dict[str, Any]],
    max_rows: int,
    words: list[int],
    span: tuple[int, int],
    skipped: int,
) -> None:
    # Sequence numbers 1, 3, 5 are of bundle A, 2 and 4 of B.
    ledger.insert(PREDICTIONS, [prediction(n, A if n % 2 else B) for n in range(1, 6)])
    ledger.insert(WINDOWS, earlier)
    window = windows.pick(ledger, A, max_rows)
    assert window.signals["words"].to_list() == words
    assert (window.after, window.until) == span
    assert (window.rows, window.skipped) == (len(words), skipped)


def test_the_clock_does_not_matter(ledger: Ledger) -> None:
    times = [NOW, NOW - timedelta(hours=2), NOW + timedelta(days=1)]
    ledger.insert(PREDICTIONS, [prediction(n, time=time) for n, time in enumerate(times, 1)])
    assert windows.pick(ledger, A, 10).signals["words"].to_list() == [1, 2, 3]


def test_signals_have_the_columns_and_types_of_a_bundle() -> None:
    from components.core.bundle import Predictions

    import numpy as np  # isort: skip

    share = np.array([0.1], np.float32)
    bundle = Predictions(
        ["sport"], share, share[None], np.array([7], np.int32), share, np.array([[0.1]], np.float32)
    ).signals()
    number = float(share[0])
    row = prediction(7, confidence=number, unknown_share=number, features=[number])
    assert windows.signals([row]).equals(bundle)
    assert windows.signals([row]).schema == bundle.schema


@pytest.mark.parametrize("features", [[], [1.0], None])
def test_a_feature_that_a_row_lacks_is_null(features: list[float] | None) -> None:
    table = windows.signals([prediction(1), prediction(2, features=features)])
    assert table["feature_1"].to_list() == [2.0, None]


def test_no_rows_still_have_columns() -> None:
    assert windows.signals([]).equals(
        pl.DataFrame(
            schema={
                "label": pl.String,
                "confidence": pl.Float32,
                "words": pl.Int32,
                "unknown_share": pl.Float32,
            }
        )
    )
