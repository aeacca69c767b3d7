"""Stores the scrubbed entries of feeds, since a feed drops its old entries.

    <home>/feeds.sqlite   entries: text (scrubbed), tags that params.yaml names, time; no author
                          polls: ETag and Last-Modified for conditional requests

Rows are only added, so that a sequence number always pins the same entries.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path

from components.core.databases.sqlite import rewrite
from components.core.errors import SourceError
from components.core.scrub import Scrubbed
from components.sources.feed.entries import FeedEntry

_TABLES = (
    "CREATE TABLE IF NOT EXISTS entries (seq INTEGER PRIMARY KEY AUTOINCREMENT, source TEXT, "
    "id TEXT, text TEXT, tags TEXT, time TEXT, UNIQUE (source, id))",
    "CREATE TABLE IF NOT EXISTS polls (source TEXT PRIMARY KEY, address TEXT, tag TEXT, "
    "modified TEXT)",
)
_WAIT_SECONDS = 30  # for another process that writes
_ROWS = 1000  # fetched at a time


class SeenEntries:
    """The stored entries of one source.

    Args:
        path: of the SQLite file.
        source: name of the source.
    """

    def __init__(self, path: Path, source: str) -> None:
        self._path, self._source = path, source

    def conditions(self, url: str) -> dict[str, str]:
        """Returns the headers of a conditional request (If-None-Match, If-Modified-Since)."""
        if not self._path.is_file():
            return {}
        query = "SELECT tag, modified FROM polls WHERE source = ? AND address = ?"
        with self._open() as database:
            row = database.execute(query, (self._source, _hash(url))).fetchone()
        names = ("If-None-Match", "If-Modified-Since")
        return {name: value for name, value in zip(names, row or (), strict=False) if value}

    def unknown(self, entries: Iterable[FeedEntry]) -> list[FeedEntry]:
        """Filters entries that are not stored yet, each once, in order."""
        fresh: dict[str, FeedEntry] = {}
        for entry in entries:
            fresh.setdefault(entry.id, entry)
        if self._path.is_file():
            with self._open() as database:
                for name in list(fresh):
                    query = "SELECT 1 FROM entries WHERE source = ? AND id IN (?, ?)"
                    seen = (self._source, name, forgotten(name))
                    if database.execute(query, seen).fetchone():
                        del fresh[name]
        return list(fresh.values())

    def add(
        self,
        entries: Iterable[tuple[FeedEntry, Scrubbed]],
        url: str,
        tag: str | None,
        modified: str | None,
    ) -> None:
        """Stores entries, ETag and Last-Modified in one transaction.

        An entry that the policy drops is stored as its id, so that it is not new again.

        Args:
            entries: (entry, its scrubbed text).
            url: of the feed.
            tag, modified: the headers ETag and Last-Modified; None without.
        """
        rows = [
            (self._source, entry.id, None, "[]", None)
            if done.dropped
            else (self._source, entry.id, done.text, json.dumps(entry.tags), _iso(entry.time))
            for entry, done in entries
        ]
        insert = "INSERT OR IGNORE INTO entries (source, id, text, tags, time) VALUES (?,?,?,?,?)"
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise self._unusable(error) from error
        with self._open() as database:
            database.execute("BEGIN IMMEDIATE")
            database.executemany(insert, rows)
            database.execute(
                "INSERT OR REPLACE INTO polls VALUES (?, ?, ?, ?)",
                (self._source, _hash(url), tag, modified),
            )
            database.execute("COMMIT")

    def read(self, until: int | None = None) -> Iterator[tuple[int, FeedEntry]]:
        """Yields (sequence number, entry) in order, up to the number `until` (None for all)."""
        if not self._path.is_file():
            return
        query = (
            "SELECT seq, id, text, tags, time FROM entries WHERE source = ? "
            "AND text IS NOT NULL AND (? IS NULL OR seq <= ?) ORDER BY seq"
        )
        with self._open() as database:
            cursor = database.execute(query, (self._source, until, until))
            while rows := cursor.fetchmany(_ROWS):
                for seq, name, text, tags, time in rows:
                    when = datetime.fromisoformat(time) if time else None
                    yield seq, FeedEntry(name, text, tuple(json.loads(tags)), when, None)

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        try:
            database = sqlite3.connect(self._path, timeout=_WAIT_SECONDS, isolation_level=None)
            try:
                database.execute("PRAGMA journal_mode=WAL")
                for statement in _TABLES:
                    database.execute(statement)
                yield database
            finally:
                database.close()
        except sqlite3.Error as error:
            raise self._unusable(error) from error

    def _unusable(self, error: Exception) -> SourceError:
        return SourceError(
            f"Source {self._source}: expected to use the seen entries in {self._path}, got: "
            f"{error}. Free some room, or put that file back."
        )


def forget(path: Path, texts: Iterable[str]) -> int:
    """Empties the entries that hold one of these scrubbed texts; returns their number.

    A hash of the id stays, so that the entry is not new when the feed shows it again.

    Raises:
        sqlite3.Error: the file cannot be used.
    """
    with closing(sqlite3.connect(path, timeout=_WAIT_SECONDS, isolation_level=None)) as database:
        database.execute("PRAGMA secure_delete=ON")
        database.create_function("forgotten", 1, forgotten, deterministic=True)
        count = sum(
            database.execute(
                "UPDATE entries SET id = forgotten(id), text = NULL, tags = '[]', time = NULL "
                "WHERE text = ?",
                (text,),
            ).rowcount
            for text in sorted(texts)
        )
        rewrite(database)
    return count


def forgotten(name: str) -> str:
    """Returns the stored id of an erased entry: a hash of its id."""
    return f"erased:{hashlib.sha256(name.encode('utf-8', 'surrogatepass')).hexdigest()}"


def _iso(time: datetime | None) -> str | None:
    return time.isoformat() if time else None


def _hash(url: str) -> str:
    """Hashes a URL, whose query may hold a key."""
    return hashlib.sha256(url.encode()).hexdigest()
