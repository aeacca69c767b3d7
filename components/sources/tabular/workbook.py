"""Reads a workbook in a process of its own: `python -I workbook.py SHEET MIB SECONDS < FILE`.

A workbook of some kilobytes may state cells in its last row and column, for which the library makes
room in memory. So this process has a limit of memory and of processor time. It writes one line of
JSON for each row: the list of its cells. An object instead of a list ends the output: `sheets`
names the sheets if there is none of that name, `error` says why nothing can be read.
"""

from __future__ import annotations

import io
import json
import sys
from datetime import timedelta
from typing import Any


def main(sheet: str, mib: int, seconds: int) -> None:
    """Writes the rows of `sheet`; an empty name means the first sheet with rows."""
    _limit(mib, seconds)
    import python_calamine

    try:
        book = python_calamine.load_workbook(io.BytesIO(sys.stdin.buffer.read()))
        names = [sheet] if sheet else book.sheet_names
        if sheet and sheet not in book.sheet_names:
            _write({"sheets": book.sheet_names})
            return
        for name in names:
            is_empty = True
            for row in book.get_sheet_by_name(name).iter_rows():
                is_empty = False
                _write([_plain(cell) for cell in row])
            if not is_empty:
                break
    except MemoryError:
        _write({"error": "memory"})
    except python_calamine.PasswordError:
        _write({"error": "password"})
    except Exception:  # noqa: BLE001 - its messages may repeat what is in a cell
        _write({"error": "damaged"})
    sys.stdout.flush()


def _limit(mib: int, seconds: int) -> None:
    try:
        import resource
    except ImportError:  # not on Windows
        return
    resource.setrlimit(resource.RLIMIT_AS, (mib << 20, mib << 20))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _plain(cell: Any) -> Any:
    if isinstance(cell, float) and cell.is_integer():
        return int(cell)
    if isinstance(cell, timedelta):
        return str(cell)
    return cell.isoformat() if hasattr(cell, "isoformat") else cell


def _write(value: Any) -> None:
    sys.stdout.write(json.dumps(value) + "\n")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
