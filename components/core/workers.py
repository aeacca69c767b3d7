"""Map work: batches in, results out, on this process, on others, or on a Dask cluster.

    in this process              workers is 1
    processes of this machine    workers is more than 1
    a Dask cluster               NEWSLOOP_DASK_SCHEDULER names it; see core/dask_workers.py

Whoever hands batches in asks for their results in the same order, so results never depend on which
worker was quick. A worker that dies takes nothing with it: its batches are done again.
"""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import BrokenExecutor, Future, ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import cache
from multiprocessing.connection import wait
from typing import Any, Generic, Protocol, TypeVar

from components.core import params as parameters
from components.core.errors import NewsloopError, ScrubError
from components.core.scrub import Scrubbed, Scrubber, policy_hash

SCHEDULER = "NEWSLOOP_DASK_SCHEDULER"
R = TypeVar("R")
Work = Callable[[Sequence[str]], list[R]]  # must be picklable, and the same on every call
_AHEAD = 2  # batches a worker: one in hand, one waiting, so that nobody idles


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


def open_workers(work: Work[R], count: int, attempts: int, seconds: float) -> Workers[R]:
    """The workers for `work`.

    Args:
        work: what is done with a batch, in its order; a function or object that pickle can name.
        count: processes of this machine, 1 for this process; a Dask cluster has its own number.
        attempts: how often a batch is tried on local processes before their dying is an error.
        seconds: how long to wait for a Dask cluster that has no worker.

    Raises:
        ScrubError: the Dask cluster cannot be reached or would write raw texts to a disk.
    """
    address = os.environ.get(SCHEDULER)
    if address:
        from components.core.dask_workers import DaskWorkers

        return DaskWorkers(work, address, seconds)
    return InProcess(work) if count == 1 else Processes(work, count, attempts)


class InProcess(Generic[R]):
    """Works here, when a result is asked for: nothing is copied to another process."""

    ahead = 1

    def __init__(self, work: Work[R]) -> None:
        self._work = work

    def submit(self, batch: Sequence[str]) -> Task[R]:
        return Task(batch)

    def result(self, task: Task[R]) -> list[R]:
        try:
            return self._work(task.batch)
        except NewsloopError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it was, nothing passes
            raise failed(error) from None

    def __enter__(self) -> InProcess[R]:
        return self

    def __exit__(self, *_: object) -> None:
        return


class Processes(Generic[R]):
    """Works on `count` processes of this machine.

    A process that dies (killed, out of memory) breaks its whole pool. The pool is made anew and
    gets every batch again whose result is not there yet.
    """

    def __init__(self, work: Work[R], count: int, attempts: int) -> None:
        self._work, self._count, self._attempts = work, count, attempts
        self._open: list[Task[R]] = []  # handed in, not yet asked for, in order
        self._deaths = 0  # since the last result
        self._pool = self._new_pool()

    @property
    def ahead(self) -> int:
        return _AHEAD * self._count

    def submit(self, batch: Sequence[str]) -> Task[R]:
        task = Task[R](batch)
        self._open.append(task)
        try:
            task.handle = self._pool.submit(self._work, batch)
        except BrokenExecutor:
            self._start_anew()
        return task

    def result(self, task: Task[R]) -> list[R]:
        while True:
            future: Future[list[R]] = task.handle
            try:
                done = future.result()
            except BrokenExecutor:
                self._start_anew()
            except NewsloopError as error:
                # Without the cause: the worker's traceback, which may show a text.
                raise type(error)(*error.args) from None
            except Exception as error:  # noqa: BLE001 - whatever it was, nothing passes
                raise failed(error) from None
            else:
                self._deaths = 0
                self._open.remove(task)
                return done

    def _start_anew(self) -> None:
        self._deaths += 1
        if self._deaths >= self._attempts:
            raise ScrubError(
                f"Expected {self._count} worker processes to live, one died {self._deaths} times "
                "without a batch done in between: killed, or out of memory. Nothing unscrubbed "
                "was kept. Lower ingest.scrub.workers or ingest.scrub.batch, or free memory, and "
                "run again."
            ) from None
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._pool = self._new_pool()
        for task in self._open:
            if not _has_result(task.handle):
                task.handle = self._pool.submit(self._work, task.batch)

    def _new_pool(self) -> ProcessPoolExecutor:
        # Not fork: the parent has threads (Polars, Arrow), whose locks a child would inherit.
        context = multiprocessing.get_context("spawn")
        return ProcessPoolExecutor(self._count, context, initializer=_end_with_parent)

    def __enter__(self) -> Processes[R]:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)


def _has_result(future: Future[Any] | None) -> bool:
    return bool(future and future.done() and not future.cancelled() and future.exception() is None)


def _end_with_parent() -> None:
    """A worker whose parent was killed waits for work for ever; a thread watches for that."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def watch() -> None:
        wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def failed(error: Exception, name: str = "") -> ScrubError:
    """What is said of a batch that failed; the error's own message may hold a text, so it is not
    repeated.
    """
    return ScrubError(
        f"Expected a batch of texts to be scrubbed, got {name or type(error).__name__}. Nothing of "
        "it was kept; what was scrubbed before is remembered, so run again."
    )


@dataclass(frozen=True)
class ScrubWork:
    """Scrubs batches; the scrubber is loaded once a process, with the first batch.

    Attributes:
        settings: ingest.scrub, as JSON.
        policy: its `scrub.policy_hash` where the work was made. A process elsewhere whose rules or
            libraries differ would scrub otherwise: it refuses.
        secret: key of the pseudonyms; None where the policy has none, so that it need not travel.
    """

    settings: str
    policy: str
    secret: bytes | None = field(default=None, repr=False)

    @classmethod
    def of(cls, settings: parameters.Scrub, secret: bytes) -> ScrubWork:
        needs_key = "pseudonym" in settings.entities.values()
        return cls(settings.model_dump_json(), policy_hash(settings), secret if needs_key else None)

    def __call__(self, texts: Sequence[str]) -> list[Scrubbed]:
        # One batch at a time enters the models, which are not made for threads. The tagger's
        # products are small: two threads for one of them cost half as much again as one thread,
        # and here each process has a core of its own.
        with _one_at_a_time:
            scrubber, libraries = _loaded(self)
            with libraries.limit(limits=1, user_api="blas"):
                return scrubber.scrub_many(texts)


_one_at_a_time = threading.Lock()


@cache
def _loaded(work: ScrubWork) -> tuple[Scrubber, Any]:
    """The scrubber, and the libraries of linear algebra that came with it."""
    from threadpoolctl import ThreadpoolController

    settings = parameters.Scrub.model_validate_json(work.settings)
    found = policy_hash(settings)
    if found != work.policy:
        raise ScrubError(
            f"Expected a worker with the scrubbing rules {work.policy[:12]}, got one with "
            f"{found[:12]}: another version of newsloop or Presidio. Install the same release on "
            "every machine of the cluster, then run again."
        )
    scrubber = Scrubber(settings, work.secret)
    return scrubber, ThreadpoolController()
