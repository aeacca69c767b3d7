"""Loops that Numba compiles, for core/bundle/runtimes/fast_textcnn. They run without Python's lock.

All threads that predict may call them at once. Nothing is compiled on import: the functions come
from `compilation.kernels()`.

Texts come as code points. Words are looked up in an open-addressed hash table: `slots` holds
numbers of words, -1 where there is none, and is a power of two long; word i is the code points
spelled[begins[i] : begins[i + 1]].
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numba
import numpy as np

if TYPE_CHECKING:
    Array = np.ndarray[Any, Any]

# FNV-1a, with a code point in place of a byte.
_FNV_START, _FNV_TIMES = np.uint64(0xCBF29CE484222325), np.uint64(0x100000001B3)
# No number is NaN: fast_textcnn checks all of the table when it is made.
_COMPILED: Any = {"nogil": True, "error_model": "numpy", "fastmath": {"nnan", "nsz"}}
# The types of the arguments; None: those of the first call.
SIGNATURES = {
    "index": "void(uint32[::1], int64[::1], int32[::1])",
    "read": "void(uint32[::1], int64[::1], boolean[::1], int32[::1], uint32[::1], int64[::1],"
    " int64, int32, int32, int32[::1], int64[::1], int32[::1], int32[::1])",
    "largest": "void(int32[::1], int64[::1], float32[:, ::1], int64, int64[::1], float32[:, ::1],"
    " float32[:, ::1])",
    "attributed": None,
}


@numba.njit(**_COMPILED)  # type: ignore[untyped-decorator]
def _hash(points: Array, start: int, end: int) -> Any:
    found = _FNV_START
    for i in range(start, end):
        found = (found ^ np.uint64(points[i])) * _FNV_TIMES
    return found ^ (found >> np.uint64(32))


@numba.njit(**_COMPILED)  # type: ignore[untyped-decorator]
def _slot(
    points: Array, start: int, end: int, slots: Array, spelled: Array, begins: Array
) -> np.uint64:
    """The slot where the word points[start:end] is, or the free one where it would be."""
    last = np.uint64(len(slots) - 1)
    slot = _hash(points, start, end) & last
    while slots[slot] >= 0:
        begin = begins[slots[slot]]
        if begins[slots[slot] + 1] - begin == end - start:
            i = 0
            while i < end - start and points[start + i] == spelled[begin + i]:
                i += 1
            if i == end - start:
                break
        slot = (slot + np.uint64(1)) & last
    return slot  # type: ignore[no-any-return]


@numba.njit(**_COMPILED)  # type: ignore[untyped-decorator]
def index(spelled: Array, begins: Array, slots: Array) -> None:
    """Fills `slots`, all -1 and more than there are words; see the file's head."""
    for i in range(len(begins) - 1):
        slots[_slot(spelled, begins[i], begins[i + 1], slots, spelled, begins)] = i


@numba.njit(**_COMPILED)  # type: ignore[untyped-decorator]
def read(
    points: Array, ends: Array, letters: Array, slots: Array, spelled: Array, begins: Array,
    length: int, first: int, unknown: int, ids: Array, starts: Array, words: Array, unknowns: Array,
) -> None:  # fmt: skip
    """The words of B texts.

    Args:
        points: of all texts, one after the other, each followed by one that is no letter.
        ends: (B,) where each text ends in `points`.
        letters: of each code point, whether it is a part of words.
        slots, spelled, begins: the words that are known.
        length: words of a text that are read.
        first, unknown: ids of the first word that is known, and of all that are not.
        ids: is filled with those of the words read, one text after the other.
        starts: (B + 1,), is filled with where the texts begin in `ids`, and the end of the last.
        words, unknowns: (B,), are filled: how many words a text has; how many of those that were
            read are not known.
    """
    place, count = 0, 0
    for text in range(len(ends)):
        starts[text] = count
        words[text] = unknowns[text] = 0
        while place < ends[text]:
            if not letters[points[place]]:
                place += 1
                continue
            start = place
            while letters[points[place]]:
                place += 1
            words[text] += 1
            if words[text] <= length:
                number = slots[_slot(points, start, place, slots, spelled, begins)]
                ids[count] = first + number if number >= 0 else unknown
                unknowns[text] += number < 0
                count += 1
    starts[len(ends)] = count


