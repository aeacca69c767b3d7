"""Holds labels of feedback back that are probably wrong, until a person has looked at them.

Before a snapshot, confident learning judges the labels of callers that do not count alone: beside
the documents of the last validation, by linear models that did not learn from the text itself; see
components/label_noise.py. A label that looks like another class is set aside.
"""

from __future__ import annotations

from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl
import sqlalchemy as sa

from components import label_noise
from components.core import ledger as ledgers
from components.core import tables
from components.core.ledger import Ledger, labels
from components.core.params import Params
from components.core.paths import Paths

_FOLD_DIGITS = 8  # of a text's hash, which chooses the fold


def hold(params: Params, paths: Paths, now: datetime) -> int:
    """Sets the suspect labels of the ledger aside; how many.

    None are where no source learns from feedback, where nothing was validated yet, or where there
    are too few documents to judge by (`validate.noise_class_documents`).
    """
    names = [source.name for source in params.ingest.sources if source.kind == "feedback"]
    file = paths.validated / "documents.parquet"
    if not names or not file.exists() or not _ledger_exists(paths):
        return 0
    with closing(Ledger(ledgers.url(paths.ledger))) as ledger:
        mark = ledger.feedback_watermark()
        rows = labels.learnable(ledger, mark)
        if all(row["caller"] is None for row in rows):
            return 0
        texts = {row["prediction_id"]: row["text"] for row in ledger.feedback(mark)}
        sent = [row for row in rows if row["prediction_id"] in texts]
        known = tables.read_table(file).filter(~pl.col("source").is_in(names))
        found = suspects(
            known, [(texts[row["prediction_id"]], row["label"]) for row in sent], params
        )
        seqs = [sent[i]["seq"] for i in found if sent[i]["caller"] is not None]
        return labels.set_aside(ledger, seqs, "suspect", now)


def suspects(known: pl.DataFrame, sent: list[tuple[str, str]], params: Params) -> list[int]:
    """Selects the labelled texts that look like another class than their label.

    Args:
        known: validated documents of other sources, with text and label.
        sent: text and label of each.
        params: `validate.noise_documents` known documents are compared with at most.

    Returns:
        Indices in `sent`, rising.
    """
    import numpy as np

    settings = params.validate_
    hashes = pl.Series([tables.text_hash(text) for text in known["text"]], dtype=pl.String)
    sample = known.with_columns(hash=hashes).sort("hash").head(settings.noise_documents)
    names = sorted(set(sample["label"]))
    if sample.height < settings.noise_class_documents * max(len(names), 2):
        return []
    judged = [i for i, (_, label) in enumerate(sent) if label in names]
    texts = [*sample["text"], *[sent[i][0] for i in judged]]
    given = [*sample["label"], *[sent[i][1] for i in judged]]
    actual = np.array([names.index(label) for label in given])
    folds = [int(tables.text_hash(text)[:_FOLD_DIGITS], 16) for text in texts]
    probabilities = label_noise.out_of_fold(texts, actual, folds, len(names))
    looks: Any = label_noise.looks_like(probabilities, actual)[sample.height :]
    wrong = (looks >= 0) & (looks != actual[sample.height :])
    return [judged[int(i)] for i in np.flatnonzero(wrong)]


def _ledger_exists(paths: Paths) -> bool:
    """True for other databases than SQLite, whose file a connection would create."""
    target = sa.make_url(ledgers.url(paths.ledger))
    if target.get_backend_name() != "sqlite":
        return True
    return bool(target.database) and Path(str(target.database)).is_file()
