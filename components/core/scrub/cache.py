"""Caches scrubbed texts, so that no document is scrubbed twice under the same policy and key.

A key is a keyed hash of the raw text: without the secret, nobody can test if a known text is in the
cache. A text without findings is stored as its hash alone. One process writes.
"""

from __future__ import annotations

import hmac
import json
import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import fields
from pathlib import Path

from components.core.databases.sqlite import rewrite
from components.core.errors import ScrubError
from components.core.scrub import Scrubbed

_KEY_BYTES = 16  # of the hash: 128 bits, so that no two of a billion texts ever meet
_MOST = 30_000  # keys in one query; SQLite takes 32,766
_PAGES_KIB = 32 * 1024  # of SQLite's own memory; the index of a million texts is about as large
_FACTS = [field.name for field in fields(Scrubbed) if field.name != "text"]

# Texts lie in the order in which they came, so the next run over the same sources reads them in
# one sweep; only the index is sorted by the hash.
_SCHEMA = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = NORMAL;
DROP TABLE IF EXISTS scrubbed;
CREATE TABLE IF NOT EXISTS texts (
    key BLOB NOT NULL UNIQUE,  -- keyed hash of the raw text
    text TEXT,                 -- scrubbed; NULL where it is the raw text itself
    facts TEXT                 -- JSON of what else a Scrubbed holds; NULL where all is empty
);
"""


class ScrubCache:
    """Scrubbed texts on disk.

    Args:
        path: the SQLite file; made if missing.
        policy: `scrub.policy_hash`; texts scrubbed under another policy are not found.
        secret: key of the hashes.

    Raises:
        ScrubError: from every method, if the file cannot be used.
    """

    def __init__(self, path: Path, policy: str, secret: bytes) -> None:
        self._secret = hmac.digest(secret, policy.encode(), "sha256")
        self._path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._database = sqlite3.connect(path, timeout=30)
            self._database.executescript(_SCHEMA)
            self._database.execute(f"PRAGMA cache_size = -{_PAGES_KIB}")
        except (OSError, sqlite3.Error) as error:
            raise self._unusable(error) from error

    def close(self) -> None:
        self._database.close()

    def __enter__(self) -> ScrubCache:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def get(self, text: str) -> Scrubbed | None:
        """Returns the scrubbed form of `text`; None if it is not cached."""
        return self.get_many([text])[0]

    def get_many(self, texts: Sequence[str]) -> list[Scrubbed | None]:
        """`get` for each of `texts`, in one query."""
        keys = [self._key(text) for text in texts]
        entries: dict[bytes, tuple[str | None, str | None]] = {}
        try:
            for i in range(0, len(keys), _MOST):
                some = keys[i : i + _MOST]
                marks = ",".join("?" * len(some))
                query = f"SELECT key, text, facts FROM texts WHERE key IN ({marks})"  # noqa: S608
                entries |= {
                    key: (text, facts) for key, text, facts in self._database.execute(query, some)
                }
        except sqlite3.Error as error:
            raise self._unusable(error) from error
        if not entries:
            return [None] * len(texts)
        return [
            _restored(text, *entries[key]) if key in entries else None
            for text, key in zip(texts, keys, strict=True)
        ]

    def put(self, pairs: Iterable[tuple[str, Scrubbed]]) -> None:
        """Stores (raw text, scrubbed) pairs; of a raw text, only its keyed hash.

        The output of the scrubber is stored as a key too, as a text that scrubbing does not change.
        """
        rows: list[tuple[bytes, str | None, str | None]] = []
        for raw, scrubbed in pairs:
            facts = {name: getattr(scrubbed, name) for name in _FACTS}
            written = json.dumps(facts) if any(facts.values()) else None
            if scrubbed.text == raw:
                rows.append((self._key(raw), None, written))
            else:
                rows.append((self._key(raw), scrubbed.text, written))
                rows.append((self._key(scrubbed.text), None, None))
        try:
            with self._database:
                self._database.executemany("INSERT OR REPLACE INTO texts VALUES (?, ?, ?)", rows)
        except sqlite3.Error as error:
            raise self._unusable(error) from error

    def _key(self, text: str) -> bytes:
        content = text.encode("utf-8", "surrogatepass")
        return hmac.digest(self._secret, content, "sha256")[:_KEY_BYTES]

    def _unusable(self, error: Exception) -> ScrubError:
        return ScrubError(
            f"Expected to use the cache of scrubbed texts at {self._path}, got: {error}. Free some "
            "room or delete that file; it is made anew."
        )


def _restored(raw: str, text: str | None, facts: str | None) -> Scrubbed:
    known = json.loads(facts) if facts else {"counts": {}}
    return Scrubbed(text=raw if text is None else text, **known)


def forget(path: Path, texts: Iterable[str]) -> int:
    """Deletes the rows that hold one of these scrubbed texts; returns their number.

    The file is rewritten, so that no free page holds them. The keyed hash of a text without
    findings stays.

    Raises:
        sqlite3.Error: the file is no cache of this version.
    """
    with closing(sqlite3.connect(path, timeout=30, isolation_level=None)) as database:
        database.execute("PRAGMA secure_delete=ON")
        count = sum(
            database.execute("DELETE FROM texts WHERE text = ?", (text,)).rowcount
            for text in sorted(texts)
        )
        rewrite(database)
    return count
