"""Real articles as documents, and validation of a table as the stage does it."""

from __future__ import annotations

import random
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import cache

import polars as pl

from components import validate
from components.core import params as parameters
from components.core import schema
from components.core.baseline import Baseline
from components.core.tables.streams import InMemory
from components.validate import suite
from components.validate.rows import Measurer, Scrub
from tests.project import LABELS, ROOT, bbc

PARAMS = parameters.load(ROOT / "params.yaml")


@cache
def everything() -> tuple[tuple[str, str], ...]:
    """All articles of BBC News with their labels."""
    return tuple(
        (_decoded(path.read_bytes()), label)
        for label in LABELS
        for path in sorted((bbc() / label).glob("*.txt"))
    )


def _decoded(content: bytes) -> str:
    """As the source decodes it: one article is no UTF-8."""
    try:
        return content.decode()
    except UnicodeDecodeError:
        return content.decode("cp1252")


def news(count: int, seed: int = 0) -> pl.DataFrame:
    """`count` different articles of BBC News, drawn by `seed`, with the classes as they come."""
    chosen = random.Random(seed)
    return schema.documents(
        [
            {
                "id": f"news/{seed}-{i}",
                "text": text,
                "label": label,
                "source": "news",
                "time": datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=i) if i % 3 else None,
                "author": f"{i % 7:016x}" if i % 2 else None,
            }
            for i, (text, label) in enumerate(chosen.sample(everything(), count))
        ]
    )


def not_asked(texts: list[str]) -> list[str]:
    raise AssertionError("nothing was to be scrubbed")


def judge(
    table: pl.DataFrame,
    checker: suite.Checker,
    settings: parameters.Validate = PARAMS.validate_,
    *,
    labels: tuple[str, ...] = LABELS,
    faults: Mapping[str, str] | None = None,
    baseline: Baseline | None = None,
    sources: Mapping[str, str] | None = None,
    scrub: Scrub = not_asked,
) -> validate.ValidationResult:
    """The verdict on `table`.

    Args:
        sources: name -> kind, of params.yaml; default: one, "news".
    """
    named = [
        parameters.Source(name=name, kind=kind, path=None if kind == "feedback" else "x")  # type: ignore[arg-type]
        for name, kind in (sources or {"news": "csv"}).items()
    ]
    ingest = PARAMS.ingest.model_copy(update={"labels": list(labels), "sources": named})
    measurer = Measurer(settings, labels, faults or {}, scrub)
    return validate.judge(
        InMemory(table), measurer, settings, ingest, baseline or Baseline(), checker
    )
