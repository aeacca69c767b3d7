"""Micro-batching: computes the texts of concurrent requests together.

BentoML's adaptive batching splits a request over two batches, which two models may answer after a
swap, so the answer could not name its model. It also cancels requests by an estimate of their
latency. So this queue keeps requests whole.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import count
from typing import Generic, TypeVar

M = TypeVar("M")  # model
A = TypeVar("A")  # the model's answer to one text


@dataclass
class _Request(Generic[M, A]):
    texts: Sequence[str]
    future: asyncio.Future[tuple[M, Sequence[A]]]
    arrived: float  # seconds of the loop's clock
    begun: float = 0  # start of the request's batch, seconds of the loop's clock


class Batcher(Generic[M, A]):
    """Collects requests, computes them on threads, and returns each request's answers.

    A request is never split, so that one model answers all of its texts. A request with more than
    `max_batch` texts is computed alone. A single request does not wait: a batch waits for more
    requests, `max_wait_ms` at most, only if the previous batch had several.

    Args:
        compute: texts -> (model, one answer per text); called on the threads.
        max_batch: texts of a batch.
        max_wait_ms: milliseconds that a batch waits for more requests.
        at_once: concurrent batches, and threads.
        tell: called for each batch with its number of texts and the seconds that each request
            waited.
        timed: called in the request's context with three times of the loop's clock, in seconds:
            arrival, start of the batch, answer.
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
        self._alone: deque[list[_Request[M, A]]] = deque()  # requests of failed batches, one each
        self._computed: dict[int, list[_Request[M, A]]] = {}  # the batches on the threads
        self._begun = count()
        self._had_company = False  # the last batch had several requests
        self._timer: asyncio.TimerHandle | None = None  # end of a batch's wait
        self._at_once = at_once
        self._threads = ThreadPoolExecutor(at_once, thread_name_prefix="batcher")

    @property
    def waiting(self) -> int:
        """Number of texts that are in no batch yet."""
        return self._texts_waiting

    async def answer(self, texts: Sequence[str]) -> tuple[M, Sequence[A]]:
        """Waits for the batch; returns the model and its answers in the order of `texts`.

        Raises:
            Exception: the error that `compute` raised for these texts.
        """
        loop = asyncio.get_running_loop()
        request = _Request(texts, loop.create_future(), loop.time())
        self._waiting.append(request)
        self._texts_waiting += len(texts)
        self._look(loop)
        answered = await request.future
        self._timed(request.arrived, request.begun, loop.time())
        return answered

    async def close(self) -> None:
        """Ends the threads and cancels requests without an answer."""
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
        """Starts a batch if a thread is free; starts the timer instead if the batch shall wait."""
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
        """Computes a batch on a thread, and passes the result to the loop."""
        result: tuple[M, Sequence[A]] | Exception
        try:
            result = self._compute(texts)
        except Exception as error:  # noqa: BLE001 - raised to the requests of the batch
            result = error
        loop.call_soon_threadsafe(self._done, loop, number, result)

    def _done(
        self,
        loop: asyncio.AbstractEventLoop,
        number: int,
        result: tuple[M, Sequence[A]] | Exception,
    ) -> None:
        batch = self._computed.pop(number)
        self._had_company = len(batch) > 1
        if not isinstance(result, Exception):
            model, answers = result
            start = 0
            for request in batch:
                stop = start + len(request.texts)
                _settle(request.future, (model, answers[start:stop]))
                start = stop
        elif len(batch) == 1:
            _settle(batch[0].future, result)
        else:  # computes the requests again one by one, so that only the faulty one fails
            self._alone.extend([request] for request in batch)
        self._look(loop)

    def _take(self) -> list[_Request[M, A]]:
        """Takes the oldest requests that fit in one batch; drops those of disconnected clients."""
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
    if future.done():  # the client has disconnected meanwhile
        return
    if isinstance(result, Exception):
        future.set_exception(result)
    else:
        future.set_result(result)
