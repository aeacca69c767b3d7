"""Rows of a Parquet file, read in batches."""

from __future__ import annotations

from collections.abc import Iterator

from components.sources.reader import FileReader, RawDocument
from components.sources.rows import document

_BATCH = 1024  # rows; of texts this is a few MiB


class ParquetReader(FileReader):
    """A row is a document. Text and label columns must be there; bad rows are marked."""

    def _rows(self) -> Iterator[RawDocument]:
        import polars as pl
        import pyarrow as pa
        import pyarrow.parquet as pq

        source = self.source
        wanted = [source.text, source.label, source.id, source.time, source.author]
        try:
            with pq.ParquetFile(self._path()) as file:
                there = file.schema_arrow.names
                for key in ("text", "label"):
                    if getattr(source, key) not in there:
                        raise self._without_column(key, there)
                columns = [name for name in dict.fromkeys(wanted) if name in there]
                number = 0
                for batch in file.iter_batches(batch_size=_BATCH, columns=columns):
                    # Polars cuts nanoseconds, which Python's datetime cannot hold.
                    frame = pl.DataFrame(pl.from_arrow(batch))
                    for row in frame.iter_rows(named=True):
                        number += 1
                        yield document(row, number, source)
        except (pa.ArrowException, pl.exceptions.PolarsError, OSError, UnicodeError) as error:
            raise self._unreadable(error) from error
