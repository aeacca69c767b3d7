"""Renders the model card of a version: its data, settings, metrics and limits on one page.

Mitchell et al. 2019, "Model Cards for Model Reporting". The card is part of the bundle, so its
content depends on the bundle's inputs only. Commands that show the card append the energy of the
training (see core/training/energy.py).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

import polars as pl

from components.core import pages
from components.core.pages import Heading
from components.core.params import Params

_COLUMNS = 20  # classes of a table that has a column for each
_PLACEHOLDER = re.compile(r"<([A-Z][A-Z_]*[A-Z])(?:_[0-9a-f]+)?>")  # placeholders of core/scrub


def markdown(
    params: Params,
    training: Mapping[str, Any],
    metrics: Mapping[str, Any],
    split: Mapping[str, Any],
    training_documents: pl.DataFrame,
    snapshot: str,
) -> str:
    """Renders the card in Markdown.

    Args:
        params: all settings.
        training: content of training.json.
        metrics: content of metrics.json.
        split: content of split.json.
        training_documents: the train side, with text, source and time.
        snapshot: SHA-256 of data/sources.json.
    """
    from jinja2 import Environment, StrictUndefined

    source = files("components.package").joinpath("model_card.md.j2").read_text("utf-8")
    environment = Environment(  # noqa: S701 - Markdown; `page` escapes HTML
        undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"cell": _cell, "numbers": _numbers, "plain": _plain}
    times = training_documents["time"].drop_nulls()
    slices = [
        (kind, name, row["accuracy"]["value"], row["documents"])
        for kind, parts in metrics["slices"].items()
        for name, row in parts.items()
    ]
    text = environment.from_string(source).render(
        labels=params.ingest.labels,
        columns=params.ingest.labels if len(params.ingest.labels) <= _COLUMNS else [],
        training=training,
        metrics=metrics,
        split=split,
        snapshot=snapshot,
        seed=params.train.seed,
        familiar_share=params.train.familiar_share,
        settings={
            name: params.train.architecture(name).model_dump()
            for name in params.train.trained(training["architecture"])
        },
        entities=params.ingest.scrub.entities,
        masked=Counter(
            kind for text in training_documents["text"] for kind in _PLACEHOLDER.findall(text)
        ),
        sources=training_documents["source"].value_counts().sort("source").rows(),
        times=f"{times.min()!s:.10} to {times.max()!s:.10}" if len(times) else None,
        weakest=min(
            ((name, row["recall"]) for name, row in metrics["classes"].items()),
            key=lambda row: row[1],
        ),
        worst=min(slices, key=lambda row: row[2], default=None),
    )
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


def page(card: str, heading: Heading | None = None) -> str:
    """Renders the card as an HTML page without external resources; escapes HTML in the card."""
    from markdown_it import MarkdownIt
    from markupsafe import Markup

    body = MarkdownIt("commonmark", {"html": False}).enable("table").render(card)
    return pages.render(
        __package__,
        "model_card.html.j2",
        heading or Heading(),
        body=Markup(body),  # noqa: S704 - MarkdownIt escapes HTML
    )


def _cell(text: str) -> str:
    """Escapes `text` for the cell of a Markdown table."""
    return " ".join(text.replace("|", "\\|").split())


def _plain(value: Any) -> str:
    """
    >>> _plain([2, 3]), _plain(True), _plain(0.5)
    ('2 and 3', 'true', '0.5')
    """
    if isinstance(value, list | tuple):
        return " and ".join(map(_plain, value))
    return str(value).lower() if isinstance(value, bool) else str(value)


def _numbers(interval: Mapping[str, float]) -> str:
    return " | ".join(f"{interval[key]:.3f}" for key in ("value", "low", "high"))
