"""Rows of Parquet files, read in batches; plain or packed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import IO, Any

from components.sources.budget import MIB
from components.sources.row_files import FileReader, Table
from components.sources.rows import Columns
from components.sources.tabular import arrow_schema
from components.sources.tabular.parquet_pages import DamagedPage, pages

_BATCH = 1024  # rows; of texts this is a few MiB
_BATCH_BYTES = 64 * MIB  # that a batch may take where each of its values is the longest
_VALUE = 8  # bytes that count for a value beside its page: a null takes none there
_LONGEST_FIXED = 4096  # bytes of a column of fixed length, which nulls take too


class ParquetReader(FileReader):
    """A row is a document. Text and label columns must be there; bad rows are marked.

    A column may be a dotted path into structs. Names of classes come from the metadata that Hugging
    Face datasets writes.
    """

    suffixes = (".parquet",)
    streams = False

    def _table(self, file: IO[bytes], wanted: Columns | None) -> Table:
        import pyarrow as pa
        import pyarrow.parquet as pq

        # Going back in a packed file means to unpack it anew from its beginning: there, a row group
        # is fetched as a whole.
        packed = (self._member or self._store.name).lower().endswith((".gz", ".zip"))
        try:
            schema = pq.read_schema(file)
            columns = self._wanted(schema, wanted)
            # Values of lists stay entries of a dictionary until lists are cut to a few of them.
            table = pq.ParquetFile(
                file,
                pre_buffer=packed,
                read_dictionary=_leaves(
                    pq.ParquetFile(file), arrow_schema.list_columns(schema, columns)
                ),
            )
            sizes = self._batch_sizes(file, table, columns)
        except (pa.ArrowException, UnicodeError, DamagedPage) as error:
            raise self._unreadable(error) from error
        return Table(
            self._rows_of(table, columns, sizes),
            arrow_schema.paths_in(schema),
            arrow_schema.repeated(schema),
            lists=list(arrow_schema.list_columns(schema, columns)),
            class_names=arrow_schema.class_names(schema),
        )

    def _rows_of(
        self, table: Any, columns: list[str], sizes: list[int]
    ) -> Iterator[tuple[int, dict[str, Any]]]:
        import polars as pl

        number = 0
        try:
            for group, size in enumerate(sizes):
                for batch in table.iter_batches(size, row_groups=[group], columns=columns):
                    # Polars cuts nanoseconds, which Python's datetime cannot hold.
                    frame = pl.DataFrame(pl.from_arrow(arrow_schema.cut_lists(batch)))
                    for row in frame.iter_rows(named=True):
                        number += 1
                        yield number, row
        except arrow_schema.errors() as error:
            raise self._unreadable(error) from error

    def _wanted(self, schema: Any, wanted: Columns | None) -> list[str]:
        """Names of what is read of the wanted columns; of all columns, those that can be read."""
        if wanted is None:
            return [name for name in schema.names if arrow_schema.is_readable(schema, name)]
        found = (arrow_schema.column_of(schema, name) for name in wanted.all)
        columns = list(dict.fromkeys(name for name in found if name is not None))
        for name in columns:
            if not arrow_schema.is_readable(schema, name):
                raise self._nested(name)
        return columns

    def _batch_sizes(self, file: IO[bytes], table: Any, columns: list[str]) -> list[int]:
        """Rows of a batch, for each row group.

        A value may be longer than what stands for it: an entry of a dictionary, or what shares its
        beginning with the value before. It is never longer than its page.

        Raises:
            TooLarge: the pages of all row groups, read once, unpack to more than allowed.
        """
        budget, sizes = self._budget.layer(), []
        lists = arrow_schema.list_columns(table.schema_arrow, columns)
        for number in range(table.num_row_groups):
            group, longest = table.metadata.row_group(number), 1
            for place in range(group.num_columns):
                column = group.column(place)
                name = _read_as(column.path_in_schema, columns)
                if name is None:
                    continue
                if table.schema.column(place).length > _LONGEST_FIXED:
                    raise DamagedPage(f"a column of values of more than {_LONGEST_FIXED} bytes")
                values = arrow_schema.LIST_VALUES if name in lists else 1
                for page in pages(file, column):
                    budget.take(page.unpacked + _VALUE * page.values)
                    if name in lists and page.repeats and not page.is_dictionary:
                        raise DamagedPage("lists whose values share their beginnings")
                    if page.repeats:
                        longest = max(longest, page.unpacked * values)
            sizes.append(max(1, min(_BATCH, _BATCH_BYTES // longest)))
        return sizes


def _read_as(path: str, columns: Iterable[str]) -> str | None:
    """Returns the one of `columns` that a leaf of the file's schema belongs to."""
    return next((name for name in columns if f"{path}.".startswith(f"{name}.")), None)


def _leaves(table: Any, columns: set[str]) -> list[str]:
    """Paths of the texts below `columns`."""
    leaves = (table.schema.column(place) for place in range(len(table.schema.names)))
    return [
        leaf.path
        for leaf in leaves
        if leaf.physical_type == "BYTE_ARRAY" and _read_as(leaf.path, columns) is not None
    ]
