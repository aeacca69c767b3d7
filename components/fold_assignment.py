"""Assigns documents to folds: near duplicates share a fold, and each class lies in all folds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import polars as pl

from components import near_duplicates
from components.core import schema
from components.core.errors import DataError
from components.core.params import Split

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

EMPTY = pl.DataFrame(
    schema={**schema.DOCUMENT, "fold": pl.UInt8, "group": pl.UInt32, "side": pl.String}
)
_MIN_FOLDS = 3  # one tests, one validates, one trains


def groups(texts: Sequence[str], settings: Split, labels: Sequence[str] | None = None) -> Array:
    """Groups near duplicates: (N,) int, the connected component of each text.

    Args:
        texts: documents.
        settings: see `near_duplicates.near_pairs`.
        labels: of each document; None: as if all had the same label.
    """
    import numpy as np
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    pairs = near_duplicates.near_pairs(texts, labels or [""] * len(texts), settings)
    edges = np.array([(a, b) for a, near in pairs.items() for b in near], int).reshape(-1, 2)
    shape = (len(texts), len(texts))
    graph = coo_array((np.ones(len(edges)), (edges[:, 0], edges[:, 1])), shape=shape)
    return connected_components(graph, directed=False)[1]  # type: ignore[no-any-return]


def assign(group: Array, folds: int, seed: int, labels: Sequence[str] | None = None) -> Array:
    """Assigns each document to a fold: (N,) int, 0 to folds - 1; a group stays together.

    In random order, but the largest groups first, each group goes to the fold with the fewest
    documents of its class, and of these to the fold with the fewest documents.

    Args:
        group: of each document.
        folds: number of folds, at least 2.
        seed: of the order.
        labels: of each document, to stratify by; None: the folds have equal sizes only.
    """
    import numpy as np

    names, first, sizes = np.unique(group, return_index=True, return_counts=True)
    shuffled = np.random.default_rng(seed).permutation(len(names))
    order = shuffled[np.argsort(-sizes[shuffled], kind="stable")]
    classes = (
        np.zeros(len(group), int) if labels is None else np.unique(labels, return_inverse=True)[1]
    )
    filled = np.zeros((int(classes.max(initial=0)) + 1, folds), int)
    total = np.zeros(folds, int)
    fold_of_group = np.zeros(len(names), int)
    for i in order:
        of_class = filled[classes[first[i]]]
        fold = np.lexsort((total, of_class))[0]
        fold_of_group[i] = fold
        of_class[fold] += sizes[i]
        total[fold] += sizes[i]
    return fold_of_group[np.searchsorted(names, group)]


def table(
    documents: pl.DataFrame, group: Sequence[int | None], side: Sequence[str], settings: Split
) -> pl.DataFrame:
    """Makes the content of folds.parquet.

    Args:
        documents: of all sides, in ingest order.
        group, side: of each document.
        settings: number of folds, of which there are no more than groups; and the seed.

    Raises:
        DataError: there are fewer than three groups.
    """
    import numpy as np

    numbers = np.unique(np.array(group, np.int64), return_inverse=True)[1]
    count = min(settings.folds, len(set(numbers.tolist())))
    if count < _MIN_FOLDS:
        raise DataError(
            f"Expected at least {_MIN_FOLDS} documents that are not (almost) the same, got "
            f"{count}. Add documents."
        )
    fold = assign(numbers, count, settings.seed, documents["label"].to_list())
    return documents.with_columns(
        pl.Series("fold", fold, dtype=pl.UInt8),
        pl.Series("group", numbers, dtype=pl.UInt32),
        pl.Series("side", side, dtype=pl.String),
    )
