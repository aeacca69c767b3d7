"""Label queue: selects answers for people to label, as a file to fill in and to import.

The model learns most from uncertain texts, and little from near-duplicates. So the selection is
greedy: the next answer is the most uncertain one that is least like the selected answers (maximal
marginal relevance: Carbonell and Goldstein, SIGIR 1998; uncertainty sampling: Lewis and Gale, SIGIR
1994).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from components.core import tables
from components.core.bundle.reference import sketch
from components.core.errors import DataError, UsageError
from monitoring.drift import word_features

COLUMNS = ["prediction_id", "text", "predicted", "confidence", "label"]  # people fill in the last
_SHORTLIST = 10  # candidates for each requested answer, the most uncertain ones
_FORMULA = ("=", "+", "-", "@")  # a spreadsheet treats such a text as a formula
_WRITERS: Mapping[str, Callable[[pl.DataFrame, Path], Any]] = {
    ".csv": pl.DataFrame.write_csv,
    ".jsonl": pl.DataFrame.write_ndjson,
}
_READERS: Mapping[str, Callable[[Path], pl.DataFrame]] = {
    ".csv": lambda path: pl.read_csv(path, infer_schema=False),
    ".jsonl": pl.read_ndjson,
}


def choose(answers: Sequence[Mapping[str, Any]], count: int) -> list[int]:
    """Selects the indices of at most `count` answers, the most useful first.

    Args:
        answers: with `text` and `probabilities`, label -> probability.
        count: positive.

    >>> sure, unsure = {"a": 0.9, "b": 0.1}, {"a": 0.6, "b": 0.4}
    >>> choose([{"text": t, "probabilities": p} for t, p in
    ...         (("x y", unsure), ("x y", unsure), ("z", sure))], 2)
    [0, 2]
    """
    import numpy as np

    doubt = np.array([_doubt(answer["probabilities"]) for answer in answers])
    order = np.argsort(-doubt, kind="stable")[: _SHORTLIST * count]
    if not len(order):
        return []
    words = word_features.words([sketch(answers[i]["text"]) for i in order])
    alike = words @ words.T
    nearest = np.zeros(len(order))
    taken: list[int] = []
    for _ in range(min(count, len(order))):
        worth = doubt[order] * (1 - nearest)
        worth[taken] = -1.0
        best = int(worth.argmax())
        taken.append(best)
        nearest = np.maximum(nearest, np.clip(alike[best], 0.0, 1.0))
    return [int(order[i]) for i in taken]


def write(answers: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Writes COLUMNS of the answers as CSV or JSON Lines, by the name's ending.

    Raises:
        UsageError: another ending.
    """
    writer = _by_ending(_WRITERS, path)
    rows = [
        {
            "prediction_id": answer["id"],
            "text": _harmless(answer["text"]) if path.suffix == ".csv" else answer["text"],
            "predicted": answer["label"],
            "confidence": round(max(answer["probabilities"].values()), 4),
            "label": "",
        }
        for answer in answers
    ]
    schema = dict.fromkeys(COLUMNS, pl.String) | {"confidence": pl.Float64}
    table = pl.DataFrame(rows, schema=schema, orient="row")
    tables.write_atomic(path, lambda target: writer(table, target))


def read(path: Path, labels: Sequence[str]) -> list[tuple[str, str]]:
    """Reads (prediction id, label) of the filled rows.

    Args:
        path: of a file as `write` makes it; other columns may be gone or new.
        labels: the classes.

    Raises:
        UsageError: the file's name has another ending.
        DataError: it cannot be read, lacks a column, or holds a label that is no class. Nothing of
            such a file is used.
    """
    reader = _by_ending(_READERS, path)
    try:
        table = reader(path)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise DataError(
            f"Expected a table at {path}, got {type(error).__name__}. Write it anew with "
            "`newsloop label-queue`."
        ) from error
    missing = sorted({"prediction_id", "label"} - set(table.columns))
    if missing:
        raise DataError(
            f"Expected the columns prediction_id and label in {path}, {', '.join(missing)} is "
            "missing. A spreadsheet may have written another separator than the comma."
        )
    rows = table.select(
        pl.col("prediction_id").cast(pl.String).str.strip_chars(),
        pl.col("label").cast(pl.String).str.strip_chars(),
    ).filter(pl.col("label").fill_null("") != "")
    wrong = rows.with_row_index("row", 1).filter(~pl.col("label").is_in(list(labels)))
    if wrong.height:
        # The message does not repeat the label, which may be personal data.
        raise DataError(
            f"Expected one of {', '.join(labels)} in the column label of {path}, {wrong.height} of "
            f"{rows.height} filled rows have another word, the first is filled row "
            f"{wrong['row'][0]}. Mend them; nothing was taken."
        )
    return list(zip(rows["prediction_id"], rows["label"], strict=True))


def _doubt(probabilities: Mapping[str, float]) -> float:
    """Computes the uncertainty in [0, 1]: 1 - (largest - second largest probability)."""
    first, second, *_ = [*sorted(probabilities.values(), reverse=True), 0.0, 0.0]
    return 1.0 - (first - second)


def _harmless(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULA) else text


def _by_ending(known: Mapping[str, Any], path: Path) -> Any:
    if path.suffix not in known:
        raise UsageError(f"Expected a file that ends with {' or '.join(known)}, got {path.name}.")
    return known[path.suffix]
