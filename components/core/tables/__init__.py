"""Reads and writes tables, JSON and text; a write is atomic (temporary file, fsync, rename)."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from components.core.errors import DataError

if TYPE_CHECKING:
    import polars as pl


def write_atomic(path: Path, write: Callable[[Path], object]) -> Path:
    """Calls `write` with a temporary path beside `path`, then renames it into place.

    A crash or a full disk leaves either the old file or the new one, never half of one.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = partial(path)
    try:
        write(temporary)
        put(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    return path


def partial(path: Path) -> Path:
    """Returns this process's temporary path for a file at `path`."""
    return path.with_name(f".{path.name}.{os.getpid()}.partial")


def put(temporary: Path, path: Path) -> None:
    """Renames a written file into place after an fsync, with the mode of the file at `path`."""
    with contextlib.suppress(FileNotFoundError):
        temporary.chmod(path.stat().st_mode & 0o777)
    with temporary.open("rb") as file:
        os.fsync(file.fileno())
    temporary.replace(path)


def write_table(table: pl.DataFrame, path: Path) -> Path:
    """Writes `table` as Parquet; the bytes depend on the table only."""
    return write_atomic(path, lambda p: table.write_parquet(p, compression="zstd"))


def read_table(path: Path) -> pl.DataFrame:
    """Reads the Parquet table at `path`.

    Raises:
        DataError: the file is missing or no Parquet file.
    """
    import polars as pl

    try:
        return pl.read_parquet(path, glob=False)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise no_table(path, error) from error


def no_table(path: Path, error: Exception) -> DataError:
    """Makes the error for a table that cannot be read."""
    return DataError(
        f"Expected a Parquet table at {path}, got: {error}. Run `dvc repro` to create it."
    )


def write_json(value: Any, path: Path) -> Path:
    """Writes `value` as JSON with sorted keys, so that equal values have equal bytes."""
    text = json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False)
    return write_text(text + "\n", path)


def read_json(path: Path) -> Any:
    """Reads the JSON value at `path`.

    Raises:
        DataError: the file is missing or no JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"Expected a JSON file at {path}, got: {error}.") from error


def write_text(text: str, path: Path) -> Path:
    return write_atomic(path, lambda p: p.write_text(text, encoding="utf-8"))


def file_hash(path: Path) -> str:
    """Computes the SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def text_hash(text: str) -> str:
    """Computes the SHA-256 of a text in UTF-8, in hexadecimal; lone surrogates stay distinct."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
