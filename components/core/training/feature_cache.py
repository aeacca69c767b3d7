"""Cache of a frozen model's features, so that each document is encoded once.

    .newsloop/vectors/<model>.sqlite   hash of a document's ids -> its vector, float32

A frozen model has the same features for a document in each fold, trial and training. They do not
depend on other documents, so a training has the same result with and without the cache.
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

_KEY_BYTES = 16  # of the hash: at 128 bits, a collision among a billion documents is unlikely
_SAVED_TOGETHER = 64  # vectors in a transaction: a killed training loses no more
_SCHEMA = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = NORMAL;
CREATE TABLE IF NOT EXISTS vectors (key BLOB PRIMARY KEY, vector BLOB NOT NULL) WITHOUT ROWID;
"""


def read(
    documents: Sequence[Array], compute: Callable[[Array], Array], database_file: Path | None
) -> Array:
    """Returns the features of each document, (N, D) float32, from the cache or by `compute`.

    Args:
        documents: N arrays of ids.
        compute: ids (l,) -> (D,).
        database_file: the SQLite file of this model, created if missing; None caches nothing.

    Raises:
        DataError: the file cannot be read or written.
    """
    keys = [_key(ids) for ids in documents]
    documents_by_key = dict(zip(keys, documents, strict=True))
    try:
        with closing(_opened(database_file)) as database:
            vectors = {
                key: vector
                for key in documents_by_key
                if (vector := _get(database, key)) is not None
            }
            missing = [key for key in documents_by_key if key not in vectors]
            unsaved: list[tuple[bytes, bytes]] = []
            for key in track(missing, "train: reading once", len(missing)):
                vectors[key] = compute(documents_by_key[key]).astype(np.float32)
                unsaved.append((key, vectors[key].tobytes()))
                if len(unsaved) == _SAVED_TOGETHER:
                    _put(database, unsaved)
                    unsaved = []
            _put(database, unsaved)
    except (OSError, sqlite3.Error) as error:
        raise DataError(
            f"Expected to read and write cached vectors at {database_file}, got: {error}. Free "
            "disk space, or delete the file; newsloop creates it again."
        ) from error
    return np.stack([vectors[key] for key in keys])


def _opened(database_file: Path | None) -> sqlite3.Connection:
    if database_file is not None:
        database_file.parent.mkdir(parents=True, exist_ok=True)
    database = sqlite3.connect(database_file or ":memory:", timeout=30)
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
