"""The interface of all workers: tasks and their results."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from components.core.errors import ScrubError

SCHEDULER = "NEWSLOOP_DASK_SCHEDULER"
R = TypeVar("R")
Work = Callable[[Sequence[str]], list[R]]  # must be picklable, and the same on every call
AHEAD = 2  # batches for each worker: one in work, one in the queue, so that no worker idles


@dataclass(eq=False)
class Task(Generic[R]):
    """A submitted batch; only the workers that took it read its `handle`."""

    batch: Sequence[str]
    handle: Any = None


class Workers(Protocol[R]):
    """Workers, as a context manager: its end stops them and discards open tasks."""

    @property
    def ahead(self) -> int:
        """The number of batches to submit before the first call of `result`."""

    def submit(self, batch: Sequence[str]) -> Task[R]:
        """Submits a batch; returns at once."""

    def result(self, task: Task[R]) -> list[R]:
        """Waits for a task's results.

        Raises:
            ScrubError: the work failed, or its workers died too often; no message holds a text.
        """

    def __enter__(self) -> Workers[R]: ...

    def __exit__(self, *_: object) -> None: ...


def failed(error: Exception, name: str = "") -> ScrubError:
    """Makes the error of a failed batch without the message of its cause, which may hold a text."""
    return ScrubError(
        f"Expected a batch of texts to be scrubbed, got {name or type(error).__name__}. Nothing of "
        "it was kept; texts that were scrubbed before are cached, so run again."
    )
