"""Which source has moved: each one's texts of a window against the reference, by themselves.

It says where to look, and decides nothing: a source that only ever writes about sport is unlike the
reference for ever. The level is divided by the number of sources (Bonferroni), so that all together
mark a source that is like the reference in `false_alarm_rate` of the windows at most.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import polars as pl

from components.core.params import Monitor
from monitoring import drift
from monitoring.windows import UNNAMED


@dataclass(frozen=True)
class SourceDrift:
    """One source's texts of a window.

    Attributes:
        name: of its API key, or UNNAMED.
        rows: its texts.
        finding: drift, none or cannot say.
        p_value: the least of its signals', corrected for their number and for that of the sources;
            None if nothing could be tested.
        signals: names of those that drifted.
    """

    name: str
    rows: int
    finding: str
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
    """The largest sources that have rows enough, the largest first; none where there is only one.

    Args:
        reference: of the bundle.
        window: the same columns.
        sources: who asked for each row of the window.
        settings: `min_rows` of a source, `sources` that are judged at most, `false_alarm_rate`.
    """
    names = pl.Series([name or UNNAMED for name in sources], dtype=pl.String)
    counts = Counter(names.to_list())
    if len(counts) == 1:
        return ()
    chosen = [
        (name, n) for name, n in counts.most_common(settings.sources) if n >= settings.min_rows
    ]
    found = []
    for name, rows in chosen:
        level = settings.false_alarm_rate / len(chosen)
        one = drift.judge(
            reference, window.filter(names == name), settings, level=level, draw=False
        )
        tested = [signal.p_value for signal in one.signals if signal.p_value is not None]
        p_value = min(1.0, min(tested) * len(chosen)) if tested else None
        moved = tuple(signal.name for signal in one.signals if signal.drifted)
        found.append(SourceDrift(name, rows, one.verdict.finding, p_value, moved))
    return tuple(found)
