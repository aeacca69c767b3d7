"""Shared code for our SQLite files."""

from __future__ import annotations

import sqlite3

_EMPTY_LOG = "PRAGMA wal_checkpoint(TRUNCATE)"


def rewrite(database: sqlite3.Connection) -> None:
    """Writes the file anew, so that no free page and no log holds what was deleted."""
    for command in (_EMPTY_LOG, "VACUUM", _EMPTY_LOG):
        database.execute(command).fetchall()
