"""Kernels of core/bundle/runtimes/fast_textcnn, compiled by Numba. They run without the GIL.

Several threads may call them at once. The import compiles nothing: call the functions from
`compilation.kernels()`.

Texts are arrays of code points. A hash table with open addressing holds the vocabulary: `slots`
holds numbers of words, -1 for a free slot, and its length is a power of two. Word i has the code
points spelled[begins[i] : begins[i + 1]].
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numba
import numpy as np

if TYPE_CHECKING:
    Array = np.ndarray[Any, Any]

# FNV-1a, with a code point in place of a byte.
_FNV_START, _FNV_TIMES = np.uint64(0xCBF29CE484222325), np.uint64(0x100000001B3)
# No number is NaN: fast_textcnn checks all weights before it computes the table.
_COMPILED: Any = {"nogil": True, "error_model": "numpy", "fastmath": {"nnan", "nsz"}}
# Types of the arguments; None for those of the first call.
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
    value = _FNV_START
    for i in range(start, end):
        value = (value ^ np.uint64(points[i])) * _FNV_TIMES
    return value ^ (value >> np.uint64(32))


@numba.njit(**_COMPILED)  # type: ignore[untyped-decorator]
def _slot(
    points: Array, start: int, end: int, slots: Array, spelled: Array, begins: Array
) -> np.uint64:
    """Finds the slot of the word points[start:end], or the free slot for it."""
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
    """Fills the hash table `slots`, which is all -1 and longer than the number of words."""
    for i in range(len(begins) - 1):
        slots[_slot(spelled, begins[i], begins[i + 1], slots, spelled, begins)] = i


@numba.njit(**_COMPILED)  # type: ignore[untyped-decorator]
def read(
    points: Array, ends: Array, letters: Array, slots: Array, spelled: Array, begins: Array,
    length: int, first: int, unknown: int, ids: Array, starts: Array, words: Array, unknowns: Array,
) -> None:  # fmt: skip
    """Encodes B texts to ids.

    Args:
        points: code points of all texts, each text followed by a code point that is no letter.
        ends: (B,) end of each text in `points`.
        letters: mask over all code points, True for characters of words.
        slots, spelled, begins: hash table of the vocabulary.
        length: maximum number of words of a text.
        first: id of the first word of the vocabulary.
        unknown: id of all other words.
        ids: output, the ids of all texts, one text after the other.
        starts: output, (B + 1,) start of each text in `ids`, and the end of the last.
        words: output, (B,) number of words of each text.
        unknowns: output, (B,) number of unknown words among the ids of each text.
    """
    position, count = 0, 0
    for text in range(len(ends)):
        starts[text] = count
        words[text] = unknowns[text] = 0
        while position < ends[text]:
            if not letters[points[position]]:
                position += 1
                continue
            start = position
            while letters[points[position]]:
                position += 1
            words[text] += 1
            if words[text] <= length:
                number = slots[_slot(points, start, position, slots, spelled, begins)]
                ids[count] = first + number if number >= 0 else unknown
                unknowns[text] += number < 0
                count += 1
    starts[len(ends)] = count


@numba.njit(**_COMPILED)  # type: ignore[untyped-decorator]
def _end(ring: Array, widths: Array, words: int, best: Array) -> None:
    """Includes the phrases that the end of a text of `words` words cuts in the maxima `best`."""
    filters, first = ring.shape[1], 0
    for j in range(len(widths)):
        for t in range(max(0, words - widths[j] + 1), words):
            phrase = ring[first + t % widths[j]]
            for f in range(filters):
                best[j * filters + f] = max(best[j * filters + f], phrase[f])
        first += widths[j]


@numba.njit(**_COMPILED)  # type: ignore[untyped-decorator]
def largest(  # noqa: PLR0912 - a function call in the loop costs as much as its work
    ids: Array, starts: Array, table: Array, filters: int, widths: Array, ring: Array, sums: Array
) -> None:
    """Computes the largest sum of each filter over all phrases of a text, and the bag's sum.

    Args:
        ids: (N,) ids of all texts, one text after the other.
        starts: (B + 1,) start of each text, and the end of the last.
        table: (V, T + bag), see `_table` in core/bundle/runtimes/fast_textcnn; row 0 is 0.
        filters: number of filters of each width.
        widths: widths of the filters of all members, in words.
        ring: (sum(widths), filters), buffer for the sums of incomplete phrases.
        sums: output, (B, filters * len(widths) + bag). A filter's sum is at least 0, because each
            text ends with a phrase of padding.
    """
    # The loop reads each row of the table in order, which the processor can prefetch. So it adds
    # each word to all phrases that contain the word. Each filter width has a ring buffer of
    # incomplete phrases, as many as the width.
    filter_count = np.uint64(filters)  # unsigned, or Numba checks each index for a negative value
    for text in range(len(sums)):
        text_sums = sums[text]
        text_sums[:] = 0
        start = starts[text]
        words = starts[text + 1] - start
        for t in range(words):
            row = table[ids[start + t]]
            first = 0
            for j in range(len(widths)):
                width = widths[j]
                best = text_sums[j * filters : (j + 1) * filters]
                part = row[first * filters : (first + 1) * filters]
                if width == 1:
                    for f in range(filter_count):
                        best[f] = max(best[f], part[f])
                    first += 1
                    continue
                slot = t % width
                phrase = ring[first + slot]
                for f in range(filter_count):
                    phrase[f] = part[f]
                for i in range(1, min(width, t + 1)):  # word i of the phrase in `slot`
                    slot = slot - 1
                    if slot < 0:
                        slot = width - 1
                    phrase = ring[first + slot]
                    part = row[(first + i) * filters : (first + i + 1) * filters]
                    if i == width - 1:
                        for f in range(filter_count):
                            best[f] = max(best[f], phrase[f] + part[f])
                    else:
                        for f in range(filter_count):
                            phrase[f] += part[f]
                first += width
            part = row[first * filters :]
            bag = text_sums[len(widths) * filters :]
            for f in range(len(bag)):
                bag[f] += part[f]
        _end(ring, widths, words, text_sums)


@numba.njit(**_COMPILED)  # type: ignore[untyped-decorator]
def attributed(
    ids: Array, table: Array, filters: int, widths: Array, best: Array, gradients: Array
) -> Array:
    """Computes each word's part in the largest sums times the gradient, (N,).

    Phrases with equal largest sums share the gradient equally.

    Args:
        ids: (N,) ids of one text.
        table, filters, widths: see `largest`.
        best: (filters * len(widths),), largest sums from `largest`.
        gradients: (filters * len(widths),), gradient of the explained value by each sum.
    """
    weights = np.zeros(len(ids), np.float32)
    equal = np.zeros(len(best), np.int64)
    total = np.zeros(filters, np.float32)
    for adding in range(2):  # the first pass counts equal sums
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
                    column_index = j * filters + f
                    if best[column_index] > 0 and total[f] == best[column_index]:
                        if not adding:
                            equal[column_index] += 1
                            continue
                        for i in range(words):
                            part = table[ids[t + i], column + i * filters + f]
                            weights[t + i] += part * gradients[column_index] / equal[column_index]
                column += widths[j] * filters
    return weights
