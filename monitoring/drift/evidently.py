"""Evidently's report of a window, with newsloop's permutation p-values instead of its own.

Evidently embeds its scripts, 3.5 MB, in each page; newsloop's pages share one file per folder.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import polars as pl

from components.core.runtime import offline
from monitoring import signal_names

# Evidently needs a method for its plots; newsloop's p-value replaces the result.
_PLAIN = {"number": "ks", "label": "jensenshannon"}
SCRIPT = f"evidently-{version('evidently')}.js"  # script in the folder of the pages
_SIDES = (("window", "#d9732b"), ("reference", "#8a94a3"))  # readable on light and on dark
_LAYOUT = {
    "yaxis": {"title": {"text": "share of the texts, %"}},
    "legend": {"orientation": "h", "x": 0, "y": 1.15},
    "margin": {"l": 50, "r": 10, "t": 40, "b": 60},
}
Shown = tuple[str, float | None, float]  # method, p-value, level


def draw(
    reference: pl.DataFrame, window: pl.DataFrame, found: Mapping[str, Shown]
) -> tuple[str, dict[str, Any]]:
    """Draws a report with one metric for each signal.

    Args:
        reference, window: strings are labels, numbers numbers; lists are not drawn.
        found: result of each signal; a signal without a drawable column is shown as a number.

    Returns:
        HTML that loads SCRIPT from its folder (see `share`), and plain values.
    """
    tools = _tools()
    drawn = [c.name for c in reference if not isinstance(c.dtype, pl.List)]
    labels = [name for name in drawn if reference[name].dtype == pl.String]
    columns = tools["definition"](
        numerical_columns=[name for name in drawn if name not in labels],
        categorical_columns=labels,
    )
    old, new = (
        tools["dataset"].from_pandas(table.select(drawn).to_pandas(), data_definition=columns)
        for table in (reference, window)
    )
    metrics = [
        tools["column"](
            column=name,
            method=_PLAIN["label" if name in labels else "number"],
            threshold=found[name][2],
            calibrated=found[name][0],
            p_value=found[name][1],
        )
        if name in drawn
        else tools["number"](column=name, calibrated=found[name][0], p_value=found[name][1])
        for name in found
    ]
    snapshot = tools["report"](metrics).run(new, old)
    html = snapshot.get_html_str(as_iframe=False)
    results: dict[str, Any] = json.loads(snapshot.json())
    embedded = f"<script>{_script().read_text(encoding='utf-8')}</script>"
    return html.replace(embedded, f'<script src="{SCRIPT}"></script>', 1), results


def share(folder: Path) -> None:
    """Writes Evidently's scripts into a folder of pages unless they exist."""
    target = folder / SCRIPT
    if not target.exists():
        from components.core import tables

        tables.write_text(_script().read_text(encoding="utf-8"), target)


def _import() -> None:
    """Imports Evidently; Python 3.12 and later report escape sequences in its docstrings once."""
    offline.stay_home()  # before Evidently looks for its switches
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SyntaxWarning)
        import evidently  # noqa: F401 - for its effect


@cache
def _script() -> Path:
    _import()
    from evidently.legacy.utils.dashboard import STATIC_PATH

    return Path(STATIC_PATH) / "index.js"


@cache
def _tools() -> dict[str, Any]:
    """Returns Evidently's classes and two metrics as subclasses."""
    _import()
    from evidently import DataDefinition, Dataset, Report
    from evidently.core.metric_types import SingleValueCalculation, SingleValueMetric
    from evidently.legacy.renderers.html_widgets import CounterData, counter
    from evidently.metrics import ValueDrift
    from evidently.metrics.column_statistics import ValueDriftCalculation

    def heading(name: str, finding: str, p_value: float, limit: float | None = None) -> Any:
        against = "" if limit is None else f", limit {limit:.2g}"
        data = CounterData(
            f"{finding} (p = {p_value:.2g}{against})", signal_names.column(name).capitalize()
        )
        return counter(counters=[data], title="")

    def in_shares(widget: Any) -> Any:
        """Keeps the distribution of a column's plots, as shares in place of counts."""
        tab = next(tab for tab in widget.tabs if tab.title == "DATA DISTRIBUTION")
        figure = tab.widget.params
        traces = [trace for trace in figure["data"] if trace.get("visible") is False]
        for trace, (name, colour) in zip(traces, _SIDES, strict=True):
            trace |= {"visible": True, "name": name, "marker": {"color": colour}}
        figure["data"] = traces
        figure["layout"].pop("updatemenus", None)
        figure["layout"] |= _LAYOUT
        return tab.widget

    class Calibrated(ValueDrift):  # type: ignore[misc]
        """Evidently's drift of a column, with the p-value that permutations gave."""

        calibrated: str
        p_value: float

    class CalibratedCalculation(ValueDriftCalculation):  # type: ignore[misc]
        def calculate(self, context: Any, current_data: Any, reference_data: Any) -> Any:
            result = super().calculate(context, current_data, reference_data)
            result.value = self.metric.p_value
            return result

        def _render(self, result: Any, *options: Any) -> Any:
            ours = {
                "drift_score": self.metric.p_value,
                "drift_detected": self.metric.p_value <= self.metric.threshold,
                "stattest_name": f"{self.metric.calibrated}, permuted; p over all signals",
            }
            _, *plots = super()._render(result.copy(update=ours), *options)
            drifted = "drifted" if ours["drift_detected"] else "no drift"
            name, limit = self.metric.column, self.metric.threshold
            return [heading(name, drifted, self.metric.p_value, limit), *map(in_shares, plots)]

    class Number(SingleValueMetric):  # type: ignore[misc]
        """The p-value of a signal that has no plot."""

        column: str
        calibrated: str
        p_value: float

    class NumberCalculation(SingleValueCalculation[Number]):  # type: ignore[misc]
        def calculate(self, context: Any, current_data: Any, reference_data: Any) -> Any:
            del context, current_data, reference_data
            result = self.result(self.metric.p_value)
            result.widget = [heading(self.metric.column, "no plot", self.metric.p_value)]
            return result

        def display_name(self) -> str:
            return f"Drift of {signal_names.column(self.metric.column)}"

    return {
        "report": Report,
        "dataset": Dataset,
        "definition": DataDefinition,
        "column": Calibrated,
        "number": Number,
        "calculations": (CalibratedCalculation, NumberCalculation),  # registered by their making
    }
