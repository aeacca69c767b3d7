"""Batches: who is computed with whom, and what each request gets."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from serving.models.batcher import Batcher


class Model:
    """Answers each text with its capitals; remembers the batches, and can be held up."""

    def __init__(self) -> None:
        self.name = "old"
        self.batches: list[list[str]] = []
        self.free = threading.Event()
        self.free.set()

    def __call__(self, texts: list[str]) -> tuple[str, list[str]]:
        name = self.name
        self.batches.append(texts)
        assert self.free.wait(10)
        if "bad" in texts:
            raise ValueError("a bad text")
        return name, [text.upper() for text in texts]


def run(
    scenario: Callable[[Model, Batcher[str, str]], Coroutine[Any, Any, None]],
    max_batch: int = 4,
    max_wait_ms: float = 20,
) -> Model:
    async def main() -> None:
        batcher = Batcher[str, str](model, max_batch, max_wait_ms)
        try:
            await scenario(model, batcher)
        finally:
            await batcher.close()

    model = Model()
    asyncio.run(main())
    return model


async def held_up(model: Model, batcher: Batcher[str, str], *requests: list[str]) -> list[Any]:
    """Asks `requests` in this order while the model is busy with "first"."""
    model.free.clear()
    first = asyncio.create_task(batcher.answer(["first"]))
    while not model.batches:
        await asyncio.sleep(0)
    tasks = [asyncio.create_task(batcher.answer(request)) for request in requests]
    await asyncio.sleep(0)
    model.free.set()
    await first
    return await asyncio.gather(*tasks, return_exceptions=True)


@pytest.mark.parametrize(
    ("requests", "batches"),
    [
        ([["a"], ["b"]], [["a", "b"]]),
        ([["a", "b", "c"], ["d", "e"]], [["a", "b", "c"], ["d", "e"]]),  # never split
        ([["a", "b", "c", "d", "e"]], [["a", "b", "c", "d", "e"]]),  # too long: alone
        ([["a"], ["b", "c", "d", "e", "f"], ["g"]], [["a"], ["b", "c", "d", "e", "f"], ["g"]]),
        ([["a"], ["b"], ["c"], ["d"], ["e"]], [["a", "b", "c", "d"], ["e"]]),
    ],
)
def test_who_is_computed_together(requests: list[list[str]], batches: list[list[str]]) -> None:
    async def scenario(model: Model, batcher: Batcher[str, str]) -> None:
        answers = await held_up(model, batcher, *requests)
        assert answers == [("old", [text.upper() for text in request]) for request in requests]

    assert run(scenario).batches[1:] == batches


def test_a_request_that_comes_alone_does_not_wait() -> None:
    async def scenario(model: Model, batcher: Batcher[str, str]) -> None:
        async with asyncio.timeout(5):  # the wait would be 60 seconds
            await batcher.answer(["a"])
            await batcher.answer(["b"])

    assert run(scenario, max_wait_ms=60_000).batches == [["a"], ["b"]]


def test_after_company_a_request_waits_until_the_batch_is_full() -> None:
    async def scenario(model: Model, batcher: Batcher[str, str]) -> None:
        await held_up(model, batcher, ["a"], ["b"])
        async with asyncio.timeout(5):
            early = asyncio.create_task(batcher.answer(["c"]))
            await asyncio.sleep(0.05)
            assert not early.done()
            await asyncio.gather(early, batcher.answer(["d", "e", "f"]))

    assert run(scenario, max_wait_ms=60_000).batches[2:] == [["c", "d", "e", "f"]]


def test_after_company_a_request_waits_no_longer_than_it_must() -> None:
    async def scenario(model: Model, batcher: Batcher[str, str]) -> None:
        await held_up(model, batcher, ["a"], ["b"])
        async with asyncio.timeout(5):
            assert await batcher.answer(["c"]) == ("old", ["C"])

    assert run(scenario).batches[2:] == [["c"]]


def test_a_bad_request_does_not_spoil_its_neighbours() -> None:
    async def scenario(model: Model, batcher: Batcher[str, str]) -> None:
        good, bad = await held_up(model, batcher, ["a"], ["bad"])
        assert good == ("old", ["A"])
        assert isinstance(bad, ValueError)
        assert await batcher.answer(["b"]) == ("old", ["B"])  # and the batcher lives on

    run(scenario)


def test_a_client_that_has_gone_costs_nothing() -> None:
    async def scenario(model: Model, batcher: Batcher[str, str]) -> None:
        model.free.clear()
        first = asyncio.create_task(batcher.answer(["first"]))
        while not model.batches:
            await asyncio.sleep(0)
        gone = asyncio.create_task(batcher.answer(["gone"]))
        await asyncio.sleep(0)
        gone.cancel()
        first.cancel()  # even in the midst of its batch
        model.free.set()
        assert await batcher.answer(["a"]) == ("old", ["A"])

    assert run(scenario).batches == [["first"], ["a"]]


def test_every_answer_names_the_model_that_gave_it() -> None:
    async def scenario(model: Model, batcher: Batcher[str, str]) -> None:
        model.free.clear()
        before = asyncio.create_task(batcher.answer(["a"]))
        while not model.batches:
            await asyncio.sleep(0)
        model.name = "new"
        after = asyncio.create_task(batcher.answer(["b"]))
        model.free.set()
        assert (await before)[0] == "old"
        assert (await after)[0] == "new"

    run(scenario)


def test_close_cancels_who_waits() -> None:
    async def main() -> None:
        model = Model()
        batcher = Batcher[str, str](model, 4, 1)
        model.free.clear()
        tasks = [asyncio.create_task(batcher.answer(["a"]))]
        while not model.batches:
            await asyncio.sleep(0)
        tasks.append(asyncio.create_task(batcher.answer(["b"])))
        await asyncio.sleep(0)
        threading.Timer(0.05, model.free.set).start()
        await batcher.close()
        results = await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 5)
        assert isinstance(results[1], asyncio.CancelledError)

    asyncio.run(main())


def test_as_many_batches_at_once_as_there_are_threads_and_no_more() -> None:
    async def main() -> list[list[str]]:
        model = Model()
        batcher = Batcher[str, str](model, 4, 0, 2)
        model.free.clear()
        tasks = [asyncio.create_task(batcher.answer([name])) for name in "abcd"]
        while len(model.batches) < 2:
            await asyncio.sleep(0)
        await asyncio.sleep(0.05)
        assert model.batches == [["a"], ["b"]]
        assert batcher.waiting == 2
        model.free.set()
        assert await asyncio.gather(*tasks) == [("old", [name.upper()]) for name in "abcd"]
        await batcher.close()
        return model.batches

    assert asyncio.run(main())[2:] == [["c", "d"]]


def test_it_knows_how_many_texts_wait() -> None:
    async def scenario(model: Model, batcher: Batcher[str, str]) -> None:
        model.free.clear()
        first = asyncio.create_task(batcher.answer(["first"]))
        while not model.batches:
            await asyncio.sleep(0)
        assert batcher.waiting == 0  # it is computed, it does not wait
        tasks = [asyncio.create_task(batcher.answer(texts)) for texts in (["a"], ["b", "c"])]
        await asyncio.sleep(0)
        assert batcher.waiting == 3
        tasks[0].cancel()
        model.free.set()
        await asyncio.gather(first, *tasks, return_exceptions=True)
        assert batcher.waiting == 0

    run(scenario)
