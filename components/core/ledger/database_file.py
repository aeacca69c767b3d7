"""The file of a SQLite ledger: only its owner reads it, and it is followed where it is replaced.

SQLite writes on into a file that was deleted, and says nothing. So the file at the path is compared
with the one that is open (device and inode) before and after each transaction.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from components.core.errors import LedgerError, cause_and_remedy

Identity = tuple[int, int]
_PRIVATE, _PRIVATE_FOLDER = 0o600, 0o700
_LOGS = ("-wal", "-shm")  # SQLite's write-ahead log and its index, which take the file's mode
_BUNDLES = "bundles"  # the folder beside it; see components/core/paths.py


class DatabaseFile:
    """The file at `path`; safe to share between threads.

    Args:
        path: of the ledger.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._known = _identity(path)  # before the first connection
        self._logs: dict[str, Identity | None] = {}

    @classmethod
    def of(cls, target: sa.URL) -> DatabaseFile | None:
        """The file of an SQLAlchemy URL; None for a database that is no file."""
        path = target.database
        if target.get_backend_name() != "sqlite" or not path or ":memory:" in path:
            return None
        return cls(Path(path))

    def make(self) -> None:
        """Makes an empty file where there is none, and takes its rights from others.

        Raises:
            LedgerError: it cannot be written; or the ledger of releases that lie beside it is gone.
        """
        folder = self._path.parent
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=_PRIVATE_FOLDER)
            if not self._path.exists():
                self.never_made()
                os.close(os.open(self._path, os.O_CREAT | os.O_RDWR, _PRIVATE))
            for path in (self._path, *(self._beside(end) for end in _LOGS)):
                restrict(path)
            self._known = _identity(self._path)
        except OSError as error:
            raise LedgerError(
                f"Expected to write the ledger {self._path}, got: {cause_and_remedy(error)}"
            ) from error

    def never_made(self) -> bool:
        """Tests that there is no file, and never was.

        Raises:
            LedgerError: there was: released bundles lie beside it.
        """
        if self._path.exists():
            return False
        if any((self._path.parent / _BUNDLES).glob("[!.]*/manifest.json")):
            raise self._gone("no file, though released bundles lie beside it")
        return True

    def connect(self, _dialect: Any, _record: Any, arguments: list[Any], options: Any) -> None:
        """Listens to SQLAlchemy's `do_connect`: a connection makes no file."""
        arguments[0] = f"{self._path.absolute().as_uri()}?mode=rw"
        options["uri"] = True

    def identity(self) -> Identity:
        """Device and inode of the file at the path.

        Raises:
            LedgerError: there is none, or it is empty.
        """
        try:
            state = self._path.stat()
        except OSError as error:
            raise self._gone(error.strerror or "no file") from None
        if self._known is not None and state.st_size == 0:
            raise self._gone("an empty file is in its place")
        return state.st_dev, state.st_ino

    def follow(self, engine: sa.Engine) -> Identity | None:
        """Lets go of a file that was replaced.

        Returns:
            The identity of the file that is new here; None if it is the same as before.

        Raises:
            LedgerError: as `identity`.
        """
        now = self.identity()
        with self._lock:
            same = now == self._known
            if same:
                self._logs = {end: _identity(self._beside(end)) for end in _LOGS}
            else:
                # The log of the former file would be replayed into the new one.
                for end, known in self._logs.items():
                    if known is not None and _identity(self._beside(end)) == known:
                        path = self._beside(end)
                        path.rename(path.with_name(f"{path.name}.of-former-file"))
                engine.dispose()
            self._known = now
        return None if same else now

    def _beside(self, end: str) -> Path:
        return self._path.with_name(self._path.name + end)

    def _gone(self, came: str) -> LedgerError:
        return LedgerError(
            f"Expected the ledger at {self._path}, got: {came}. Put it back, or restore it from a "
            "backup; to begin without history, remove the folder bundles beside it too."
        )


def restrict(path: Path) -> None:
    """Takes the rights of group and others from a file of this user; other files stay."""
    try:
        mode = path.stat().st_mode & 0o777
        if mode & 0o077:
            path.chmod(mode & 0o700)
    except (FileNotFoundError, PermissionError):
        pass


def _identity(path: Path) -> Identity | None:
    try:
        state = path.stat()
    except OSError:
        return None
    return state.st_dev, state.st_ino
