"""Answers of a model to its own documents in cross-validation, by models without them.

The released model learned from all of them, so its own answers to them look better than they are.
The gate compares a later candidate with these answers instead. A bundle stores no text and no id: a
keyed hash stands for the text, which only an installation with the same key can compute.
"""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from components.core import tables
from components.core.bundle.layout import ANSWERS


def table(texts: Sequence[str], labels: Sequence[str], key: bytes) -> pl.DataFrame:
    """Makes the file's content: columns text (keyed hash) and label (the model's answer)."""
    return pl.DataFrame({"text": hashes(texts, key), "label": labels}).unique("text").sort("text")


def hashes(texts: Sequence[str], key: bytes) -> pl.Series:
    """Hashes texts to 64 bits by HMAC-SHA256."""
    digests = [hmac.digest(key, text.encode("utf-8"), "sha256")[:8] for text in texts]
    return pl.Series("text", [int.from_bytes(d, "big") for d in digests], dtype=pl.UInt64)


def read(bundle: Path, texts: Sequence[str], key: bytes) -> list[str | None] | None:
    """Reads the answers to `texts`: None for one that the model did not learn from.

    Returns:
        None for a bundle that was not measured by cross-validation.
    """
    file = bundle / ANSWERS
    if not file.exists():
        return None
    known = tables.read_table(file)
    rows = hashes(texts, key).to_frame().join(known, on="text", how="left", maintain_order="left")
    return rows["label"].to_list()
