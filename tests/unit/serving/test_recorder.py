"""What reaches the ledger, what does not, and that nothing unscrubbed ever does."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from components.core.errors import LedgerError, ScrubError
from components.core.ledger import LABELS, PREDICTIONS, TEXTS, Ledger
from serving.http.answers import Prediction
from serving.models.predictions import Answer
from serving.recording.buffer import Buffer
from serving.recording.recorder import Recorder
from serving.recording.scrubbing import ScrubbingProcess, scrub_each, storable

NOW = datetime(2026, 1, 5, 3, tzinfo=UTC)
# A stand-in for the scrubbing process, over real pipes: it masks, refuses, dies or hangs as told.
FAKE = """
import json, os, sys, time
for line in sys.stdin:
    texts = json.loads(line)
    if "die" in texts: os._exit(9)
    if "hang" in texts: time.sleep(60)
    print(json.dumps([None if t == "refuse" else "masked " + t for t in texts]), flush=True)
"""
ARGV = [sys.executable, "-c", FAKE]


class Scrubber:
    """Masks in this process; can be held up, and dies of a text "die"."""

    def __init__(self) -> None:
        self.free = threading.Event()
        self.free.set()
        self.closed = False

    def start(self) -> None: ...

    def scrub(self, texts: Sequence[str]) -> list[str | None]:
        self.free.wait(30)
        if self.closed or "die" in texts:
            raise ScrubError("The process died.")
        return [f"masked {text}" for text in texts]

    def kill(self) -> None:
        self.closed = True
        self.free.set()

    def close(self) -> None: ...


class ShakyLedger:
    """A ledger that cannot be reached at first, or that commits but does not say so."""

    def __init__(self, ledger: Ledger, failures: int, commits: bool = False) -> None:
        self._ledger, self._failures, self._commits = ledger, failures, commits

    def insert(self, table: sa.Table, rows: Sequence[dict[str, Any]]) -> None:
        self._failures -= 1
        if self._failures >= 0 and rows:
            if self._commits:
                self._ledger.insert(table, rows)
            raise LedgerError("The ledger is away.")
        self._ledger.insert(table, rows)

    def query(self, statement: sa.Select[Any]) -> list[dict[str, Any]]:
        return self._ledger.query(statement)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    opened = Ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}")
    yield opened
    opened.close()


def answer(i: int) -> Answer:
    prediction = Prediction(f"{i:032x}", "tech", 0.9, {"tech": 0.9, "sport": 0.1}, False)
    return Answer(prediction, 4, 0.25, [0.5, -0.5])


def record(recorder: Recorder, *texts: str, first: int = 0) -> None:
    recorder.record("b" * 64, [answer(first + i) for i in range(len(texts))], texts)


def stored(ledger: Ledger) -> dict[int, str | None]:
    rows = ledger.query(sa.select(TEXTS))
    return {int(row["prediction_id"], 16): row["text"] for row in rows}


def count(ledger: Ledger) -> int:
    return len(ledger.query(sa.select(PREDICTIONS.c.seq)))


def wait_for(condition: Callable[[], object], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come to pass in time"
        time.sleep(0.005)


def test_a_prediction_is_kept_whole_and_its_text_scrubbed(ledger: Ledger) -> None:
    recorder = Recorder(ledger, Scrubber(), now=lambda: NOW)
    recorder.start()
    record(recorder, "a", "b")
    assert recorder.flush(10)
    row = ledger.query(sa.select(PREDICTIONS))[0]
    assert row == {"seq": 1, "source": None, **answer(0).row("b" * 64, NOW)}
    recorder.close(10)
    assert stored(ledger) == {0: "masked a", 1: "masked b"}
    assert {name: number for name, number in recorder.counts.items() if number} == {"texts_kept": 2}


def test_flush_comes_before_feedback(ledger: Ledger) -> None:
    recorder = Recorder(ledger, Scrubber())
    recorder.start()
    for i in range(20):
        record(recorder, "a", first=i)
        assert recorder.flush(10)
        label = (answer(i).prediction.prediction_id, "tech")
        assert ledger.add_labels([label], NOW)["accepted"] == 1
    recorder.close(10)


def test_flush_gives_up_in_time(ledger: Ledger) -> None:
    recorder = Recorder(ShakyLedger(ledger, 10**6), Scrubber(), retry_seconds=0.01)
    recorder.start()
    record(recorder, "a")
    assert not recorder.flush(0.05)
    recorder.close(0.1)


@pytest.mark.parametrize("commits", [False, True])
def test_a_ledger_that_was_away_gets_every_row_once(ledger: Ledger, commits: bool) -> None:
    recorder = Recorder(ShakyLedger(ledger, 3, commits), Scrubber(), retry_seconds=0.01)
    recorder.start()
    for i in range(5):
        record(recorder, "a", first=i)
    recorder.close(10)
    assert count(ledger) == 5
    assert stored(ledger) == dict.fromkeys(range(5), "masked a")


def test_when_the_scrubber_lags_texts_are_dropped_and_answers_are_not(ledger: Ledger) -> None:
    scrubber = Scrubber()
    scrubber.free.clear()
    recorder = Recorder(ledger, scrubber, texts_held=8_000)  # half is one caller's
    recorder.start()
    record(recorder, "a")
    wait_for(lambda: len(recorder._texts) == 0)  # "a" is with the scrubber
    started = time.monotonic()
    record(recorder, *"bcdef", first=1)
    assert time.monotonic() - started < 1
    assert recorder.counts["texts_dropped"] == 2
    scrubber.free.set()
    recorder.close(10)
    assert count(ledger) == 6
    masked = {i: f"masked {text}" for i, text in enumerate("abcd")}
    assert stored(ledger) == masked | {4: None, 5: None}


def test_when_the_ledger_is_away_too_long_predictions_are_dropped(ledger: Ledger) -> None:
    recorder = Recorder(ledger, Scrubber(), predictions_held=2)  # not started: nothing drains
    record(recorder, *"abcde")
    assert recorder.counts["predictions_dropped"] == 3
    assert len(recorder._texts) == 2  # no text without its prediction


def test_shutdown_does_not_wait_for_ever_and_leaves_no_text_open(ledger: Ledger) -> None:
    scrubber = Scrubber()
    scrubber.free.clear()
    recorder = Recorder(ledger, scrubber)
    recorder.start()
    record(recorder, *"abc")
    started = time.monotonic()
    recorder.close(0.2)
    assert time.monotonic() - started < 5
    assert stored(ledger) == {0: None, 1: None, 2: None}


def test_a_dead_scrubber_costs_its_batch_and_no_more(ledger: Ledger) -> None:
    recorder = Recorder(ledger, ScrubbingProcess(ARGV), retry_seconds=0.01)
    recorder.start()
    for i, text in enumerate(["a", "die", "b", "refuse"]):
        record(recorder, text, first=i)
        wait_for(lambda i=i: len(stored(ledger)) == i + 1)  # type: ignore[misc]
    recorder.close(10)
    assert stored(ledger) == {0: "masked a", 1: None, 2: "masked b", 3: None}
    assert recorder.counts["texts_unscrubbed"] == 2


def test_predictions_whose_text_never_came_stop_holding_up_feedback(ledger: Ledger) -> None:
    rows = [answer(i).row("b" * 64, NOW) for i in range(3)]
    rows[1]["time"] = NOW + timedelta(hours=2)  # its text may still come
    rows[2]["time"] = NOW - timedelta(days=30)  # nobody looks so far back
    ledger.insert(PREDICTIONS, rows)
    ledger.add_labels([(row["id"], "tech") for row in rows[:2]], NOW)
    assert ledger.feedback_watermark() == 0
    recorder = Recorder(ledger, Scrubber(), now=lambda: NOW + timedelta(hours=2))
    recorder.start()
    recorder.close(10)
    assert stored(ledger) == {0: None}
    assert ledger.feedback_watermark() == 1
    assert len(ledger.query(sa.select(LABELS))) == 2
    assert recorder.counts["texts_orphaned"] == 1


def test_texts_that_the_sample_leaves_out_are_told_from_those_that_were_lost(
    ledger: Ledger,
) -> None:
    recorder = Recorder(ledger, Scrubber(), now=lambda: NOW)
    recorder._sampler.share = lambda caller, weight: 0.5  # type: ignore[method-assign]
    recorder._sampler.admit = lambda caller, weight: True  # type: ignore[method-assign]
    recorder._sampler.release = lambda caller, weight: None  # type: ignore[method-assign]
    ids = [f"{start}{'0' * 31}" for start in "07f"]
    answers = [Answer(replace(answer(0).prediction, prediction_id=id_), 4, 0, []) for id_ in ids]
    recorder.start()
    recorder.record("b" * 64, answers, ["a", "die", "c"])
    recorder.close(10)
    rows = {row["prediction_id"]: row for row in ledger.query(sa.select(TEXTS))}
    assert [(rows[id_]["text"], rows[id_]["share"]) for id_ in ids] == [
        (None, None),  # the scrubber died
        (None, None),
        (None, 0.5),
    ]
    assert recorder.counts["texts_sampled_out"] == 1


def test_a_scrubbing_process_that_died_idle_is_replaced_without_loss() -> None:
    scrubber = ScrubbingProcess(ARGV)
    process = scrubber.start()
    assert scrubber.scrub(["a\ud800\0"]) == ["masked a\ud800\0"]  # JSON carries it all
    process.kill()
    process.wait()
    assert scrubber.scrub(["b"]) == ["masked b"]
    assert scrubber.start() is not process
    scrubber.close()


def test_a_scrubbing_process_that_hangs_is_killed() -> None:
    scrubber = ScrubbingProcess(ARGV, longest=0.2)
    with pytest.raises(ScrubError, match="ended or hung"):
        scrubber.scrub(["hang"])
    assert scrubber.scrub(["b"]) == ["masked b"]
    scrubber.close()


@pytest.mark.parametrize(
    ("text", "expected"),
    [("a", "a"), ("a\0b", "a b"), ("\ud800a", "?a"), ("naïve 日本", "naïve 日本")],
)
def test_storable(text: str, expected: str) -> None:
    assert storable(text) == expected


def test_one_text_that_cannot_be_scrubbed_does_not_take_others_along() -> None:
    def scrub_many(texts: list[str]) -> list[str]:
        if "bad" in texts:
            raise ScrubError("no")
        return [f"masked {text}" for text in texts]

    assert scrub_each(scrub_many, ["a", "bad", "b"]) == ["masked a", None, "masked b"]


def test_a_buffer_gives_batches_up_to_a_weight() -> None:
    buffer: Buffer[str] = Buffer(10)
    assert [buffer.put(name, weight) for name, weight in [("a", 4), ("b", 4), ("c", 4)]] == [
        True, True, False,
    ]  # fmt: skip
    assert buffer.put("free", 0)
    assert buffer.take(7) == ["a"]
    assert buffer.take(4) == ["b", "free"]
    assert not buffer.flush(0)
    buffer.done(3)
    assert buffer.flush(0)
    buffer.close()
    assert not buffer.put("late", 1)
    assert buffer.take(7) == []


def test_a_buffer_waits_for_company_until_there_is_enough() -> None:
    buffer: Buffer[str] = Buffer(10, linger=60)
    with ThreadPoolExecutor(1) as pool:
        taken = pool.submit(buffer.take, 3)
        for item in "abc":
            assert not taken.done()
            time.sleep(0.02)
            assert buffer.put(item, 1)
        assert taken.result(5) == ["a", "b", "c"]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has such a class")
def test_scrubbing_gives_way_to_answers() -> None:
    code = "import os; from serving.recording.scrubbing import give_way; give_way(); input()"
    with subprocess.Popen(
        [sys.executable, "-c", code + "; print(os.sched_getscheduler(0) == os.SCHED_IDLE)"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.communicate("\n", 30)[0] == "True\n"
