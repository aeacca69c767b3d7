"""Micro-batching: texts of requests that come together are computed together.

BentoML's own adaptive batching could swap a model in one process too, but it splits a request over
two batches, so that two models may answer it and none can be named, and cancels requests that its
estimate of the latency calls late; hence this queue of whole requests.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import count
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
    """Collects requests, computes them on other threads, and gives each its own answers.

    A request is never split, so that one model answers all of it; one with more than `max_batch`
    texts is computed alone. A request that comes alone does not wait: only when the batch before
    it had company does the next one wait for more, `max_wait_ms` at most.

    Args:
        compute: texts -> the model that answered and one answer a text; runs on those threads.
        max_batch: texts computed together.
        max_wait_ms: milliseconds that a request waits for company.
        at_once: batches computed at the same time, and threads.
        tell: called for each batch with its texts and the seconds that each request waited.
        timed: called in the request's own context with the moments, by the loop's clock, when it
            arrived, when its batch was begun, and when it had its answer.
    """

    def __init__(
        self,
        compute: Callable[[list[str]], tuple[M, Sequence[A]]],
        max_batch: int,
        max_wait_ms: float,
        at_once: int = 1,
        tell: Callable[[int, Sequence[float]], object] = lambda *_: None,
        timed: Callable[[float, float, float], object] = lambda *_: None,
    ) -> None:
        self._compute, self._tell, self._timed = compute, tell, timed
        self._max_batch = max_batch
        self._max_wait = max_wait_ms / 1000
        self._waiting: deque[_Request[M, A]] = deque()
        self._texts_waiting = 0
        self._alone: deque[list[_Request[M, A]]] = deque()  # batches that failed, one by one
        self._computed: dict[int, list[_Request[M, A]]] = {}  # the batches on the threads
        self._begun = count()
        self._had_company = False
        self._timer: asyncio.TimerHandle | None = None  # until which a batch waits for more
        self._at_once = at_once
        self._threads = ThreadPoolExecutor(at_once, thread_name_prefix="batcher")

    @property
    def waiting(self) -> int:
        """Texts that no batch has taken yet."""
        return self._texts_waiting

    async def answer(self, texts: Sequence[str]) -> tuple[M, Sequence[A]]:
        """The model that answered and its answers, in the order of `texts`.

        Raises:
            Exception: whatever `compute` raised for these texts.
        """
        loop = asyncio.get_running_loop()
        request = _Request(texts, loop.create_future(), loop.time())
        self._waiting.append(request)
        self._texts_waiting += len(texts)
        self._look(loop)
        found = await request.future
        self._timed(request.arrived, request.begun, loop.time())
        return found

    async def close(self) -> None:
        """Ends the threads; requests that have no answer yet are cancelled."""
        if self._timer is not None:
            self._timer.cancel()
        for batch in (*self._computed.values(), *self._alone, self._waiting):
            for request in batch:
                request.future.cancel()
        self._waiting.clear()
        self._alone.clear()
        self._texts_waiting = 0
        self._threads.shutdown()

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begins a batch, if a thread is free and it is time; sees to it that it will be."""
        few = 0 < self._texts_waiting < self._max_batch and not self._alone
        if len(self._computed) >= self._at_once or (few and self._timer is not None):
            return
        if few and self._had_company and self._max_wait:
            self._timer = loop.call_later(self._max_wait, self._begin, loop)
        else:
            self._begin(loop)

    def _begin(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        batch = self._alone.popleft() if self._alone else self._take()
        if not batch:
            return
        number = next(self._begun)
        self._computed[number] = batch
        now = loop.time()
        for request in batch:
            request.begun = now
        texts = [text for request in batch for text in request.texts]
        self._tell(len(texts), [now - request.arrived for request in batch])
        self._threads.submit(self._work, loop, number, texts)

    def _work(self, loop: asyncio.AbstractEventLoop, number: int, texts: list[str]) -> None:
        """Computes, on a thread; the loop hears of it."""
        found: tuple[M, Sequence[A]] | Exception
        try:
            found = self._compute(texts)
        except Exception as error:  # noqa: BLE001 - it goes to those who asked
            found = error
        loop.call_soon_threadsafe(self._done, loop, number, found)

    def _done(
        self,
        loop: asyncio.AbstractEventLoop,
        number: int,
        found: tuple[M, Sequence[A]] | Exception,
    ) -> None:
        batch = self._computed.pop(number)
        self._had_company = len(batch) > 1
        if not isinstance(found, Exception):
            model, answers = found
            start = 0
            for request in batch:
                stop = start + len(request.texts)
                _settle(request.future, (model, answers[start:stop]))
                start = stop
        elif len(batch) == 1:
            _settle(batch[0].future, found)
        else:  # one request must not spoil its neighbours
            self._alone.extend([request] for request in batch)
        self._look(loop)

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
        return batch


def _settle(
    future: asyncio.Future[tuple[M, Sequence[A]]], result: tuple[M, Sequence[A]] | Exception
) -> None:
    if future.done():  # the client has gone meanwhile
        return
    if isinstance(result, Exception):
        future.set_exception(result)
    else:
        future.set_result(result)
