"""What a pretrained model saw of each document, so that no document is read twice.

    .newsloop/vectors/<model>.sqlite   hash of a document's ids -> its vector, float32

A model that does not learn sees the same in each fold, trial and training. What it saw of one
document does not depend on others, so a training gives the same whether a vector was kept or not.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

import numpy as np

from components.core.errors import DataError
from components.core.progress import track
from components.core.training.batches import Array

_KEY_BYTES = 16  # of the hash: 128 bits, so that no two of a billion documents ever meet
_WRITTEN = 64  # vectors written together: a killed training loses no more
_SCHEMA = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = NORMAL;
CREATE TABLE IF NOT EXISTS vectors (key BLOB PRIMARY KEY, vector BLOB NOT NULL) WITHOUT ROWID;
"""


def read(documents: Sequence[Array], look: Callable[[Array], Array], kept: Path | None) -> Array:
    """(N, D) float32: `look` of each document.

    Args:
        documents: N arrays of ids.
        look: ids (l,) -> (D,).
        kept: the SQLite file of this model, made if missing; None keeps nothing.

    Raises:
        DataError: the file cannot be used.
    """
    keys = [_key(ids) for ids in documents]
    place = dict(zip(keys, documents, strict=True))
    try:
        with closing(_opened(kept)) as database:
            found = {key: vector for key in place if (vector := _get(database, key)) is not None}
            missing = [key for key in place if key not in found]
            fresh: list[tuple[bytes, bytes]] = []
            for key in track(missing, "train: reading once", len(missing)):
                found[key] = look(place[key]).astype(np.float32)
                fresh.append((key, found[key].tobytes()))
                if len(fresh) == _WRITTEN:
                    _put(database, fresh)
                    fresh = []
            _put(database, fresh)
    except (OSError, sqlite3.Error) as error:
        raise DataError(
            f"Expected to use the vectors kept at {kept}, got: {error}. Free some room or delete "
            "that file; it is made anew."
        ) from error
    return np.stack([found[key] for key in keys])


def _opened(kept: Path | None) -> sqlite3.Connection:
    if kept is not None:
        kept.parent.mkdir(parents=True, exist_ok=True)
    database = sqlite3.connect(kept or ":memory:", timeout=30)
    database.executescript(_SCHEMA)
    return database


def _get(database: sqlite3.Connection, key: bytes) -> Array | None:
    row = database.execute("SELECT vector FROM vectors WHERE key = ?", (key,)).fetchone()
    return None if row is None else np.frombuffer(row[0], np.float32)


def _put(database: sqlite3.Connection, rows: Sequence[tuple[bytes, bytes]]) -> None:
    with database:
        database.executemany("INSERT OR IGNORE INTO vectors VALUES (?, ?)", rows)


def _key(ids: Array) -> bytes:
    return hashlib.sha256(ids.astype(np.int32).tobytes()).digest()[:_KEY_BYTES]
