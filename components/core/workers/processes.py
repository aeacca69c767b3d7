"""Maps batches in this process, or in several processes of this machine."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Sequence
from concurrent.futures import BrokenExecutor, Future, ProcessPoolExecutor
from multiprocessing.connection import wait
from typing import Any, Generic

from components.core.errors import NewsloopError, ScrubError
from components.core.workers.base import AHEAD, R, Task, Work, failed

BATCH_SECONDS = 3600.0  # of a batch and those before it: a process that needs more hangs


class InProcess(Generic[R]):
    """Runs a batch in this process when its result is requested."""

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
    """Runs batches in `count` processes of this machine.

    A process that dies (killed, out of memory) breaks its pool. A new pool then gets every batch
    without a result again.
    """

    def __init__(self, work: Work[R], count: int, attempts: int) -> None:
        self._work, self._count, self._attempts = work, count, attempts
        self._open: list[Task[R]] = []  # submitted, result not yet taken, in order
        self._deaths = 0  # since the last result
        self._pool = self._new_pool()

    @property
    def ahead(self) -> int:
        return AHEAD * self._count

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
                done = future.result(BATCH_SECONDS)
            except TimeoutError:
                raise ScrubError(
                    f"Expected a batch from a worker process within {BATCH_SECONDS / 60:g} minutes,"
                    " none came. Lower ingest.scrub.batch or ingest.scrub.workers, and run again: "
                    "what was scrubbed before is remembered."
                ) from None
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
    """Ends this worker when its parent is killed; without this it would wait for work forever."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def watch() -> None:
        wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
