"""Tables that are too large for memory: read and written in batches of rows."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import polars as pl

from components.core import tables

BATCH = 4096  # rows; some 10 MB of news
_ZSTD_LEVEL = 1  # level 3 packs a sixth tighter and takes a third longer
_COMPATIBLE = pl.CompatLevel.oldest()  # Parquet has no types for Polars' own


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
        """All rows in their order, of these columns; None: of all."""
        import pyarrow
        from pyarrow import parquet

        try:
            with parquet.ParquetFile(self._path) as file:
                for batch in file.iter_batches(self._batch, columns=columns):
                    yield pl.DataFrame(pl.from_arrow(pyarrow.Table.from_batches([batch])))
        except (OSError, pyarrow.ArrowException) as error:
            raise tables.no_table(self._path, error) from error


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
        self._path, self._compression = path, compression
        self._schema = pl.DataFrame(schema=dict(schema)).to_arrow(compat_level=_COMPATIBLE).schema
        self._partial = tables.partial(path)
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


def write(batches: Iterable[pl.DataFrame], columns: Mapping[str, pl.DataType], path: Path) -> Path:
    """Writes a Parquet table of these batches, as TableWriter does."""
    with TableWriter(path, columns) as writer:
        for batch in batches:
            writer.write_frame(batch)
    return path
