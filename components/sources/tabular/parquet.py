"""Rows of a Parquet file, read in batches; plain, in .gz or in .zip."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO, Any

from components.sources.budget import MIB
from components.sources.files import FileReader, Table
from components.sources.rows import Columns
from components.sources.tabular.parquet_pages import DamagedPage, pages

_BATCH = 1024  # rows; of texts this is a few MiB
_BATCH_BYTES = 64 * MIB  # that a batch may take where each of its values is the longest
_VALUE = 8  # bytes that count for a value beside its page: a null takes none there
_LONGEST_FIXED = 4096  # bytes of a column of fixed length, which nulls take too


class ParquetReader(FileReader):
    """A row is a document. Text and label columns must be there; bad rows are marked."""

    suffixes = (".parquet",)
    streams = False

    def _table(self, file: IO[bytes], wanted: Columns | None) -> Table:
        import pyarrow as pa
        import pyarrow.parquet as pq

        # Going back in a packed file means to unpack it anew from its beginning: there, a row group
        # is fetched as a whole.
        packed = (self._member or self._store.name).lower().endswith((".gz", ".zip"))
        try:
            table = pq.ParquetFile(file, pre_buffer=packed)
            columns = self._wanted(table.schema_arrow, wanted)
            sizes = self._batch_sizes(file, table, columns)
        except (pa.ArrowException, UnicodeError, DamagedPage) as error:
            raise self._unreadable(error) from error
        return Table(self._rows_of(table, columns, sizes), table.schema_arrow.names)

    def _rows_of(
        self, table: Any, columns: list[str], sizes: list[int]
    ) -> Iterator[tuple[int, dict[str, Any]]]:
        import polars as pl
        import pyarrow as pa

        number = 0
        try:
            for group, size in enumerate(sizes):
                for batch in table.iter_batches(size, row_groups=[group], columns=columns):
                    # Polars cuts nanoseconds, which Python's datetime cannot hold.
                    frame = pl.DataFrame(pl.from_arrow(batch))
                    for row in frame.iter_rows(named=True):
                        number += 1
                        yield number, row
        except (pa.ArrowException, pl.exceptions.PolarsError, UnicodeError, DamagedPage) as error:
            raise self._unreadable(error) from error

    def _wanted(self, schema: Any, wanted: Columns | None) -> list[str]:
        """Names of the wanted columns that are there, each of single values."""
        import pyarrow as pa

        names = schema.names if wanted is None else wanted.all
        columns = [name for name in names if name in schema.names]
        for name in columns:
            # One row of a list may hold any number of values.
            if pa.types.is_nested(schema.field(name).type):
                raise self._error(
                    f"single values in the column {name!r} of {self._shown}",
                    "lists or objects",
                    "Name another column in this source's entry in params.yaml.",
                )
        return columns

    def _batch_sizes(self, file: IO[bytes], table: Any, columns: list[str]) -> list[int]:
        """Rows of a batch, for each row group.

        A value may be longer than what stands for it: an entry of a dictionary, or what shares its
        beginning with the value before. It is never longer than its page.

        Raises:
            TooLarge: the pages of all row groups, read once, unpack to more than allowed.
        """
        budget, sizes = self._budget.layer(), []
        for number in range(table.num_row_groups):
            group, longest = table.metadata.row_group(number), 1
            for place in range(group.num_columns):
                column = group.column(place)
                if column.path_in_schema not in columns:
                    continue
                if table.schema.column(place).length > _LONGEST_FIXED:
                    raise DamagedPage(f"a column of values of more than {_LONGEST_FIXED} bytes")
                for page in pages(file, column):
                    budget.take(page.unpacked + _VALUE * page.values)
                    if page.repeats:
                        longest = max(longest, page.unpacked)
            sizes.append(max(1, min(_BATCH, _BATCH_BYTES // longest)))
        return sizes
