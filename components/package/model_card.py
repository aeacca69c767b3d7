"""The model card: what a version was made from, what it can do and what not, on one page.

Mitchell et al. 2019, "Model Cards for Model Reporting". It is part of the bundle, so it holds only
what follows from the bundle's inputs; what the training cost is added where it is shown (see
core/training/energy.py).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

import polars as pl

from components.core.params import Params

_PLACEHOLDER = re.compile(r"<([A-Z][A-Z_]*[A-Z])(?:_[0-9a-f]+)?>")  # as core/scrub leaves them
_STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;max-width:52rem;margin:2rem auto;padding:0 1rem}"
    "table{border-collapse:collapse;display:block;overflow-x:auto}"
    "th,td{padding:.3rem .6rem;border-bottom:1px solid #8884;vertical-align:top}"
    ":root{color-scheme:light dark}"
)


def markdown(
    params: Params,
    training: Mapping[str, Any],
    metrics: Mapping[str, Any],
    split: Mapping[str, Any],
    learned: pl.DataFrame,
    snapshot: str,
) -> str:
    """The card.

    Args:
        params: all settings.
        training: training.json.
        metrics: metrics.json.
        split: split.json.
        learned: the training side, with text, source and time.
        snapshot: SHA-256 of data/sources.json.
    """
    from jinja2 import Environment, StrictUndefined

    source = files("components.package").joinpath("model_card.md.j2").read_text("utf-8")
    environment = Environment(  # noqa: S701 - Markdown; `page` lets no HTML through
        undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"cell": _cell, "numbers": _numbers}
    times = learned["time"].drop_nulls()
    slices = [
        (kind, name, row["accuracy"]["value"], row["documents"])
        for kind, parts in metrics["slices"].items()
        for name, row in parts.items()
    ]
    text = environment.from_string(source).render(
        labels=params.ingest.labels,
        training=training,
        metrics=metrics,
        split=split,
        snapshot=snapshot,
        seed=params.train.seed,
        settings={
            name: params.train.architecture(name).model_dump()
            for name in params.train.trained(training["architecture"])
        },
        entities=params.ingest.scrub.entities,
        masked=Counter(kind for text in learned["text"] for kind in _PLACEHOLDER.findall(text)),
        sources=learned["source"].value_counts().sort("source").rows(),
        times=f"{times.min()!s:.10} to {times.max()!s:.10}" if len(times) else None,
        weakest=min(
            ((name, row["recall"]) for name, row in metrics["classes"].items()),
            key=lambda row: row[1],
        ),
        worst=min(slices, key=lambda row: row[2], default=None),
    )
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


def page(card: str) -> str:
    """The card as an HTML page without foreign hosts; HTML in the card is shown, not run."""
    from markdown_it import MarkdownIt

    body = MarkdownIt("commonmark", {"html": False}).enable("table").render(card)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Model card</title><style>{_STYLE}</style></head>\n<body>\n{body}</body></html>\n"
    )


def _cell(text: str) -> str:
    """`text` as it may stand in a table's cell."""
    return " ".join(text.replace("|", "\\|").split())


def _numbers(interval: Mapping[str, float]) -> str:
    return " | ".join(f"{interval[key]:.3f}" for key in ("value", "low", "high"))
