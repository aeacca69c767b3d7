"""Micro-batching: texts of requests that come together are computed together.

BentoML's own adaptive batching could swap a model in one process too, but it splits a request over
two batches, so that two models may answer it and none can be named, and cancels requests that its
estimate of the latency calls late; hence this queue of whole requests.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Generic, TypeVar

M = TypeVar("M")  # the model that answered
A = TypeVar("A")  # its answer to one text


@dataclass
class _Request(Generic[M, A]):
    texts: Sequence[str]
    future: asyncio.Future[tuple[M, Sequence[A]]]
    arrived: float  # seconds, by the loop's clock
    begun: float = 0  # when its batch was begun


class Batcher(Generic[M, A]):
    """Collects requests, computes them on one thread, and gives each its own answers.

    A request is never split, so that one model answers all of it; one with more than `max_batch`
    texts is computed alone. A request that comes alone does not wait: only when the batch before
    it had company does the next one wait for more, `max_wait_ms` at most.

    Args:
        compute: texts -> the model that answered and one answer a text; runs on the one thread.
        max_batch: texts computed together.
        max_wait_ms: milliseconds that a request waits for company.
        tell: called for each batch with its texts and the seconds that each request waited.
        timed: called in the request's own context with the moments, by the loop's clock, when it
            arrived, when its batch was begun, and when it had its answer.
    """

    def __init__(
        self,
        compute: Callable[[list[str]], tuple[M, Sequence[A]]],
        max_batch: int,
        max_wait_ms: float,
        tell: Callable[[int, Sequence[float]], object] = lambda *_: None,
        timed: Callable[[float, float, float], object] = lambda *_: None,
    ) -> None:
        self._compute, self._tell, self._timed = compute, tell, timed
        self._max_batch = max_batch
        self._max_wait = max_wait_ms / 1000
        self._waiting: deque[_Request[M, A]] = deque()
        self._texts_waiting = 0
        self._arrived = asyncio.Event()
        self._had_company = False
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="batcher")
        self._task: asyncio.Task[None] | None = None

    @property
    def waiting(self) -> int:
        """Texts that no batch has taken yet."""
        return self._texts_waiting

    async def answer(self, texts: Sequence[str]) -> tuple[M, Sequence[A]]:
        """The model that answered and its answers, in the order of `texts`.

        Raises:
            Exception: whatever `compute` raised for these texts.
        """
        if self._task is None:
            self._task = asyncio.create_task(self._run())
        loop = asyncio.get_running_loop()
        future: asyncio.Future[tuple[M, Sequence[A]]] = loop.create_future()
        request = _Request(texts, future, loop.time())
        self._waiting.append(request)
        self._texts_waiting += len(texts)
        self._arrived.set()
        found = await future
        self._timed(request.arrived, request.begun, loop.time())
        return found

    async def close(self) -> None:
        """Ends the thread; requests that have no answer yet are cancelled."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        for request in self._waiting:
            request.future.cancel()
        self._thread.shutdown()

    async def _run(self) -> None:
        while True:
            await self._arrived.wait()
            if self._had_company and self._max_wait:
                await self._wait_for_more()
            batch = self._take()
            if batch:
                self._had_company = len(batch) > 1
                await self._answer(batch)

    async def _wait_for_more(self) -> None:
        """Until a batch is full or `max_wait_ms` have passed."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._max_wait):
                while sum(len(request.texts) for request in self._waiting) < self._max_batch:
                    self._arrived.clear()
                    await self._arrived.wait()

    def _take(self) -> list[_Request[M, A]]:
        """The oldest requests that fit in one batch; those whose client has gone are left out."""
        batch: list[_Request[M, A]] = []
        size = 0
        while self._waiting:
            request = self._waiting[0]
            if batch and size + len(request.texts) > self._max_batch:
                break
            self._waiting.popleft()
            self._texts_waiting -= len(request.texts)
            if not request.future.done():
                batch.append(request)
                size += len(request.texts)
        if self._waiting:
            self._arrived.set()
        else:
            self._arrived.clear()
        return batch

    async def _answer(self, batch: list[_Request[M, A]]) -> None:
        texts = [text for request in batch for text in request.texts]
        loop = asyncio.get_running_loop()
        now = loop.time()
        for request in batch:
            request.begun = now
        self._tell(len(texts), [now - request.arrived for request in batch])
        try:
            model, answers = await loop.run_in_executor(self._thread, self._compute, texts)
        except asyncio.CancelledError:
            for request in batch:
                request.future.cancel()
            raise
        except Exception as error:  # noqa: BLE001 - it goes to those who asked
            if len(batch) == 1:
                _settle(batch[0].future, error)
                return
            # One request must not spoil its neighbours.
            for request in batch:
                await self._answer([request])
            return
        start = 0
        for request in batch:
            stop = start + len(request.texts)
            _settle(request.future, (model, answers[start:stop]))
            start = stop


def _settle(
    future: asyncio.Future[tuple[M, Sequence[A]]], result: tuple[M, Sequence[A]] | Exception
) -> None:
    if future.done():  # the client has gone meanwhile
        return
    if isinstance(result, Exception):
        future.set_exception(result)
    else:
        future.set_result(result)
