"""Splits by a column: the official split of a data set, so that a benchmark can be repeated.

A document lies on the side that its source names by `part` or `fixed_part`. If no document names
the validation side, or none the test side, a hash of the text carves it out of the train part. A
document without a part, such as a label from people, is placed by the same hash on any side.
"""

from __future__ import annotations

from collections.abc import Sequence

from components.core import params as parameters
from components.core.errors import DataError
from components.split import by_time

# The order in which texts are placed: of a text in several parts, the first part keeps its copy,
# so that no text of the test side is learned from.
RANK: dict[str | None, int] = {"test": 0, "validation": 1, "train": 2, None: 3}
_ROUNDING = 2**-50


def sides_of_parts(parts: Sequence[str | None]) -> dict[str | None, tuple[str, ...]]:
    """Returns the sides that the documents of each part may lie on.

    Raises:
        DataError: no document has the part train.

    >>> sides_of_parts(["train", "test", None])["train"]
    ('train', 'validation')
    """
    sides = ("train", "validation", "test")
    if "train" not in parts:
        raise DataError(
            f"Expected documents of the part train for split.by: column, got {len(parts)} documents"
            " without it. Name their column with `part`, or set `fixed_part` for a file, under "
            "ingest.sources; or set split.by: content."
        )
    carved = tuple(side for side in sides if side == "train" or side not in parts)
    return {"train": carved, "validation": ("validation",), "test": ("test",), None: sides}


def position_on(x: float, sides: Sequence[str], settings: parameters.Split) -> float:
    """Maps `x` in [0, 1) linearly to the intervals of [0, 1) that belong to `sides`.

    >>> class Shares: test_share, validation_share = 0.25, 0.25
    >>> [position_on(x, ("train", "test"), Shares) for x in (0.0, 0.25, 0.5)]
    [0.0, 0.1875, 0.625]
    """
    intervals = sorted(by_time.bounds(side, settings) for side in sides)
    x *= sum(high - low for low, high in intervals)
    for low, high in intervals:
        if x < high - low:
            return min(low + x, high - _ROUNDING)  # `high` belongs to the next side
        x -= high - low
    return intervals[-1][1] - _ROUNDING
