"""Remembers scrubbed texts, so that no document is scrubbed twice under the same policy and key.

Keys are keyed hashes of the raw text: without the secret nobody can ask whether a known text is
here.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

from components.core.errors import ScrubError
from components.core.scrub import Scrubbed


class ScrubCache:
    """Scrubbed texts on disk.

    Args:
        path: the SQLite file; made if missing.
        policy: `scrub.policy_hash`; texts scrubbed under another policy are not found.
        secret: key of the hashes.

    Raises:
        ScrubError: from every method, when the file cannot be used.
    """

    def __init__(self, path: Path, policy: str, secret: bytes) -> None:
        self._secret = hmac.digest(secret, policy.encode(), "sha256")
        self._path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._database = sqlite3.connect(path, timeout=30)
            self._database.execute("PRAGMA journal_mode=WAL")
            self._database.execute(
                "CREATE TABLE IF NOT EXISTS scrubbed (key BLOB PRIMARY KEY, text TEXT, counts TEXT)"
                " WITHOUT ROWID"
            )
        except (OSError, sqlite3.Error) as error:
            raise self._unusable(error) from error

    def close(self) -> None:
        self._database.close()

    def get(self, text: str) -> Scrubbed | None:
        """What `text` was scrubbed to, or None."""
        try:
            with closing(
                self._database.execute(
                    "SELECT text, counts FROM scrubbed WHERE key = ?", (self._key(text),)
                )
            ) as cursor:
                row = cursor.fetchone()
        except sqlite3.Error as error:
            raise self._unusable(error) from error
        return Scrubbed(row[0], json.loads(row[1])) if row else None

    def put(self, pairs: Iterable[tuple[str, Scrubbed]]) -> None:
        """Remembers (raw text, scrubbed) pairs; of the raw text only its keyed hash is kept."""
        rows = [(self._key(raw), s.text, json.dumps(s.counts)) for raw, s in pairs]
        try:
            with self._database:
                self._database.executemany("INSERT OR REPLACE INTO scrubbed VALUES (?, ?, ?)", rows)
        except sqlite3.Error as error:
            raise self._unusable(error) from error

    def _key(self, text: str) -> bytes:
        return hmac.digest(self._secret, text.encode("utf-8", "surrogatepass"), hashlib.sha256)

    def _unusable(self, error: Exception) -> ScrubError:
        return ScrubError(
            f"Expected to use the cache of scrubbed texts at {self._path}, got: {error}. Free some "
            "room or delete that file; it is made anew."
        )