@numba.njit(**_COMPILED)  # type: ignore[untyped-decorator]
def _end(begun: Array, widths: Array, words: int, best: Array) -> None:
    """What the end of a text has cut, of so many words, may be largest, too."""
    filters, first = begun.shape[1], 0
    for j in range(len(widths)):
        for t in range(max(0, words - widths[j] + 1), words):
            phrase = begun[first + t % widths[j]]
            for f in range(filters):
                best[j * filters + f] = max(best[j * filters + f], phrase[f])
        first += widths[j]


@numba.njit(**_COMPILED)  # type: ignore[untyped-decorator]
def largest(  # noqa: PLR0912 - a loop that is a function of its own costs as much as it does
    ids: Array, starts: Array, table: Array, filters: int, widths: Array, begun: Array, found: Array
) -> None:
    """The largest sum of each filter over all phrases of a text, and the sum of its bags.

    Args:
        ids: (N,) of the words of all texts, one text after the other.
        starts: (B + 1,) where each text begins, and the end of the last.
        table: (V, T + bag) as core/bundle/runtimes/fast_textcnn has it; its row 0 is 0.
        filters: of each width.
        widths: words that the filters see, of all members.
        begun: (sum(widths), filters), room for sums of phrases that are not complete.
        found: (B, filters * len(widths) + bag), is filled. A sum of a filter is 0 at least, because
            each text ends with a phrase of nothing.
    """
    # A row of the table is read from its beginning to its end, which the processor foresees. So
    # each word is added to all phrases that it is a part of; those of one filter that are begun
    # and not ended are kept in a ring, as many as the filter sees words.
    each = np.uint64(filters)  # without a sign, or each place would be asked for it
    for text in range(len(found)):
        best_of_all = found[text]
        best_of_all[:] = 0
        start = starts[text]
        words = starts[text + 1] - start
        for t in range(words):
            row = table[ids[start + t]]
            first = 0
            for j in range(len(widths)):
                width = widths[j]
                best = best_of_all[j * filters : (j + 1) * filters]
                part = row[first * filters : (first + 1) * filters]
                if width == 1:
                    for f in range(each):
                        best[f] = max(best[f], part[f])
                    first += 1
                    continue
                slot = t % width
                phrase = begun[first + slot]
                for f in range(each):
                    phrase[f] = part[f]
                for i in range(1, min(width, t + 1)):  # it is the i-th word of what is in `slot`
                    slot = slot - 1
                    if slot < 0:
                        slot = width - 1
                    phrase = begun[first + slot]
                    part = row[(first + i) * filters : (first + i + 1) * filters]
                    if i == width - 1:
                        for f in range(each):
                            best[f] = max(best[f], phrase[f] + part[f])
                    else:
                        for f in range(each):
                            phrase[f] += part[f]
                first += width
            part = row[first * filters :]
            bag = best_of_all[len(widths) * filters :]
            for f in range(len(bag)):
                bag[f] += part[f]
        _end(begun, widths, words, best_of_all)


@numba.njit(**_COMPILED)  # type: ignore[untyped-decorator]
def attributed(
    ids: Array, table: Array, filters: int, widths: Array, best: Array, gradients: Array
) -> Array:
    """(N,): each word's part in the largest sums, times the gradient. Equal largest sums share.

    Args:
        ids: (N,) of the words of one text.
        table, filters, widths: as `largest` has them.
        best: (filters * len(widths),), the largest sums that it found.
        gradients: (filters * len(widths),), of what is explained by each sum.
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
                            found[t + i] += part * gradients[at] / equal[at]
                column += widths[j] * filters
    return found
