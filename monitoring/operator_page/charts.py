"""Charts of the operator's page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from components.core.ledger.verdicts import WindowFinding
from components.core.metrics import Interval
from components.core.pages import figures
from components.core.pages.figures import ALARM, BLUE, FAINT, INK

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_ROOM = 0.03  # of accuracy, above and below what is shown
_WIDTH, _ROW = 7.0, 0.24  # inches; the page scales them


@dataclass(frozen=True)
class Judged:
    """Values of a window in the charts.

    Attributes:
        time: when it was judged, UTC.
        signals: name for people -> drifted; None for "cannot say".
        rows: predictions in it.
        accuracy: of those that people labelled, with its interval; None without labels.
        labelled: number of labelled predictions.
        estimated: accuracy without labels, with its interval; None where nobody can know.
        trusted: False for an estimate without trust.
        finding: of the window.
        bundle: that gave the predictions.
    """

    time: datetime
    signals: dict[str, bool | None]
    rows: int
    accuracy: Interval | None
    labelled: int
    estimated: Interval | None = None
    trusted: bool = False
    finding: WindowFinding = WindowFinding.NONE
    bundle: str = ""


def drift(windows: Sequence[Judged], retrained: Sequence[datetime]) -> str:
    """Draws a row for each signal, with full marks for drift and hollow ones for untested."""
    names = list(dict.fromkeys(name for window in windows for name in window.signals))

    def plot(axes: Axes) -> None:
        for place in range(len(names)):
            axes.axhline(place, color=FAINT, linewidth=0.6, alpha=0.4, zorder=0)
        for drifted, face, label in ((True, ALARM, "drifted"), (None, "none", "cannot say")):
            marks = [
                (_day(window.time), names.index(name))
                for window in windows
                for name, found in window.signals.items()
                if found is drifted
            ]
            if marks:
                times, places = zip(*marks, strict=True)
                axes.scatter(times, places, s=18, c=face, edgecolors=ALARM, label=label, zorder=3)
        _mark(axes, retrained)
        axes.set_yticks(range(len(names)), names)
        axes.set_ylim(len(names) - 0.5, -0.5)
        _legend(axes)

    return _draw(plot, "drift", windows, 0.9 + _ROW * len(names))


def accuracy(windows: Sequence[Judged], tested: float | None, retrained: Sequence[datetime]) -> str:
    """Draws measured and estimated accuracy of each window with intervals, and the test accuracy.

    Untrusted estimates have hollow marks.
    """

    def plot(axes: Axes) -> None:
        known = [(_day(window.time), window.accuracy) for window in windows if window.accuracy]
        if known:
            times = [time for time, _ in known]
            values = [found.value for _, found in known]
            below = [found.value - found.low for _, found in known]
            above = [found.high - found.value for _, found in known]
            axes.errorbar(
                times, values, yerr=[below, above], fmt="o", markersize=4, color=BLUE,
                ecolor=FAINT, label="by people's labels",
            )  # fmt: skip
        for trusted, label in ((True, "estimated"), (False, "not to be trusted")):
            _estimates(axes, [one for one in windows if one.trusted is trusted], label)
        if tested is not None:
            axes.axhline(tested, color=INK, linewidth=0.8, linestyle=":", label="on the test side")
        _mark(axes, retrained)
        shown = [found for one in windows for found in (one.accuracy, one.estimated) if found]
        least = min(
            [found.low for found in shown] + ([] if tested is None else [tested]), default=0
        )
        axes.set_ylim(max(least - _ROOM, 0), 1 + _ROOM)
        _legend(axes)

    return _draw(plot, "accuracy", windows, 2.4)


def _estimates(axes: Axes, windows: Sequence[Judged], label: str) -> None:
    """Draws estimated accuracies, each with its interval as a broad pale line."""
    known = [(_day(window.time), window.estimated) for window in windows if window.estimated]
    if not known:
        return
    times = [time for time, _ in known]
    axes.vlines(
        times, [one.low for _, one in known], [one.high for _, one in known],
        color=BLUE, linewidth=6, alpha=0.25, zorder=1,
    )  # fmt: skip
    face = INK if label == "estimated" else "none"
    values = [one.value for _, one in known]
    axes.scatter(times, values, s=14, marker="D", c=face, edgecolors=INK, label=label, zorder=3)


def traffic(windows: Sequence[Judged], retrained: Sequence[datetime]) -> str:
    """Draws the number of predictions in each window."""

    def plot(axes: Axes) -> None:
        axes.vlines(
            [_day(window.time) for window in windows],
            0,
            [window.rows for window in windows],
            color=BLUE,
        )
        _mark(axes, retrained)
        axes.set_ylim(bottom=0)

    return _draw(plot, "traffic", windows, 1.8)


def _day(time: datetime) -> float:
    """Converts a time to Matplotlib's unit: days since 1970 in UTC."""
    return time.timestamp() / 86_400


def _mark(axes: Axes, retrained: Sequence[datetime]) -> None:
    for i, time in enumerate(retrained):
        axes.axvline(_day(time), color=INK, linewidth=1.0, label="" if i else "released")


def _legend(axes: Axes) -> None:
    if any(label for label in axes.get_legend_handles_labels()[1]):
        axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=4, frameon=False)


def _draw(plot: Callable[[Axes], None], name: str, windows: Sequence[Judged], height: float) -> str:
    """Draws a chart over the time of `windows`."""
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    def over_time(axes: Axes) -> None:
        plot(axes)
        if not windows:
            return
        locator = AutoDateLocator(minticks=3, maxticks=8, tz=UTC)  # type: ignore[no-untyped-call]
        axes.xaxis.set_major_locator(locator)
        formatter = ConciseDateFormatter(locator, tz=UTC)  # type: ignore[no-untyped-call]
        axes.xaxis.set_major_formatter(formatter)
        # All charts share one time axis, so that people can compare them.
        first, last = _day(windows[0].time), _day(windows[-1].time)
        margin = (last - first) / 50 + 1 / 1440  # a minute, where there is one window
        axes.set_xlim(first - margin, last + margin)

    return figures.draw(over_time, name, (_WIDTH, height))
