"""Which source has moved: each by itself, corrected for their number."""

from __future__ import annotations

import polars as pl
import pytest

from components.core import params
from components.core.paths import Paths
from monitoring import drift, report
from monitoring.drift import by_source
from monitoring.drift.by_source import SourceDrift
from tests.watched import sample

SETTINGS = params.load(Paths.find().params).monitor
ROWS = 100  # min_rows


def judge(*parts: tuple[str | None, int, float], most: int = 10) -> tuple[SourceDrift, ...]:
    """Of a window with parts (source, rows, how far feature_0 moved)."""
    tables = [sample(rows, 1 + i, shift) for i, (_, rows, shift) in enumerate(parts)]
    sources = [name for name, rows, _ in parts for _ in range(rows)]
    settings = SETTINGS.model_copy(update={"min_rows": ROWS, "sources": most})
    return by_source.judge(sample(300, 0), pl.concat(tables), sources, settings)


def test_the_source_that_moved_is_named_and_the_others_are_not() -> None:
    found = judge(("desk", 150, 0.0), (None, 120, 1.5))
    assert [(one.name, one.rows, one.finding) for one in found] == [
        ("desk", 150, "none"), ("unnamed", 120, "drift"),
    ]  # fmt: skip
    assert found[1].signals == ("feature_0",)
    first, second = report.by_source(found)
    assert first.startswith("Source desk, 150 texts, shows no drift (p = ")
    assert second.startswith(
        "Source unnamed, 120 texts, is unlike the reference: text vectors (p = "
    )


@pytest.mark.parametrize(
    ("parts", "most", "names"),
    [
        ([("a", 300, 2.0)], 10, []),  # the window itself
        ([("a", 100, 0.0), ("b", 99, 2.0)], 10, ["a"]),
        ([("a", 100, 0.0), ("b", 120, 0.0), ("c", 110, 0.0)], 2, ["b", "c"]),
        ([("a", 20, 0.0), ("b", 30, 0.0)], 10, []),
    ],
)
def test_only_large_sources_are_judged(
    parts: list[tuple[str | None, int, float]], most: int, names: list[str]
) -> None:
    assert [one.name for one in judge(*parts, most=most)] == names


@pytest.mark.parametrize("others", [1, 2])
def test_more_sources_need_more_evidence(others: int) -> None:
    still = [("bc"[i], 100, 0.0) for i in range(others)]
    alone = drift.judge(sample(300, 0), sample(100, 1, 0.35), SETTINGS, draw=False)
    least = min(one.p_value or 0.0 for one in alone.signals)
    assert least < 1 / 3
    found = judge(("a", 100, 0.35), *still)[0].p_value
    assert found == pytest.approx(least * (1 + others))
