"""Progress on long work: a bar on a terminal, a line now and then in a log."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from tqdm import tqdm

T = TypeVar("T")
_LOG_EVERY = 10.0  # seconds, where nobody watches


def track(
    items: Iterable[T],
    what: str,
    total: int | None = None,
    unit: str = "documents",
    size: Callable[[T], int] = lambda _: 1,
) -> Iterator[T]:
    """Yields `items` and shows how far they are, and how fast, on stderr.

    A stage below DVC has no terminal of its own: NEWSLOOP_WATCHED says that its output reaches one.

    Args:
        total: units in all; None where nobody knows before the last one came.
        size: units in an item, such as the rows of a batch.
    """
    if sys.stderr.isatty() or os.environ.get("NEWSLOOP_WATCHED"):
        with tqdm(desc=what, total=total, unit=f" {unit}", ncols=88, leave=False) as bar:
            for item in items:
                yield item
                bar.update(size(item))
        return
    started = shown = time.monotonic()
    done = 0
    for item in items:
        yield item
        done += size(item)
        now = time.monotonic()
        if now - shown >= _LOG_EVERY:
            shown = now
            of = "" if total is None else f" of {total}"
            say(f"{what}: {done}{of} {unit}, {done / (now - started):.0f} a second")


def say(line: str) -> None:
    """One line for the person who watches, on stderr."""
    print(line, file=sys.stderr, flush=True)  # noqa: T201 - this is where printing lives
