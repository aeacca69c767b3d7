"""Rows of a Parquet file, read in batches; plain, in .gz or in .zip."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO, Any

from components.sources.budget import MIB
from components.sources.files import FileReader
from components.sources.parquet_pages import DamagedPage, pages
from components.sources.reader import RawDocument
from components.sources.rows import document, needed

_BATCH = 1024  # rows; of texts this is a few MiB
_BATCH_BYTES = 64 * MIB  # that a batch may take where each of its values is the longest
_VALUE = 8  # bytes that count for a value beside its page: a null takes none there
_LONGEST_FIXED = 4096  # bytes of a column of fixed length, which nulls take too


class ParquetReader(FileReader):
    """A row is a document. Text and label columns must be there; bad rows are marked."""

    suffixes = (".parquet",)
    streams = False

    def _rows(self, file: IO[bytes], prefix: str) -> Iterator[RawDocument]:
        import polars as pl
        import pyarrow as pa
        import pyarrow.parquet as pq

        # Going back in a packed file means to unpack it anew from its beginning: there, a row group
        # is fetched as a whole.
        packed = self._file().name.lower().endswith((".gz", ".zip"))
        try:
            with pq.ParquetFile(file, pre_buffer=packed) as table:
                columns = self._columns(table.schema_arrow)
                sizes = self._batch_sizes(file, table, columns)
                number = 0
                for group, size in enumerate(sizes):
                    for batch in table.iter_batches(size, row_groups=[group], columns=columns):
                        # Polars cuts nanoseconds, which Python's datetime cannot hold.
                        frame = pl.DataFrame(pl.from_arrow(batch))
                        for row in frame.iter_rows(named=True):
                            number += 1
                            yield document(row, number, self.source, prefix)
        except (pa.ArrowException, pl.exceptions.PolarsError, UnicodeError, DamagedPage) as error:
            raise self._unreadable(error) from error

    def _columns(self, schema: Any) -> list[str]:
        """Names of the wanted columns that are there, each of single values."""
        import pyarrow as pa

        source, there = self.source, schema.names
        for key in needed(source):
            if getattr(source, key) not in there:
                raise self._without_column(key, there)
        wanted = (source.text, source.label, source.id, source.time, source.author, source.part)
        columns = [name for name in dict.fromkeys(there) if name in wanted]
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
