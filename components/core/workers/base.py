"""The interface that all workers share: a task, and where its results are asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from components.core.errors import ScrubError

SCHEDULER = "NEWSLOOP_DASK_SCHEDULER"
R = TypeVar("R")
Work = Callable[[Sequence[str]], list[R]]  # must be picklable, and the same on every call
AHEAD = 2  # batches a worker: one in hand, one waiting, so that nobody idles


@dataclass(eq=False)
class Task(Generic[R]):
    """One batch that was handed in; its `handle` belongs to the workers that took it."""

    batch: Sequence[str]
    handle: Any = None


class Workers(Protocol[R]):
    """Who does the work. `with` ends them; what was not asked for is thrown away."""

    @property
    def ahead(self) -> int:
        """How many batches to hand in before the first result is asked for."""

    def submit(self, batch: Sequence[str]) -> Task[R]:
        """Hands a batch in; returns at once."""

    def result(self, task: Task[R]) -> list[R]:
        """Waits for a task's results.

        Raises:
            ScrubError: the work failed, or its workers died too often; no message holds a text.
        """

    def __enter__(self) -> Workers[R]: ...

    def __exit__(self, *_: object) -> None: ...


def failed(error: Exception, name: str = "") -> ScrubError:
    """What is said of a batch that failed; the error's own message may hold a text, so it is not
    repeated.
    """
    return ScrubError(
        f"Expected a batch of texts to be scrubbed, got {name or type(error).__name__}. Nothing of "
        "it was kept; what was scrubbed before is remembered, so run again."
    )
