"""Window evaluation: completeness, data quality, drift, what moved, and estimated accuracy.

Pure functions of the model's answers and the reference; monitor.py reads and writes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import polars as pl

from components.core.bundle.reference import ACTUAL, LANGUAGE, PROBABILITIES
from components.core.ledger.verdicts import WindowFinding
from components.core.metrics import Interval
from components.core.params import Monitor, Params
from components.core.target import SingleLabel, Target
from monitoring import accuracy_estimate, data_quality, drift
from monitoring.drift import Drift, by_source, what_moved
from monitoring.drift.by_source import SourceDrift
from monitoring.drift.what_moved import Moved
from monitoring.governor import WindowVerdict
from monitoring.windows import Window, WindowState

# A smaller level needs too many permutations. The level only falls below it if the day's budget is
# far too small for the number of windows.
LEAST_LEVEL = 0.0005
# The accuracy of a class is unknown if the reference has fewer than _FEW of its texts and its share
# grew by more than the factor _GROWN.
_FEW, _GROWN = 100, 1.5
_SHARE_OF_BUDGET = 0.1  # of the budget left; a constant share never spends all
_EXAMPLES = 3


@dataclass(frozen=True)
class Estimate:
    """Estimated accuracy of answers without labels.

    Attributes:
        accuracy: of the answers in which the drift is clearest, in [0, 1].
        drop: expected accuracy on the reference's texts less that on such texts, in [-1, 1].
            Estimated with the predictions before, if these agree: a window has few rows.
        trusted: True if the texts of each class still resemble the reference's, and the reference
            has enough texts of each class that has grown.
        shares: class -> estimated share of the window's texts.
    """

    accuracy: Interval
    drop: Interval
    trusted: bool
    shares: dict[str, float]

    def as_dict(self) -> dict[str, Any]:
        return {
            "accuracy": self.accuracy.rounded(),
            "drop": self.drop.rounded(),
            "trusted": self.trusted,
            "shares": self.shares,
        }


@dataclass(frozen=True)
class Seen:
    """Findings about a window.

    Attributes:
        drift: verdict and signals.
        faults: fault -> number of texts.
        moved: largest differences from the reference; empty for a window that was not judged.
        estimate: None for a window that was not judged, or a bundle without actual labels.
        examples: scrubbed texts of the window that are least like the reference.
        looked_back: rows of the lookback with the clearest drift; 0 for the window alone.
        sources: drift of each large source; empty for a single source.
    """

    drift: Drift
    faults: Mapping[str, int]
    moved: Moved = field(default_factory=Moved)
    estimate: Estimate | None = None
    examples: tuple[str, ...] = field(default=(), repr=False)
    looked_back: int = 0
    sources: tuple[SourceDrift, ...] = ()


@dataclass(frozen=True)
class Answered:
    """Predictions: their texts, (N, C) probabilities, and signals as in bundle/reference.py."""

    window: Window
    probabilities: Any
    table: pl.DataFrame


def level(spent: float, settings: Monitor) -> float:
    """Computes the false alarm rate for the next window.

    Args:
        spent: sum of the levels of the windows of the last 24 hours.
        settings: `false_alarm_rate`, `false_alarms_a_day`.
    """
    left = max(settings.false_alarms_a_day - spent, 0.0)
    return min(settings.false_alarm_rate, left * _SHARE_OF_BUDGET)


def unready(window: Window, allowed: float, settings: Monitor) -> WindowVerdict | None:
    """Returns the verdict "cannot say" for a window that cannot be judged, else None."""
    state = window.state(settings.min_rows, settings.max_lost_share)
    if state == WindowState.UNVALIDATED:
        return WindowVerdict(
            WindowFinding.CANNOT_SAY,
            (
                f"The scrubber lost {window.lost} of {window.lost + window.rows} texts, at most "
                f"{settings.max_lost_share:.0%} may be: nobody knows what they said. See the "
                "service's log.",
            ),
        )
    if state != WindowState.COMPLETE:
        return drift.too_few(window.rows, settings)
    if allowed < LEAST_LEVEL:
        return WindowVerdict(
            WindowFinding.CANNOT_SAY,
            (
                "So many windows were judged within 24 hours that one more would raise more false "
                "alarms than monitor.false_alarms_a_day allows. Look less often, or allow more.",
            ),
        )
    return None


def judge(
    now: Answered,
    before: Answered | None,
    quiet: int,
    early: pl.DataFrame | None,
    reference: pl.DataFrame,
    words: pl.DataFrame | None,
    target: Target,
    usual: Mapping[str, int],
    allowed: float,
    params: Params,
    *,
    draw: bool = True,
) -> Seen:
    """Judges a window for which `unready` returned None.

    Args:
        now: the window.
        before: the predictions before the window, without bad data; None without any.
        quiet: number of these after the last drift. Small drift needs more rows than one window.
        early: signals of much older predictions; see `drift.judge`.
        reference: all columns of the bundle's reference.
        words: common words of the reference; None for a bundle without them.
        target: of the model.
        usual: source -> rows in earlier windows.
        allowed: false alarm rate.
        params: sections `validate` and `monitor`.
        draw: see `drift.judge`.
    """
    settings = params.monitor
    languages = now.table[LANGUAGE].to_list() if LANGUAGE in now.table.columns else []
    bad, faults = data_quality.judge(now.window, languages, usual, params.validate_, settings)
    if bad:
        return Seen(Drift(bad), faults)
    known = reference.drop(ACTUAL, strict=False)
    table = now.table.select(known.columns)
    older = before.table.tail(quiet).select(known.columns) if before and quiet else None
    first = early.select(known.columns) if early is not None else None
    shift = drift.judge(known, table, settings, older, allowed, early=first, draw=draw)
    back = shift.rows - table.height
    shown = _joined(before, now, back)
    # More predictions before the window would estimate the past, not the present.
    recent = max(reference.height - now.window.rows, 0)
    every = _joined(before, now, min(before.window.rows, recent) if before else 0)
    texts = shown.window.texts
    shown_table = shown.table.select(known.columns)
    estimator = estimator_of(reference, target, settings)
    return Seen(
        shift,
        faults,
        _moved(known, words, shown_table, texts),
        estimate(estimator, reference, shown, every, shift, settings) if estimator else None,
        tuple(dict.fromkeys(texts[i] for i in shift.unlike))[:_EXAMPLES],
        shift.rows if back > 0 else 0,
        by_source.judge(known, table, now.window.sources, settings),
    )


def _joined(before: Answered | None, now: Answered, back: int) -> Answered:
    """Concatenates the newest `back` predictions before the window and the window."""
    import numpy as np

    if before is None or back < 1:
        return now
    window = replace(
        now.window,
        texts=[*before.window.texts[-back:], *now.window.texts],
        sources=[*before.window.sources[-back:], *now.window.sources],
    )
    table = pl.concat([before.table.tail(back), now.table])
    probabilities = np.concatenate([before.probabilities[-back:], now.probabilities])
    return Answered(window, probabilities, table)


def _moved(
    known: pl.DataFrame, words: pl.DataFrame | None, shown: pl.DataFrame, texts: Sequence[str]
) -> Moved:
    more, fewer = what_moved.words(words, known.height, texts) if words is not None else ([], [])
    return Moved(tuple(more), tuple(fewer), tuple(what_moved.classes(known, shown)))


def estimator_of(
    reference: pl.DataFrame, target: Target, settings: Monitor
) -> accuracy_estimate.Estimator | None:
    """Fits the estimator to a reference; None if an old bundle lacks actual labels.

    It estimates an accuracy for documents of one class; None for any other target, too.
    """
    known = {ACTUAL, PROBABILITIES} <= set(reference.columns)
    if not known or not isinstance(target, SingleLabel):
        return None
    return accuracy_estimate.Estimator(reference, target, settings.resamples, settings.seed)


def estimate(
    estimator: accuracy_estimate.Estimator,
    reference: pl.DataFrame,
    shown: Answered,
    every: Answered,
    shift: Drift,
    settings: Monitor,
) -> Estimate:
    """Estimates the accuracy of the answers in which `shift` is the drift.

    Args:
        estimator: fitted to this reference.
        reference: all columns of the bundle's reference.
        shown: predictions with the clearest drift; without drift, the window.
        every: these and earlier predictions.
        shift: the drift.
        settings: `confidence`, and those of `drift.judge`.
    """

    def accuracy(rows: Answered) -> accuracy_estimate.Estimated:
        return estimator(rows.probabilities, rows.window.texts, settings.confidence)

    classes = estimator.target.classes
    own = accuracy(shown)
    together = accuracy(every) if every.window.rows > shown.window.rows else own
    agree = own.drop.low <= together.drop.value <= own.drop.high
    trusted = shift.verdict.finding == WindowFinding.NONE
    if shift.verdict.finding == WindowFinding.DRIFT:
        trusted = not _little_known(reference, classes, own.shares) and not _moved_otherwise(
            reference, shown.table, estimator.target, own.shares, shift.level, settings
        )
    return Estimate(
        own.window,
        (together if agree else own).drop,
        trusted,
        {name: round(float(share), 4) for name, share in zip(classes, own.shares, strict=True)},
    )


def _little_known(reference: pl.DataFrame, classes: Sequence[str], shares: Any) -> bool:
    """Returns True if a class has grown of which the reference has fewer than _FEW texts."""
    counts = [int((reference[ACTUAL] == name).sum()) for name in classes]
    return any(
        count < _FEW and share * reference.height > _GROWN * count
        for count, share in zip(counts, shares, strict=True)
    )


def _moved_otherwise(
    reference: pl.DataFrame, shown: pl.DataFrame, target: SingleLabel, shares: Any,
    allowed: float, settings: Monitor,
) -> bool:  # fmt: skip
    """Tests for drift within the classes; True also if the reweighed reference is too small.

    The reference is reweighed to the window's class shares, so that only other drift remains.
    """
    same = accuracy_estimate.reweighed(reference, target, shares, settings.seed).drop(ACTUAL)
    remaining = drift.judge(same, shown.select(same.columns), settings, level=allowed, draw=False)
    of_classes = {"label", PROBABILITIES}
    return same.height < settings.min_rows or any(
        signal.drifted for signal in remaining.signals if signal.name not in of_classes
    )
