"""Rows of a workbook of Excel or LibreOffice: .xlsx, .xlsb, .xls, .ods."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from itertools import chain
from pathlib import Path
from typing import IO, Any

from components.core.errors import SourceError
from components.core.params.sources import AUTO
from components.sources.packed import Zip
from components.sources.reader import printable
from components.sources.row_files import FileReader, Table
from components.sources.rows import Columns
from components.sources.streams import BLOCK, drain
from components.sources.tabular import workbook
from components.sources.tabular.columns import named_columns, numbered
from components.sources.tabular.dialect import has_header, is_sure

_MEMORY_MIB = 1024  # of the process that opens the workbook
_SECONDS = 600  # of processor time, for that process
_HEADER_ROWS = 200
_REASONS = {
    "password": ("a workbook with a password", "Save it without one."),
    "damaged": ("a damaged workbook", "Open it in its program and save it again, or as CSV."),
    "memory": (
        f"one that needs more than {_MEMORY_MIB} MiB of memory",
        "Save the sheet as CSV, and set `kind: csv`.",
    ),
}


class ExcelReader(FileReader):
    """A row of a sheet is a document. Text and label columns must be there.

    Rows above the header that have one cell, such as a title, are passed over.
    """

    suffixes = (".xlsx", ".xlsb", ".xls", ".ods")
    streams = False

    def _table(self, file: IO[bytes], wanted: Columns | None) -> Table:
        rows = enumerate(self._cells(file), start=1)
        head = []
        for number, cells in rows:
            if any(_is_filled(cell) for cell in cells):
                head.append((number, cells))
            if len(head) >= _HEADER_ROWS:
                break
        # A title has a cell of its own.
        start = next((place for place, (_, cells) in enumerate(head) if _filled(cells) > 1), 0)
        head = head[start:]
        first = [str(cell) for cell in head[0][1]] if head else []
        header = self._has_header(first, [cells for _, cells in head], wanted)
        columns, repeated = named_columns(first) if header else (numbered(first), {})
        return Table(
            self._rows_of(chain(head[1:] if header else head, rows), columns),
            columns,
            repeated,
            unnamed=bool(head) and not header and self.source.header in (None, AUTO),
            sure=self.source.header is not None
            or is_sure([[str(cell) for cell in cells] for _, cells in head]),
        )

    def _has_header(
        self, first: Sequence[str], head: Sequence[Sequence[Any]], wanted: Columns | None
    ) -> bool:
        if isinstance(self.source.header, bool):
            return self.source.header
        if wanted is not None and wanted.needed.keys() <= set(first):
            return True
        used = [place for place, cell in enumerate(first) if cell]
        return has_header([[str(row[place]) for place in used] for row in head])

    def _rows_of(
        self, rows: Iterator[tuple[int, Sequence[Any]]], columns: Sequence[str]
    ) -> Iterator[tuple[int, Mapping[str, Any]]]:
        for number, cells in rows:
            if any(map(_is_filled, cells)):
                yield number, dict(zip(columns, cells, strict=False))

    def _cells(self, file: IO[bytes]) -> Iterator[list[Any]]:
        """Yields the cells of each row of the sheet, as its process writes them."""
        with self._process(file) as process:
            assert process.stdout is not None
            for line in process.stdout:
                cells = json.loads(line)
                if isinstance(cells, dict):
                    raise self._refused(cells)
                yield cells
            status = process.wait()
        if status:
            is_slow = -status in (signal.SIGXCPU, signal.SIGKILL)
            raise self._refused({"error": "damaged" if is_slow else "memory"})

    @contextmanager
    def _process(self, file: IO[bytes]) -> Iterator[subprocess.Popen[bytes]]:
        self._check_sizes(file)
        arguments = [self.source.sheet or "", str(_MEMORY_MIB), str(_SECONDS)]
        process = subprocess.Popen(
            [sys.executable, "-I", str(Path(workbook.__file__)), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            with suppress(BrokenPipeError):  # it died, and its status says of what
                while part := file.read(BLOCK):
                    process.stdin.write(part)
                process.stdin.close()
            yield process
        finally:
            process.kill()
            with suppress(BrokenPipeError):
                process.stdin.close()
            process.stdout.close()
            process.wait()

    def _check_sizes(self, file: IO[bytes]) -> None:
        """Unpacks what the workbook packs once, and counts it; nothing is kept.

        Raises:
            TooLarge: it is more than allowed.
        """
        is_zip = file.read(2) == b"PK"
        file.seek(0)
        if is_zip:
            for _, _, content in Zip(file, "", lambda _name: True, self._budget):
                drain(content)
            file.seek(0)

    def _refused(self, reason: Mapping[str, Any]) -> SourceError:
        if "sheets" in reason:
            return self._error(
                f"a sheet {self.source.sheet!r} in {self._shown}",
                f"only {', '.join(printable(name) for name in reason['sheets'])}",
                "Name one of them by `sheet:` in this source's entry in params.yaml.",
            )
        came, todo = _REASONS[reason["error"]]
        return self._error(f"a readable workbook at {self._shown}", came, todo)


def _is_filled(cell: Any) -> bool:
    return cell is not None and cell != ""


def _filled(cells: Sequence[Any]) -> int:
    return sum(map(_is_filled, cells))
