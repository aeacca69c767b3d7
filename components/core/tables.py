"""Reads and writes tables, JSON and text; a write is atomic (temporary file, fsync, rename)."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from components.core.errors import DataError

if TYPE_CHECKING:
    import polars as pl

_ZSTD_LEVEL = 1  # of a streamed table: level 3 packs a sixth tighter and takes a third longer


def write_atomic(path: Path, write: Callable[[Path], object]) -> Path:
    """Calls `write` with a temporary path beside `path`, then renames it into place.

    A crash or a full disk leaves either the old file or the new one, never half of one. A file that
    was there keeps its mode.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        write(temporary)
        with contextlib.suppress(FileNotFoundError):
            temporary.chmod(path.stat().st_mode & 0o777)
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    return path


def write_table(table: pl.DataFrame, path: Path) -> Path:
    """Writes `table` as Parquet; the same table always gives the same bytes."""
    return write_atomic(path, lambda p: table.write_parquet(p, compression="zstd"))


class TableWriter:
    """Writes a Parquet table batch by batch, in memory that does not grow with its rows.

    Each batch becomes one row group, so the same batches always give the same bytes. The file is
    there, whole, after `with` ends without an error; before that, and after an error, nothing is.

    Args:
        path: of the table.
        schema: column -> type, in the order of the columns.
        compression: "zstd", "lz4" or "none"; params.yaml says what each costs.
    """

    def __init__(
        self, path: Path, schema: Mapping[str, pl.DataType], compression: str = "zstd"
    ) -> None:
        import polars as pl

        self._path, self._compression = path, compression
        self._schema = pl.DataFrame(schema=schema).to_arrow().schema
        self._partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
        self._writer: Any = None
        self.rows = 0

    def write(self, columns: Mapping[str, Sequence[Any]]) -> None:
        """Appends rows.

        Args:
            columns: each of the schema's, all of one length; None is null. No value is converted:
                one of another type is an error.
        """
        import pyarrow as pa

        arrays = [pa.array(columns[field.name], field.type) for field in self._schema]
        table = pa.Table.from_arrays(arrays, schema=self._schema)
        if not table.num_rows:
            return
        self._open().write_table(table, row_group_size=table.num_rows)
        self.rows += table.num_rows

    def __enter__(self) -> TableWriter:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        try:
            if kind is None:
                self._open().close()
                with self._partial.open("rb") as file:
                    os.fsync(file.fileno())
                self._partial.replace(self._path)
            elif self._writer is not None:
                # It is thrown away: that it cannot be ended on a full disk must not hide why.
                with contextlib.suppress(OSError):
                    self._writer.close()
        finally:
            self._partial.unlink(missing_ok=True)

    def _open(self) -> Any:
        """Arrow's writer; made with the first batch, so that what fails earlier leaves no folder.

        It writes neither statistics, which repeat values, nor a dictionary of texts, which are
        seldom equal.
        """
        import pyarrow.parquet as pq

        if self._writer is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._writer = pq.ParquetWriter(
                self._partial,
                self._schema,
                compression=self._compression,
                compression_level=_ZSTD_LEVEL if self._compression == "zstd" else None,
                use_dictionary=False,
                write_statistics=False,
            )
        return self._writer


def read_table(path: Path) -> pl.DataFrame:
    """The Parquet table at `path`.

    Raises:
        DataError: it is missing or no Parquet file.
    """
    import polars as pl

    try:
        return pl.read_parquet(path, glob=False)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise DataError(
            f"Expected a Parquet table at {path}, got: {error}. Run `dvc repro` to make it."
        ) from error


def write_json(value: Any, path: Path) -> Path:
    """Writes `value` as JSON with sorted keys, so that the same value gives the same bytes."""
    text = json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False)
    return write_text(text + "\n", path)


def read_json(path: Path) -> Any:
    """The JSON value at `path`.

    Raises:
        DataError: it is missing or no JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"Expected a JSON file at {path}, got: {error}.") from error


def write_text(text: str, path: Path) -> Path:
    return write_atomic(path, lambda p: p.write_text(text, encoding="utf-8"))


def file_hash(path: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def text_hash(text: str) -> str:
    """SHA-256 of a text in UTF-8, in hexadecimal; lone surrogates are kept apart."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
