"""Matplotlib figures as SVG elements with the colours of the stylesheet.

Matplotlib writes fixed colours, but a page has a light and a dark style. So each colour is drawn as
a placeholder, which is replaced by a CSS variable of the page.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes

INK, FAINT, LINE, BLUE, ORANGE, ALARM = (f"#0{i}0{i}0{i}" for i in range(1, 7))
_NAMES = ("ink", "faint", "line", "blue", "orange", "alarm")
_VARIABLES = dict(zip((INK, FAINT, LINE, BLUE, ORANGE, ALARM), _NAMES, strict=True))


def draw(plot: Callable[[Axes], None], name: str, size: tuple[float, float]) -> str:
    """Draws an SVG element: transparent, equal bytes each time, identifiers unique on a page.

    Args:
        plot: draws on the axes.
        name: of the figure, for screen readers; unique on its page.
        size: width and height in inches; the page scales them.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    style: dict[Any, Any] = {
        "svg.hashsalt": name, "svg.fonttype": "none", "font.family": "sans-serif", "font.size": 9,
        "axes.spines.top": False, "axes.spines.right": False, "axes.edgecolor": FAINT,
        "axes.grid": False, "text.color": INK, "axes.labelcolor": INK, "axes.titlecolor": INK,
        "xtick.color": INK, "ytick.color": INK, "timezone": "UTC",
    }  # fmt: skip
    with mpl.rc_context(style):
        figure = Figure(figsize=size, layout="constrained")
        figure.patch.set_alpha(0)
        axes = figure.subplots()
        axes.patch.set_alpha(0)
        plot(axes)
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    svg = re.sub(r"^.*?(?=<svg)", "", buffer.getvalue(), flags=re.DOTALL)
    for placeholder, variable in _VARIABLES.items():
        svg = svg.replace(placeholder, f"var(--{variable})")
    return svg.replace("<svg ", f'<svg role="img" aria-label="{name}" ', 1)
