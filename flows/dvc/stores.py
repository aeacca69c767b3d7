"""Objects of DVC's stores: the cache and every remote.

DVC's command line cannot remove the objects of one document, so this module calls DVC's library.
No function here runs a stage.
"""

from __future__ import annotations

import contextlib
import io
import json
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import yaml

from components.core.errors import NewsloopError
from components.core.runtime import limited
from flows.dvc import lockfile

DIRECTORY = ".dir"  # suffix of the id of a folder's list of files
_PARQUET = b"PAR1"
_CALL_SECONDS = 600.0  # of one call to a store: the list of a million objects


class DvcStore:
    """The objects of one store.

    Args:
        name: name in messages, such as "cache" or "remote local".
        database: DVC's object database.
        runs: folder of DVC's run cache; None without one on this machine.
    """

    def __init__(self, name: str, database: Any, runs: Path | None = None) -> None:
        self.name, self._database, self.runs = name, database, runs

    def ids(self) -> set[str]:
        """Returns the ids of all objects.

        Raises:
            NewsloopError: the store cannot be reached.
        """
        try:
            return limited.call(self._all, _CALL_SECONDS)
        except Exception as error:
            raise self._unreachable(error) from error

    def read(self, object_id: str) -> bytes | None:
        """Returns an object's bytes; None if the store lacks it."""

        def content() -> bytes:
            with self._database.fs.open(self._database.oid_to_path(object_id), "rb") as file:
                return bytes(file.read())

        try:
            return limited.call(content, _CALL_SECONDS)
        except FileNotFoundError:
            return None
        except Exception as error:
            raise self._unreachable(error) from error

    def delete(self, object_id: str) -> None:
        """Removes an object, if the store has it."""
        path = self._database.oid_to_path(object_id)
        try:
            with contextlib.suppress(FileNotFoundError):
                limited.call(lambda: self._database.fs.remove(path), _CALL_SECONDS)
        except Exception as error:
            raise self._unreachable(error) from error

    def changed(self, object_id: str) -> datetime:
        """Returns the time at which the object was stored, UTC."""
        path = self._database.oid_to_path(object_id)
        try:
            info = limited.call(lambda: self._database.fs.info(path), _CALL_SECONDS)
        except Exception as error:
            raise self._unreachable(error) from error
        time = info.get("mtime") or info.get("LastModified")
        if isinstance(time, datetime):
            return time.astimezone(UTC)
        return datetime.fromtimestamp(float(time), UTC)

    def forget_runs(self, gone: set[str]) -> int:
        """Removes the recorded runs that mention one of these objects; returns their number."""
        count = 0
        for file in self._run_files():
            if gone & set(file.read_text(encoding="utf-8", errors="replace").split()):
                file.unlink(missing_ok=True)
                count += 1
        return count

    def remembered(self) -> list[lockfile.Step]:
        """Reads DVC's run cache, with the runs of failed learning runs."""
        steps = []
        for file in self._run_files():
            entry = yaml.safe_load(file.read_text(encoding="utf-8"))
            stage = str(entry.get("cmd", "")).rpartition("components.")[2]
            steps.append(lockfile.step(stage, entry))
        return steps

    def _run_files(self) -> list[Path]:
        if self.runs is None or not self.runs.is_dir():
            return []
        return [file for file in self.runs.rglob("*") if file.is_file()]

    def _all(self) -> set[str]:
        there = self._database.fs.exists(self._database.path)
        return set(self._database.all()) if there else set()

    def _unreachable(self, error: Exception) -> NewsloopError:
        return NewsloopError(
            f"Expected to reach DVC's {self.name}, got: {type(error).__name__}: {error}. Fix that "
            "and run the same command again; finished steps are not repeated."
        )


def open_stores(root: Path) -> list[DvcStore]:
    """Opens the cache of the project at `root`, then each of its remotes.

    Raises:
        NewsloopError: DVC cannot read the project or a remote's settings.
    """
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    try:
        repo = Repo(str(root))
        cache = repo.cache.local
        runs = Path(repo.cache.local_cache_dir) / "runs"
        stores = [DvcStore("cache", cache, runs)]
        for name in sorted(repo.config["remote"]):
            remote = repo.cloud.get_remote(name)
            local = Path(remote.path) / "runs" if remote.fs.protocol == "local" else None
            stores.append(DvcStore(f"remote {name}", remote.odb, local))
    except DvcException as error:
        raise NewsloopError(
            f"Expected DVC to open the project at {root} and its remotes, got: {error}. Fix "
            ".dvc/config and run the same command again."
        ) from error
    return stores


class Library:
    """Union of all stores: reads an object from the first store with it, and caches folders."""

    def __init__(self, stores: list[DvcStore]) -> None:
        self.stores = stores
        self._folders: dict[str, dict[str, str] | None] = {}

    def read(self, object_id: str) -> bytes | None:
        for store in self.stores:
            content = store.read(object_id)
            if content is not None:
                return content
        return None

    def files(self, folder: str) -> dict[str, str] | None:
        """Returns relative path -> id of a folder's files; None if no store has its list."""
        if folder not in self._folders:
            content = self.read(folder)
            self._folders[folder] = (
                None
                if content is None
                else {file["relpath"]: str(file["md5"]) for file in json.loads(content)}
            )
        return self._folders[folder]

    def tables(self, ids: set[str]) -> Iterator[tuple[str, pl.DataFrame]]:
        """Yields id and columns of each object that is a Parquet table with a column id."""
        for object_id in sorted(ids):
            content = None if object_id.endswith(DIRECTORY) else self.read(object_id)
            if content is None or not content.startswith(_PARQUET):
                continue
            table = people_columns(io.BytesIO(content))
            if table is not None:
                yield object_id, table


def people_columns(file: Path | io.BytesIO) -> pl.DataFrame | None:
    """Reads the columns id, author and text of a Parquet table; None without a column id."""
    names = pl.read_parquet_schema(file)
    if isinstance(file, io.BytesIO):
        file.seek(0)
    columns: list[str] = [name for name in ("id", "author", "text") if name in names]
    return pl.read_parquet(file, columns=columns) if "id" in names else None


def remove_tree(path: Path) -> bool:
    """Removes a file or a folder, links included; False if it was not there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
        return True
    if path.exists() or path.is_symlink():
        path.unlink()
        return True
    return False
