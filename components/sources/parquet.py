"""Rows of a Parquet file, read in batches; plain, in .gz or in .zip."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO

from components.sources.files import FileReader
from components.sources.reader import RawDocument
from components.sources.rows import document, needed

_BATCH = 1024  # rows; of texts this is a few MiB


class ParquetReader(FileReader):
    """A row is a document. Text and label columns must be there; bad rows are marked."""

    suffixes = (".parquet",)
    streams = False

    def _rows(self, file: IO[bytes], prefix: str) -> Iterator[RawDocument]:
        import polars as pl
        import pyarrow as pa
        import pyarrow.parquet as pq

        source = self.source
        wanted = [source.text, source.label, source.id, source.time, source.author]
        # Going back in a packed file means to unpack it anew from its beginning: there, a row group
        # is fetched as a whole.
        packed = self._file().name.lower().endswith((".gz", ".zip"))
        try:
            with pq.ParquetFile(file, pre_buffer=packed) as table:
                there = table.schema_arrow.names
                for key in needed(source):
                    if getattr(source, key) not in there:
                        raise self._without_column(key, there)
                columns = [name for name in dict.fromkeys(wanted) if name in there]
                number = 0
                for group in range(table.num_row_groups):
                    for batch in table.iter_batches(_BATCH, row_groups=[group], columns=columns):
                        # Polars cuts nanoseconds, which Python's datetime cannot hold.
                        frame = pl.DataFrame(pl.from_arrow(batch))
                        for row in frame.iter_rows(named=True):
                            number += 1
                            yield document(row, number, source, prefix)
        except (pa.ArrowException, pl.exceptions.PolarsError, UnicodeError) as error:
            raise self._unreadable(error) from error
