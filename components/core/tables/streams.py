"""Reads and writes tables larger than memory in batches of rows."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import polars as pl

from components.core import tables

BATCH = 4096  # rows; some 10 MB of news
_ZSTD_LEVEL = 1  # level 3 saves a sixth of the space and takes a third more time
_COMPATIBLE = pl.CompatLevel.oldest()  # Parquet lacks some types of Polars


class Batches(Protocol):
    """A table that can be iterated several times."""

    @property
    def columns(self) -> Mapping[str, pl.DataType]:
        """Column name -> type."""

    @property
    def height(self) -> int:
        """Number of rows."""

    def batches(self) -> Iterator[pl.DataFrame]:
        """Yields all rows in order; the same batches on each call."""


class InMemory:
    """A table in memory."""

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
    """The Parquet table at `path`, of which one batch at a time is in memory.

    Raises:
        DataError: from every method, if the file is missing, cut short, or no Parquet file.
    """

    def __init__(self, path: Path, batch: int = BATCH) -> None:
        self._path, self._batch = path, batch

    @property
    def columns(self) -> Mapping[str, pl.DataType]:
        try:
            return pl.read_parquet_schema(self._path)
        except (OSError, pl.exceptions.PolarsError) as error:
            raise tables.no_table(self._path, error) from error

    @property
    def height(self) -> int:
        import pyarrow
        from pyarrow import parquet

        try:
            return int(parquet.read_metadata(self._path).num_rows)
        except (OSError, pyarrow.ArrowException) as error:
            raise tables.no_table(self._path, error) from error

    def batches(self, columns: Sequence[str] | None = None) -> Iterator[pl.DataFrame]:
        """Yields all rows in order, with these columns; None for all columns."""
        import pyarrow
        from pyarrow import parquet

        try:
            with parquet.ParquetFile(self._path) as file:
                for batch in file.iter_batches(self._batch, columns=columns):
                    yield pl.DataFrame(pl.from_arrow(pyarrow.Table.from_batches([batch])))
        except (OSError, pyarrow.ArrowException) as error:
            raise tables.no_table(self._path, error) from error


class TableWriter:
    """Writes a Parquet table batch by batch, with memory independent of the number of rows.

    Each batch becomes one row group, so equal batches give equal bytes. The complete file appears
    when `with` ends without an error; after an error `path` is unchanged.

    Args:
        path: of the table.
        schema: column -> type, in the order of the columns.
        compression: "zstd", "lz4" or "none"; see ingest.stream in params.yaml.
    """

    def __init__(
        self, path: Path, schema: Mapping[str, pl.DataType], compression: str = "zstd"
    ) -> None:
        self._path, self._compression = path, compression
        self._schema = pl.DataFrame(schema=dict(schema)).to_arrow(compat_level=_COMPATIBLE).schema
        self._partial = tables.partial(path)
        self._writer: Any = None
        self.rows = 0

    def write(self, columns: Mapping[str, Sequence[Any]]) -> None:
        """Appends rows.

        Args:
            columns: all columns of the schema, of equal lengths; None is null. A value of another
                type is an error, without conversion.
        """
        import pyarrow as pa

        arrays = [pa.array(columns[field.name], field.type) for field in self._schema]
        self._append(pa.Table.from_arrays(arrays, schema=self._schema))

    def write_frame(self, rows: pl.DataFrame) -> None:
        """Appends rows of the schema's columns, in its order."""
        self._append(rows.to_arrow(compat_level=_COMPATIBLE).cast(self._schema))

    def _append(self, table: Any) -> None:
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
                tables.put(self._partial, self._path)
            elif self._writer is not None:
                # The file is discarded; an error of `close` on a full disk must not hide the cause.
                with contextlib.suppress(OSError):
                    self._writer.close()
        finally:
            self._partial.unlink(missing_ok=True)

    def _open(self) -> Any:
        """Returns Arrow's writer; creates it with the first batch, so an earlier error leaves no
        folder.

        It writes no statistics, which would repeat values, and no dictionary, since texts are
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


def write(batches: Iterable[pl.DataFrame], columns: Mapping[str, pl.DataType], path: Path) -> Path:
    """Writes a Parquet table of these batches by TableWriter."""
    with TableWriter(path, columns) as writer:
        for batch in batches:
            writer.write_frame(batch)
    return path
