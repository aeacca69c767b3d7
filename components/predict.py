"""Classifies the rows of a file: CSV, JSON Lines or Parquet; CSV and JSON Lines also in gzip.

The command `newsloop predict` calls this module; it is no stage. Rows are streamed, so memory does
not grow with the file. The output has every column of the input, unchanged, and three new ones. It
is written atomically: after an error there is no output.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import zlib
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any, AnyStr, Literal, Protocol, cast

from components.core import tables
from components.core.bundle import Predictions
from components.core.errors import DataError, UsageError
from components.core.params import Limits
from components.core.progress import track
from components.sources.budget import MIB, Budget, TooLarge
from components.sources.tabular.parquet_pages import DamagedPage, pages

ADDED = ("label", "confidence", "abstained", "novelty")
BATCH_ROWS = 128
CONCURRENT_BATCHES = 2  # more would wait for Python's GIL
Kind = Literal["csv", "jsonl", "parquet"]
Columns = dict[str, list[Any]]
_SUFFIXES: dict[str, Kind] = {
    ".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".parquet": "parquet",
}  # fmt: skip


class RowStream(Protocol):
    """An open input file of rows, and its output file.

    Attributes:
        total: number of rows; None where it is unknown before the last row.
    """

    total: int | None

    def batches(self) -> Iterator[tuple[list[Any], list[str | None]]]:
        """Yields up to BATCH_ROWS rows, and their texts (None for a row without text)."""

    def write(self, rows: list[Any], added: Columns) -> None:
        """Appends rows with the new columns to the output."""


def predict(
    source: Path,
    target: Path,
    answer: Callable[[Sequence[str]], Predictions],
    column: str = "text",
    prefix: str = "",
    limits: Limits = Limits(),  # noqa: B008 - frozen
) -> dict[str, int]:
    """Writes `target`: `source` with the columns ADDED, each after `prefix`.

    Args:
        source, target: of the same format, by suffix; each may end in `.gz`.
        answer: texts -> predictions; Bundle.predict.
        column: name of the column with the text. A row whose text is null or missing gets no label
            no confidence and no novelty, and counts as abstained.
        prefix: of the new columns' names.
        limits: of what a packed file unpacks to, and of one line.

    Returns:
        `rows`, `abstained`, `novel` (abstained since the text is unlike those that the model
        learned from) and `without_text`: counts.

    Raises:
        UsageError: an unknown format, two different formats, no such column, or a new column
            whose name the input has already.
        DataError: the input cannot be read; the message names the row. Nothing is written.
    """
    kind = _kind(source)
    if _kind(target) != kind:
        raise UsageError(
            f"Expected {target.name} to be of the format of {source.name}. Name both .csv, "
            ".jsonl or .parquet; .gz may follow."
        )
    counts = {"rows": 0, "abstained": 0, "novel": 0, "without_text": 0}
    names = [prefix + name for name in ADDED]

    def write(partial: Path) -> None:
        with ExitStack() as stack:
            data = stack.enter_context(_input(source, limits))
            output: IO[bytes] = stack.enter_context(partial.open("wb"))
            if _packed(target):
                packer = gzip.GzipFile("", "wb", fileobj=output, mtime=0)
                output = cast("IO[bytes]", stack.enter_context(packer))
            with _as_data_error(source, 0):
                rows = _FORMATS[kind](data, output, column, names, stack, limits)
            batches = _answered(answer, _readable(source, rows.batches()), names)
            for batch, texts, added in track(
                batches, "predict", rows.total, "rows", lambda b: len(b[1])
            ):
                rows.write(batch, added)
                counts["rows"] += len(texts)
                counts["abstained"] += sum(added[names[2]])
                counts["novel"] += sum(score is not None and score > 1 for score in added[names[3]])
                counts["without_text"] += texts.count(None)

    tables.write_atomic(target, write)
    return counts


class _Csv:
    """CSV: cells keep their text; the csv module chooses the quoting."""

    total: int | None = None

    def __init__(
        self, data: IO[bytes], output: IO[bytes], column: str, names: list[str], stack: ExitStack,
        limits: Limits,
    ) -> None:  # fmt: skip
        del stack
        csv.field_size_limit(limits.document_mib * MIB)  # a cell is an article
        self._text = io.TextIOWrapper(data, "utf-8-sig", newline="")
        self._rows = csv.reader(_lines(self._text, limits), strict=True)
        header = next(self._rows, [])
        _check_columns(header, column, names)
        self._at, self._width = header.index(column), len(header)
        self._names = names
        self._output, self._lines = output, io.StringIO(newline="")
        self._writer = csv.writer(self._lines, lineterminator="\n")
        self._writer.writerow([*header, *names])
        self._flush()

    def batches(self) -> Iterator[tuple[list[list[str]], list[str | None]]]:
        batch: list[list[str]] = []
        for row in self._rows:
            if not row:  # an empty line
                continue
            if len(row) != self._width:
                raise ValueError(f"expected {self._width} cells, got {len(row)}")
            batch.append(row)
            if len(batch) == BATCH_ROWS:
                yield batch, [cells[self._at] for cells in batch]
                batch = []
        if batch:
            yield batch, [cells[self._at] for cells in batch]

    def write(self, rows: list[list[str]], added: Columns) -> None:
        columns = [map(_cell, added[name]) for name in self._names]
        self._writer.writerows([*row, *new] for row, *new in zip(rows, *columns, strict=True))
        self._flush()

    def _flush(self) -> None:
        self._output.write(self._lines.getvalue().encode())
        self._lines.seek(0)
        self._lines.truncate()


class _JsonLines:
    """JSON Lines: each line an object; the keys may differ between lines."""

    total: int | None = None

    def __init__(
        self, data: IO[bytes], output: IO[bytes], column: str, names: list[str], stack: ExitStack,
        limits: Limits,
    ) -> None:  # fmt: skip
        del stack
        self._lines = _lines(data, limits)
        self._output, self._column, self._names = output, column, names

    def batches(self) -> Iterator[tuple[list[dict[str, Any]], list[str | None]]]:
        batch: list[dict[str, Any]] = []
        for line in self._lines:
            if not line.strip():
                continue
            row = json.loads(line)
            if not isinstance(row, dict):
                raise ValueError("expected an object")
            if taken := [name for name in self._names if name in row]:
                raise _taken(taken)
            batch.append(row)
            if len(batch) == BATCH_ROWS:
                yield batch, self._texts(batch)
                batch = []
        if batch:
            yield batch, self._texts(batch)

    def _texts(self, batch: list[dict[str, Any]]) -> list[str | None]:
        return [_text(row.get(self._column)) for row in batch]

    def write(self, rows: list[dict[str, Any]], added: Columns) -> None:
        for i, row in enumerate(rows):
            new = {name: added[name][i] for name in self._names}
            line = json.dumps({**row, **new}, ensure_ascii=False)
            # A lone surrogate has no UTF-8, so it is written as its escape.
            self._output.write(line.encode("utf-8", "backslashreplace") + b"\n")


class _Parquet:
    """Parquet: columns keep their types; several batches become one row group."""

    _GROUP = 8192  # rows of a row group

    def __init__(
        self, data: Any, output: IO[bytes], column: str, names: list[str], stack: ExitStack,
        limits: Limits,
    ) -> None:  # fmt: skip
        import pyarrow as pa
        import pyarrow.parquet as pq

        self._file = pq.ParquetFile(data)
        _check_pages(data, self._file, limits)
        self.total: int | None = self._file.metadata.num_rows
        schema = self._file.schema_arrow
        _check_columns(schema.names, column, names)
        if not (pa.types.is_string(kind := schema.field(column).type)
                or pa.types.is_large_string(kind)):  # fmt: skip
            raise UsageError(f"Expected strings in the column {column}, got {kind}.")
        self._column, self._names = column, names
        types = (pa.string(), pa.float32(), pa.bool_(), pa.float32())
        for name, type_ in zip(names, types, strict=True):
            schema = schema.append(pa.field(name, type_))
        self._schema, self._types = schema, types
        self._waiting: list[Any] = []
        self._writer = pq.ParquetWriter(output, schema, compression="zstd")
        stack.callback(self._end)

    def batches(self) -> Iterator[tuple[Any, list[str | None]]]:
        for batch in self._file.iter_batches(batch_size=BATCH_ROWS):
            yield batch, batch.column(self._column).to_pylist()

    def write(self, rows: Any, added: Columns) -> None:
        import pyarrow as pa

        new = [
            pa.array(added[name], type_)
            for name, type_ in zip(self._names, self._types, strict=True)
        ]
        self._waiting.append(pa.record_batch([*rows.columns, *new], schema=self._schema))
        if sum(batch.num_rows for batch in self._waiting) >= self._GROUP:
            self._flush()

    def _flush(self) -> None:
        import pyarrow as pa

        if self._waiting:
            self._writer.write_table(pa.Table.from_batches(self._waiting))
            self._waiting = []

    def _end(self) -> None:
        self._flush()
        self._writer.close()


_FORMATS: dict[Kind, Callable[..., RowStream]] = {
    "csv": _Csv, "jsonl": _JsonLines, "parquet": _Parquet,
}  # fmt: skip


def _added(
    answer: Callable[[Sequence[str]], Predictions], texts: list[str | None], names: list[str]
) -> Columns:
    """Computes the new columns; a row without text only has `abstained`, which is true."""
    predictions = answer([text for text in texts if text is not None])
    rows = zip(
        predictions.labels,
        predictions.confidence.tolist(),
        predictions.abstained.tolist(),
        [None] * len(predictions) if predictions.novelty is None else predictions.novelty.tolist(),
        strict=True,
    )
    all_rows = [(None, None, True, None) if text is None else next(rows) for text in texts]
    return {name: [row[i] for row in all_rows] for i, name in enumerate(names)}


def _kind(path: Path) -> Kind:
    name = Path(path.name.removesuffix(".gz"))
    kind = _SUFFIXES.get(name.suffix.lower())
    if kind is None:
        raise UsageError(
            f"Expected a file named .csv, .jsonl, .ndjson or .parquet (.gz may follow), got "
            f"{path.name}."
        )
    return kind


def _packed(path: Path) -> bool:
    return path.suffix == ".gz"


def _lines(file: IO[AnyStr], limits: Limits) -> Iterator[AnyStr]:
    """Yields the lines of `file`, or raises ValueError before one that fills the memory."""
    most = limits.document_mib * MIB
    while line := file.readline(most):
        if len(line) == most:
            raise ValueError(f"a line of more than {limits.document_mib} MiB")
        yield line


def _check_pages(file: IO[bytes], table: Any, limits: Limits) -> None:
    """Checks what the pages of a Parquet file unpack to, before they do.

    Raises:
        TooLarge: it is more than allowed.
    """
    layer = Budget(limits, file.seek(0, io.SEEK_END)).layer()
    for number in range(table.num_row_groups):
        group = table.metadata.row_group(number)
        for place in range(group.num_columns):
            for page in pages(file, group.column(place)):
                layer.take(page.unpacked)


def _input(path: Path, limits: Limits) -> IO[bytes]:
    if _packed(path) and _kind(path) == "parquet":
        raise UsageError("Expected .parquet without .gz: Parquet is packed inside already.")
    try:
        if _packed(path):
            budget = Budget(limits, path.stat().st_size)
            return budget.stream(cast("IO[bytes]", gzip.open(path)))
        return path.open("rb")
    except OSError as error:
        raise DataError(f"Expected a file to read at {path}, got: {error.strerror}.") from error


def _answered(
    answer: Callable[[Sequence[str]], Predictions],
    batches: Iterator[tuple[Any, list[str | None]]],
    names: list[str],
) -> Iterator[tuple[Any, list[str | None], Columns]]:
    """Yields `batches` with their new columns, in order; computes some while others are read."""
    waiting: deque[tuple[Any, list[str | None], Future[Columns]]] = deque()
    with ThreadPoolExecutor(CONCURRENT_BATCHES, thread_name_prefix="predict") as pool:
        for read in batches:
            waiting.append((*read, pool.submit(_added, answer, read[1], names)))
            if len(waiting) > CONCURRENT_BATCHES:
                batch, texts, added = waiting.popleft()
                yield batch, texts, added.result()
        for batch, texts, added in waiting:
            yield batch, texts, added.result()


def _readable(
    source: Path, batches: Iterator[tuple[Any, list[str | None]]]
) -> Iterator[tuple[Any, list[str | None]]]:
    """Yields `batches`; an error names the number of rows before it."""
    rows = 0
    while True:
        with _as_data_error(source, rows):
            batch = next(batches, None)
        if batch is None:
            return
        rows += len(batch[1])
        yield batch


@contextmanager
def _as_data_error(source: Path, rows: int) -> Iterator[None]:
    """Raises a DataError for errors of a damaged file; `rows` were read before the error."""
    try:
        yield
    except TooLarge as error:
        raise DataError(
            f"Expected {error.expected} in {source}, got {error}. Nothing was written. {error.todo}"
        ) from error
    except (OSError, EOFError, ValueError, csv.Error, zlib.error, DamagedPage) as error:
        cause = "bytes that are no UTF-8" if isinstance(error, UnicodeDecodeError) else str(error)
        raise DataError(
            f"Expected rows in {source}, got after the first {rows}, within the next "
            f"{BATCH_ROWS}: {cause}. Nothing was written; correct the file and run again."
        ) from error


def _check_columns(header: Sequence[str], column: str, names: list[str]) -> None:
    if column not in header:
        raise UsageError(
            f"Expected a column {column}, got {', '.join(header) or 'none'}. Name the column "
            "with the texts by --column."
        )
    if taken := [name for name in names if name in header]:
        raise _taken(taken)


def _taken(names: list[str]) -> UsageError:
    return UsageError(
        f"Expected no column {', '.join(names)} in the input, since the output adds them. Add "
        "--prefix predicted_ to give the new columns other names."
    )


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    raise ValueError(f"expected a string as the text, got {type(value).__name__}")


def _cell(value: str | float | bool | None) -> str:
    """Formats a CSV cell: empty for null, six decimals for a float, `true` and `false`."""
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.6f}"
    return str(value).lower() if isinstance(value, bool) else value
