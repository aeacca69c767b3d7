"""Progress on long work: a bar on a terminal, a line now and then in a log."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

from tqdm import tqdm

T = TypeVar("T")
_LOG_EVERY = 10.0  # seconds, where nobody watches


def track(items: Iterable[T], what: str, total: int, unit: str = "documents") -> Iterator[T]:
    """Yields `items` and shows how far they are on stderr.

    A stage below DVC has no terminal of its own: NEWSLOOP_WATCHED says that its output reaches one.
    """
    if sys.stderr.isatty() or os.environ.get("NEWSLOOP_WATCHED"):
        yield from tqdm(items, desc=what, total=total, unit=f" {unit}", ncols=88, leave=False)
        return
    started = shown = time.monotonic()
    for done, item in enumerate(items, start=1):
        yield item
        now = time.monotonic()
        if now - shown >= _LOG_EVERY:
            shown = now
            rate = done / (now - started)
            say(f"{what}: {done} of {total} {unit}, {rate:.0f} a second")


def say(line: str) -> None:
    """One line for the person who watches, on stderr."""
    print(line, file=sys.stderr, flush=True)  # noqa: T201 - this is where printing lives
