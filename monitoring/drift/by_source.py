"""Drift by source: compares the texts of each source in a window with the reference.

The result shows people where to look and decides nothing: a source that only writes about sport
always differs from the reference. The level is divided by the number of sources (Bonferroni), so
that at most `false_alarm_rate` of the windows mark any source without drift.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import polars as pl

from components.core.ledger.verdicts import WindowFinding
from components.core.params import Monitor
from monitoring import drift
from monitoring.windows import UNNAMED


@dataclass(frozen=True)
class SourceDrift:
    """Drift of one source's texts in a window.

    Attributes:
        name: of its API key, or UNNAMED.
        rows: number of its texts.
        p_value: smallest of its signals, corrected for the number of signals and sources; None if
            no signal could be tested.
        signals: names of the drifted signals.
    """

    name: str
    rows: int
    finding: WindowFinding
    p_value: float | None
    signals: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "signals": list(self.signals)}


def judge(
    reference: pl.DataFrame,
    window: pl.DataFrame,
    sources: Sequence[str | None],
    settings: Monitor,
) -> tuple[SourceDrift, ...]:
    """Tests the largest sources with enough rows, the largest first; none if there is one source.

    Args:
        reference: of the bundle.
        window: the same columns.
        sources: API key's name of each row of the window; None without a key.
        settings: `min_rows` of a source, `sources` to test at most, `false_alarm_rate`.
    """
    names = pl.Series([name or UNNAMED for name in sources], dtype=pl.String)
    counts = Counter(names.to_list())
    if len(counts) == 1:
        return ()
    chosen = [
        (name, n) for name, n in counts.most_common(settings.sources) if n >= settings.min_rows
    ]
    results = []
    for name, rows in chosen:
        level = settings.false_alarm_rate / len(chosen)
        result = drift.judge(
            reference, window.filter(names == name), settings, level=level, draw=False
        )
        tested = [signal.p_value for signal in result.signals if signal.p_value is not None]
        p_value = min(1.0, min(tested) * len(chosen)) if tested else None
        moved = tuple(signal.name for signal in result.signals if signal.drifted)
        results.append(SourceDrift(name, rows, result.verdict.finding, p_value, moved))
    return tuple(results)
