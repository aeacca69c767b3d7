"""Loops that Numba compiles, for core/shortcut.py. They run without Python's lock.

All threads that predict may call them at once. They are compiled when they are first needed, in
less than a second, for the processor at hand; nothing compiled is kept on the disk.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numba
import numpy as np

if TYPE_CHECKING:
    Array = np.ndarray[Any, Any]

# No number here is NaN: core/shortcut.py looks at all of the table when it is made.
_COMPILED: Any = {"nogil": True, "error_model": "numpy", "fastmath": {"nnan", "nsz"}}


@numba.njit(
    "void(int32[::1], int64[::1], float32[:, ::1], int64, int64[::1], float32[:, ::1])",
    **_COMPILED,
)
def largest(
    ids: Array, starts: Array, table: Array, filters: int, widths: Array, found: Array
) -> None:
    """The largest sum of each filter over all phrases of a text, and the sum of its bags.

    Args:
        ids: (N,) of the words of all texts, one text after the other.
        starts: (B + 1,) where each text begins, and the end of the last.
        table: (V, T + bag) as core/shortcut.py has it; its row 0 is 0.
        filters: of each width.
        widths: words that the filters see, of all members.
        found: (B, filters * len(widths) + bag), is filled. A sum of a filter is 0 at least, because
            each text ends with a phrase of nothing.
    """
    count = np.uint64(filters)
    part = np.empty(count, np.float32)
    first_bag, bag_at = widths.sum() * filters, len(widths) * filters
    for text in range(len(found)):
        found[text] = 0
        end = starts[text + 1]
        bag = found[text, bag_at:]
        for t in range(starts[text], end):
            row = table[ids[t], first_bag:]
            for f in range(len(bag)):
                bag[f] += row[f]
        column = np.uint64(0)
        for j in range(len(widths)):
            width = widths[j]
            best = found[text, j * filters : (j + 1) * filters]
            for t in range(starts[text], end):
                so_far = table[ids[t], column : column + count]
                place = column + count
                for i in range(t + 1, t + width):
                    row = table[ids[i] if i < end else 0, place : place + count]
                    if i == t + width - 1:
                        for f in range(count):
                            best[f] = max(best[f], so_far[f] + row[f])
                    else:
                        for f in range(count):
                            part[f] = so_far[f] + row[f]
                        so_far = part
                        place += count
                if width == 1:
                    for f in range(count):
                        best[f] = max(best[f], so_far[f])
            column += np.uint64(width) * count


@numba.njit(**_COMPILED)  # type: ignore[untyped-decorator]
def shared(
    ids: Array, table: Array, filters: int, widths: Array, best: Array, worth: Array
) -> Array:
    """(N,): what each word's part in the largest sums is worth. Equal largest sums share.

    Args:
        ids: (N,) of the words of one text.
        table, filters, widths: as `largest` has them.
        best: (filters * len(widths),), the largest sums that it found.
        worth: of each filter, for each unit of its sum.
    """
    found = np.zeros(len(ids), np.float32)
    equal = np.zeros(len(best), np.int64)
    total = np.zeros(filters, np.float32)
    for adding in range(2):  # first the equal ones are counted
        for t in range(len(ids)):
            column = 0
            for j in range(len(widths)):
                words = min(widths[j], len(ids) - t)
                total[:] = 0
                for i in range(words):
                    row = table[ids[t + i], column + i * filters :]
                    for f in range(filters):
                        total[f] += row[f]
                for f in range(filters):
                    at = j * filters + f
                    if best[at] > 0 and total[f] == best[at]:
                        if not adding:
                            equal[at] += 1
                            continue
                        for i in range(words):
                            part = table[ids[t + i], column + i * filters + f]
                            found[t + i] += part * worth[at] / equal[at]
                column += widths[j] * filters
    return found
