"""Tables that are too large for memory: read and written in batches of rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Protocol

import polars as pl

from components.core import tables
from components.core.errors import DataError

BATCH = 4096  # rows; some 10 MB of news


class Batches(Protocol):
    """A table that can be gone through again and again."""

    @property
    def columns(self) -> Mapping[str, pl.DataType]:
        """Name -> type."""

    @property
    def height(self) -> int:
        """Rows."""

    def batches(self) -> Iterator[pl.DataFrame]:
        """All rows in their order; the same batches each time."""


class InMemory:
    """A table that is already there."""

    def __init__(self, table: pl.DataFrame, batch: int = BATCH) -> None:
        self._table, self._batch = table, batch

    @property
    def columns(self) -> Mapping[str, pl.DataType]:
        return self._table.schema

    @property
    def height(self) -> int:
        return self._table.height

    def batches(self) -> Iterator[pl.DataFrame]:
        yield from self._table.iter_slices(self._batch)


class Stored:
    """The Parquet table at `path`; one batch of it is in memory at a time.

    Raises:
        DataError: from every method: it is missing, cut short, or no Parquet file.
    """

    def __init__(self, path: Path, batch: int = BATCH) -> None:
        self._path, self._batch = path, batch

    @property
    def columns(self) -> Mapping[str, pl.DataType]:
        try:
            return pl.read_parquet_schema(self._path)
        except (OSError, pl.exceptions.PolarsError) as error:
            raise self._refused(error) from error

    @property
    def height(self) -> int:
        import pyarrow
        from pyarrow import parquet

        try:
            return int(parquet.read_metadata(self._path).num_rows)
        except (OSError, pyarrow.ArrowException) as error:
            raise self._refused(error) from error

    def batches(self) -> Iterator[pl.DataFrame]:
        import pyarrow
        from pyarrow import parquet

        try:
            with parquet.ParquetFile(self._path) as file:
                for batch in file.iter_batches(self._batch):
                    yield pl.DataFrame(pl.from_arrow(pyarrow.Table.from_batches([batch])))
        except (OSError, pyarrow.ArrowException) as error:
            raise self._refused(error) from error

    def _refused(self, error: Exception) -> DataError:
        return DataError(
            f"Expected a Parquet table at {self._path}, got: {error}. Run `dvc repro` to make it."
        )


def write(batches: Iterable[pl.DataFrame], columns: Mapping[str, pl.DataType], path: Path) -> Path:
    """Writes a Parquet table whole or not at all; one row group for each batch that has rows.

    The same batches always give the same bytes.
    """
    from pyarrow import parquet

    level = pl.CompatLevel.oldest()
    empty = pl.DataFrame(schema=dict(columns)).to_arrow(compat_level=level)

    def write_to(temporary: Path) -> None:
        with parquet.ParquetWriter(temporary, empty.schema, compression="zstd") as file:
            for batch in batches:
                if batch.height:
                    file.write_table(batch.to_arrow(compat_level=level).cast(empty.schema))

    return tables.write_atomic(path, write_to)
