"""What a window says: is it whole, is its data sound, has anything moved, how good are the answers?

Pure: the model's answers and the reference go in, findings come out. monitor.py reads and writes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import polars as pl

from components.core.bundle.reference import ACTUAL, LANGUAGE, PROBABILITIES
from components.core.metrics import Interval
from components.core.params import Monitor, Params
from monitoring import accuracy_estimate, data_quality, drift
from monitoring.drift import Drift, by_source, what_moved
from monitoring.drift.by_source import SourceDrift
from monitoring.drift.what_moved import Moved
from monitoring.governor import WindowVerdict
from monitoring.windows import Window

# Below this a p-value needs too many permutations. Nobody has looked as often as that leads to
# unless the day's budget is far too small for the number of looks.
LEAST_LEVEL = 0.0005
# A class of which the reference has fewer texts, and that has grown so many times, can be answered
# better or worse than anybody knows.
_FEW, _GROWN = 100, 1.5
_SHARE_OF_BUDGET = 0.1  # of what is left; a constant share never spends all
_EXAMPLES = 3


@dataclass(frozen=True)
class Estimate:
    """The accuracy that is expected of answers nobody has labelled.

    Attributes:
        accuracy: of the answers in which the drift is clearest, in [0, 1].
        drop: how much lower the accuracy is expected to be on such texts than on the reference's,
            in [-1, 1]. As far as the predictions before agree, by all of them together: a window by
            itself says little.
        trusted: whether the texts of each class are still such as the reference knows, and it knows
            enough of each class that has grown.
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
    """All that was found in a window.

    Attributes:
        drift: the verdict on it, and its signals.
        faults: of texts -> how many have it.
        moved: what differs from the reference; empty where nothing was judged.
        estimate: None where nothing was judged, or the bundle is too old to know.
        examples: scrubbed texts of the window that are least like the reference.
        looked_back: predictions that were judged together with the window's; 0: none.
        sources: each large source by itself; empty where all came from one.
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
    """The chance of a false alarm that a window may take.

    Args:
        spent: what windows of the last 24 hours took, added up.
        settings: `false_alarm_rate`, `false_alarms_a_day`.
    """
    left = max(settings.false_alarms_a_day - spent, 0.0)
    return min(settings.false_alarm_rate, left * _SHARE_OF_BUDGET)


def unready(window: Window, allowed: float, settings: Monitor) -> WindowVerdict | None:
    """Why a window cannot be judged; None if it can."""
    state = window.state(settings.min_rows, settings.max_lost_share)
    if state == "unvalidated":
        return WindowVerdict(
            "cannot say",
            (
                f"The scrubber lost {window.lost} of {window.lost + window.rows} texts, at most "
                f"{settings.max_lost_share:.0%} may be: nobody knows what they said. See the "
                "service's log.",
            ),
        )
    if state != "complete":
        return drift.too_few(window.rows, settings)
    if allowed < LEAST_LEVEL:
        return WindowVerdict(
            "cannot say",
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
    classes: Sequence[str],
    usual: Mapping[str, int],
    allowed: float,
    params: Params,
    *,
    draw: bool = True,
) -> Seen:
    """Judges a window that is ready to be.

    Args:
        now: the window.
        before: the predictions before it, without bad data; None: there are none.
        quiet: the newest of these that have shown nothing. Small drift shows in many windows only.
        early: signals of predictions long before, none of them quiet; see `drift.judge`.
        reference: of the bundle, whole.
        words: its common words; None: it has none.
        classes: of the model, in the order of its probabilities.
        usual: source -> rows in the windows before.
        allowed: the level.
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
    found = drift.judge(known, table, settings, older, allowed, early=first, draw=draw)
    back = found.rows - table.height
    shown = _joined(before, now, back)
    # More of them would say more of what was, and no more of what is.
    recent = max(reference.height - now.window.rows, 0)
    every = _joined(before, now, min(before.window.rows, recent) if before else 0)
    texts = shown.window.texts
    shown_table = shown.table.select(known.columns)
    estimator = estimator_of(reference, classes, settings)
    return Seen(
        found,
        faults,
        _moved(known, words, shown_table, texts),
        estimate(estimator, reference, shown, every, classes, found, settings)
        if estimator
        else None,
        tuple(dict.fromkeys(texts[i] for i in found.unlike))[:_EXAMPLES],
        found.rows if back > 0 else 0,
        by_source.judge(known, table, now.window.sources, settings),
    )


def _joined(before: Answered | None, now: Answered, back: int) -> Answered:
    """`now`, and the newest `back` predictions before it."""
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
    reference: pl.DataFrame, classes: Sequence[str], settings: Monitor
) -> accuracy_estimate.Estimator | None:
    """Of a bundle's whole reference; None if the bundle is too old to know."""
    if not {ACTUAL, PROBABILITIES} <= set(reference.columns):
        return None
    return accuracy_estimate.Estimator(reference, classes, settings.resamples, settings.seed)


def estimate(
    estimator: accuracy_estimate.Estimator,
    reference: pl.DataFrame,
    shown: Answered,
    every: Answered,
    classes: Sequence[str],
    found: Drift,
    settings: Monitor,
) -> Estimate:
    """The accuracy of the answers that `found` is about.

    Args:
        estimator: of this reference.
        reference: of the bundle, whole.
        shown: the predictions in which the drift is clearest; without drift, the window.
        every: these and the ones before them.
        classes: of the model, in the order of its probabilities.
        found: the drift.
        settings: `confidence`, and what `drift.judge` asks for.
    """

    def of(some: Answered) -> accuracy_estimate.Estimated:
        return estimator(some.probabilities, some.window.texts, settings.confidence)

    here = of(shown)
    together = of(every) if every.window.rows > shown.window.rows else here
    agree = here.drop.low <= together.drop.value <= here.drop.high
    trusted = found.verdict.finding == "none"
    if found.verdict.finding == "drift":
        trusted = not _little_known(reference, classes, here.shares) and not _moved_otherwise(
            reference, shown.table, classes, here.shares, found.level, settings
        )
    return Estimate(
        here.window,
        (together if agree else here).drop,
        trusted,
        {name: round(float(share), 4) for name, share in zip(classes, here.shares, strict=True)},
    )


def _little_known(reference: pl.DataFrame, classes: Sequence[str], shares: Any) -> bool:
    """Whether a class has grown of which the reference has but a few texts."""
    held = [int((reference[ACTUAL] == name).sum()) for name in classes]
    return any(
        count < _FEW and share * reference.height > _GROWN * count
        for count, share in zip(held, shares, strict=True)
    )


def _moved_otherwise(
    reference: pl.DataFrame, shown: pl.DataFrame, classes: Sequence[str], shares: Any,
    allowed: float, settings: Monitor,
) -> bool:  # fmt: skip
    """Whether the texts of a class differ, too, or the reference has too few to say.

    More of one class is no news of the others: the reference is given the same shares.
    """
    same = accuracy_estimate.reweighed(reference, classes, shares, settings.seed).drop(ACTUAL)
    found = drift.judge(same, shown.select(same.columns), settings, level=allowed, draw=False)
    of_classes = {"label", PROBABILITIES}
    return same.height < settings.min_rows or any(
        one.drifted for one in found.signals if one.name not in of_classes
    )
