"""News traffic with a known drift, for the benchmarks of monitoring.

The articles of the validation and the test side of `make run` are the world: the model learned from
neither. Reference and windows are drawn from it with replacement, each text independently, so that
without a shift both come from exactly one distribution.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from components.core import tables
from components.core.bundle import Model
from components.core.bundle import reference as references
from components.core.errors import DataError
from components.core.params import Params
from components.core.paths import Paths
from components.core.text_quality import SHORT

KINDS = ("topic", "vocabulary", "classes")
TOPIC, MORE = "tech", "sports"  # the topic that is new; the class that grows
REFERENCE_ROWS = 325
NEW_WORD = 10  # every tenth word is another one, where the vocabulary moves


@dataclass(frozen=True)
class World:
    """Articles with the model's signals: columns of core/bundle/reference.py and `text`.

    Attributes:
        labels: classes, in the order of the probabilities.
        still: the articles.
        slang: the articles with every NEW_WORD-th word replaced by an invented one.
    """

    labels: list[str]
    still: pl.DataFrame
    slang: pl.DataFrame

    def base(self, kind: str) -> pl.DataFrame:
        """Returns the articles of the traffic before the drift."""
        return self.still.filter(pl.col("actual") != TOPIC) if kind == "topic" else self.still

    def reference(
        self, kind: str, rng: np.random.Generator, rows: int = REFERENCE_ROWS
    ) -> pl.DataFrame:
        return _draw(self.base(kind), rows, rng)

    def window(self, kind: str, share: float, rows: int, rng: np.random.Generator) -> pl.DataFrame:
        """Draws `rows` articles, of which a `share` in [0, 1] has drifted."""
        moved = int(rng.binomial(rows, share))
        pool = {
            "topic": self.still.filter(pl.col("actual") == TOPIC),
            "vocabulary": self.slang,
            "classes": self.still.filter(pl.col("actual") == MORE),
        }[kind]
        return pl.concat([_draw(self.base(kind), rows - moved, rng), _draw(pool, moved, rng)])


def signals(table: pl.DataFrame) -> pl.DataFrame:
    """Selects the signals that monitoring compares."""
    return table.drop("text", references.ACTUAL)


def load(paths: Paths, params: Params, words: int | None = None) -> World:
    """Loads the articles and the model of `make run`.

    Args:
        paths: paths of the split and the trained model.
        params: settings with the classes.
        words: words of each article that are read; None: all. With few the model errs more often.

    Raises:
        DataError: `make run` was not run yet.
    """
    if not (paths.trained / "model").is_dir():
        raise DataError("Expected a trained model in data/04_trained. Run `make run` first.")
    labels = params.ingest.labels
    model = Model(paths.trained / "model", labels)
    articles = pl.concat(
        [tables.read_table(paths.split / f"{side}.parquet") for side in ("validation", "test")]
    )
    texts = [" ".join(text.split()[:words]) for text in articles["text"]]
    return World(
        labels,
        _answered(model, texts, articles["label"].to_list()),
        _answered(model, [_slang(text) for text in texts], articles["label"].to_list()),
    )


def _answered(model: Any, texts: list[str], actual: list[str]) -> pl.DataFrame:
    predictions = model.predict(texts)
    table = references.table(predictions, texts, lambda _: SHORT)
    return references.with_truth(table, actual).with_columns(text=pl.Series(texts))


def _slang(text: str) -> str:
    words = iter(range(1, len(text) + 1))
    return re.sub(
        r"[^\W_]+", lambda word: word[0] if next(words) % NEW_WORD else f"{word[0]}ish", text
    )


def _draw(pool: pl.DataFrame, rows: int, rng: np.random.Generator) -> pl.DataFrame:
    return pool[rng.integers(0, pool.height, rows)]
