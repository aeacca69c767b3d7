"""What waits on disk while the ledger is away, and that it arrives once, in order."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import resource
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from components.core.errors import LedgerError
from components.core.ledger import PREDICTIONS, TEXTS, Ledger
from serving.http.answers import Prediction
from serving.models.predictions import Answer
from serving.recording.outbox import Outbox
from serving.recording.recorder import Recorder
from serving.recording.spool import Spool, SpoolFull, line

NOW = datetime(2026, 1, 5, 3, tzinfo=UTC)
KEYS = {"predictions": "id", "texts": "prediction_id"}


class AwayLedger:
    """A ledger that can be reached only when it is let; may commit and then fail to say so."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self.away = True
        self.silent = 0  # commits that are not confirmed

    def insert(self, table: sa.Table, rows: Sequence[dict[str, Any]]) -> None:
        if self.away:
            raise LedgerError("The ledger is away.")
        self._ledger.insert(table, rows)
        if self.silent:
            self.silent -= 1
            raise LedgerError("The connection was lost after the commit.")

    def query(self, statement: sa.Select[Any]) -> list[dict[str, Any]]:
        if self.away:
            raise LedgerError("The ledger is away.")
        return self._ledger.query(statement)


class Scrubber:
    def start(self) -> None: ...
    def kill(self) -> None: ...
    def close(self) -> None: ...
    def scrub(self, texts: Sequence[str]) -> list[str | None]:
        return ["masked" for _ in texts]


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    opened = Ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}")
    yield opened
    opened.close()


def spool(tmp_path: Path, max_bytes: int = 10**6, segment_bytes: int = 1) -> Spool:
    ticks = itertools.count(time.time_ns())
    return Spool(tmp_path / "spool", max_bytes, segment_bytes, lambda: next(ticks))


def row(i: int) -> dict[str, Any]:
    prediction = Prediction(f"{i:032x}", "tech", 0.9, {"tech": 0.9, "sport": 0.1}, False)
    answer = Answer(prediction, 4, 0.25, [0.5])
    return answer.row("b" * 64, NOW)


def kept(ledger: Ledger) -> list[int]:
    rows = ledger.query(sa.select(PREDICTIONS.c.id).order_by(PREDICTIONS.c.seq))
    return [int(one["id"], 16) for one in rows]


def test_rows_come_back_as_they_were_and_in_order(tmp_path: Path) -> None:
    kept = spool(tmp_path, segment_bytes=1500)
    rows = [row(i) for i in range(10)]
    for one in rows:
        kept.put("predictions", [one])
    kept.put("texts", [{"prediction_id": "a", "text": "naïve \U0001f600"}])
    kept.close()
    found: list[Any] = []
    again = spool(tmp_path)
    while again.deliver(lambda table, rows: found.append((table, rows)) is None):
        pass
    assert [(table, part) for table, part in found] == [
        *(("predictions", [one]) for one in rows),
        ("texts", [{"prediction_id": "a", "text": "naïve \U0001f600"}]),
    ]
    assert again.bytes == 0


def test_only_the_owner_reads_it(tmp_path: Path) -> None:
    kept = spool(tmp_path, segment_bytes=10**6)
    kept.put("predictions", [row(0)])
    kept.close()
    folder = tmp_path / "spool"
    modes = [oct(path.stat().st_mode)[-3:] for path in (folder, *folder.iterdir())]
    assert modes == ["700", "600"]


def test_a_refused_segment_stays(tmp_path: Path) -> None:
    kept = spool(tmp_path)
    kept.put("predictions", [row(0)])
    assert not kept.deliver(lambda table, rows: False)
    assert kept.deliver(lambda table, rows: True)
    assert not kept.deliver(lambda table, rows: True)


def test_a_spool_has_a_limit(tmp_path: Path) -> None:
    kept = spool(tmp_path, max_bytes=700)
    kept.put("predictions", [row(0)])
    with pytest.raises(SpoolFull, match="of 700"):
        for i in range(5):
            kept.put("predictions", [row(i)])


def test_a_line_that_does_not_fit_on_the_disk_leaves_no_half(tmp_path: Path) -> None:
    """A limit on the size of files fills the disk at some byte within a line."""
    code = (
        "import resource, signal, sys\n"
        "from pathlib import Path\n"
        "from serving.recording.spool import Spool, SpoolFull\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "spool, kept = Spool(Path(sys.argv[1]), 10**6), 0\n"
        "try:\n"
        "    for i in range(100):\n"
        "        spool.put('texts', [{'prediction_id': str(i), 'text': 'x' * 40}])\n"
        "        kept += 1\n"
        "except SpoolFull as error:\n"
        "    print(kept, error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True
    )
    kept, message = done.stdout.split(" ", 1)
    assert message == "File too large\n"
    found: list[str] = []
    again = Spool(tmp_path, 10**6)
    assert again.deliver(lambda table, rows: found.append(rows[0]["prediction_id"]) is None)
    assert found == [str(i) for i in range(int(kept))]
    assert int(kept) > 5


def test_lines_after_a_full_disk_follow_the_last_whole_one(tmp_path: Path) -> None:
    """The half of a line is taken back, or it would spoil the line that comes after it."""
    code = (
        "import resource, signal, sys\n"
        "from pathlib import Path\n"
        "from serving.recording.spool import Spool, SpoolFull\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "spool = Spool(Path(sys.argv[1]), 10**6, segment_bytes=10**6)\n"
        "spool.put('texts', [{'text': 'first'}])\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (500, resource.RLIM_INFINITY))\n"
        "try:\n"
        "    spool.put('texts', [{'text': 'x' * 1000}])\n"
        "except SpoolFull:\n"
        "    print('refused')\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)\n"
        "spool.put('texts', [{'text': 'second'}])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert done.stdout == "refused\n"
    (segment,) = tmp_path.iterdir()
    lines = [json.loads(line)["rows"] for line in segment.read_bytes().splitlines()]
    assert lines == [[{"text": "first"}], [{"text": "second"}]]


def test_a_line_cut_short_by_a_kill_was_never_promised(tmp_path: Path) -> None:
    kept = spool(tmp_path, segment_bytes=10**6)
    kept.put("predictions", [row(0)])
    kept.close()
    (segment,) = (tmp_path / "spool").iterdir()
    with segment.open("ab") as file:
        file.write(b'{"table": "predictions", "rows": [{"id": "x')
    found: list[Any] = []
    assert kept.deliver(lambda table, rows: found.append(rows) is None)
    assert found == [[row(0)]]


def test_a_damaged_segment_is_kept_aside_and_the_next_arrives(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    kept = spool(tmp_path)
    kept.put("predictions", [row(0)])
    kept.put("predictions", [row(1)])
    first = min((tmp_path / "spool").iterdir())
    first.write_bytes(b"{garbage}\n")
    found: list[Any] = []
    while kept.deliver(lambda table, rows: found.append(rows) is None):
        pass
    assert found == [[row(1)]]
    assert [path.suffix for path in (tmp_path / "spool").iterdir()] == [".damaged"]
    assert f"{first} is damaged; it is kept as {first.name}.damaged" in caplog.text


def test_a_segment_that_another_service_writes_is_left_alone(tmp_path: Path) -> None:
    other, ours = spool(tmp_path, segment_bytes=10**6), spool(tmp_path)
    other.put("predictions", [row(0)])
    assert not ours.deliver(lambda table, rows: True)
    other.close()
    assert ours.deliver(lambda table, rows: True)


def test_what_is_sent_while_the_ledger_is_away_arrives_once_and_in_order(
    tmp_path: Path, ledger: Ledger
) -> None:
    away = AwayLedger(ledger)
    outbox = Outbox(away, spool(tmp_path), 0.01, KEYS)
    for i in range(3):
        assert outbox.send(PREDICTIONS, [row(i)])
    assert not outbox.wait_delivered(0)
    away.away, away.silent = False, 2
    outbox.send(PREDICTIONS, [row(3)])  # behind the others, though the ledger is back
    assert kept(ledger) == []
    outbox.start()
    assert outbox.wait_delivered(10)
    assert kept(ledger) == [0, 1, 2, 3]
    outbox.send(PREDICTIONS, [row(4)])  # straight again
    assert kept(ledger) == [0, 1, 2, 3, 4]
    assert outbox.counts == {"rows_spooled": 4, "rows_lost": 0}
    outbox.close()


def test_a_restart_delivers_what_a_killed_service_left(tmp_path: Path, ledger: Ledger) -> None:
    code = (
        "import os, sys; sys.path.insert(0, os.getcwd())\n"
        "from tests.unit.serving.test_spool import *\n"
        "spool(Path(sys.argv[1]), segment_bytes=10**6).put('predictions', [row(0), row(1)])\n"
        "os.kill(os.getpid(), 9)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False)
    assert done.returncode == -9
    away = AwayLedger(ledger)
    away.away = False
    outbox = Outbox(away, spool(tmp_path), 0.01, KEYS)
    outbox.start()
    assert outbox.wait_delivered(10)
    outbox.close()
    assert kept(ledger) == [0, 1]


def test_a_full_disk_is_told_and_rows_wait_in_memory(tmp_path: Path, ledger: Ledger) -> None:
    away = AwayLedger(ledger)
    recorder = Recorder(away, Scrubber(), spool=spool(tmp_path, max_bytes=1), retry_seconds=0.01)
    recorder.start()
    started = time.monotonic()
    prediction = Prediction(f"{0:032x}", "tech", 0.9, {"tech": 0.9}, False)
    answer = Answer(prediction, 4, 0.25, [0.5])
    recorder.record("b" * 64, [answer], ["a"])
    assert time.monotonic() - started < 1
    deadline = time.monotonic() + 10
    while not recorder.levels["spool_full"]:
        assert time.monotonic() < deadline
        time.sleep(0.005)
    assert not recorder.flush(0.05)
    away.away = False
    assert recorder.flush(10)
    recorder.close(10)
    assert kept(ledger) == [0]
    assert len(ledger.query(sa.select(TEXTS))) == 1
    assert recorder.counts["rows_lost"] == 0


def test_without_room_and_ledger_a_shutdown_does_not_hang(tmp_path: Path, ledger: Ledger) -> None:
    outbox = Outbox(AwayLedger(ledger), spool(tmp_path, max_bytes=1), 30, KEYS)
    timer = threading.Timer(0.05, outbox.hurry)
    timer.start()
    assert not outbox.send(PREDICTIONS, [row(0)])
    assert outbox.counts["rows_lost"] == 1
    timer.join()
    outbox.close()


@contextlib.contextmanager
def room_for_files(size: int) -> Iterator[None]:
    """Lets no file of this process become larger; Python ignores the signal that comes of it."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_the_half_of_a_line_is_taken_back_and_the_next_one_fits(tmp_path: Path) -> None:
    kept = spool(tmp_path, segment_bytes=10**6)
    kept.put("texts", [{"text": "first"}])
    size = kept.bytes
    with room_for_files(200), pytest.raises(SpoolFull, match="File too large"):
        kept.put("texts", [{"text": "x" * 500}])
    assert kept.bytes == size
    kept.put("texts", [{"text": "second"}])
    found: list[Any] = []
    assert kept.deliver(lambda table, rows: found.extend(rows) is None)
    assert found == [{"text": "first"}, {"text": "second"}]


def test_rows_are_on_the_disk_before_put_returns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each line, and the name of a new file, or a power cut loses what was promised."""
    synced: list[tuple[bool, int]] = []

    def fsync(descriptor: int) -> None:
        state = os.fstat(descriptor)
        synced.append((stat.S_ISDIR(state.st_mode), state.st_size))

    monkeypatch.setattr(os, "fsync", fsync)
    kept = spool(tmp_path, segment_bytes=10**6)
    for i in range(2):
        kept.put("texts", [{"text": f"{i}"}])
        (segment,) = (tmp_path / "spool").iterdir()
        assert synced[-1] == (False, segment.stat().st_size)
    assert [folder for folder, _ in synced] == [True, False, False]
    kept.close()


def test_a_spool_of_its_largest_size_takes_no_more(tmp_path: Path) -> None:
    kept = spool(tmp_path, max_bytes=len(line("texts", [{"text": "1"}])) * 2)
    kept.put("texts", [{"text": "1"}])
    kept.put("texts", [{"text": "2"}])
    with pytest.raises(SpoolFull):
        kept.put("texts", [{"text": "3"}])
    assert kept.bytes == 2 * len(line("texts", [{"text": "1"}]))
    names = [path.name for path in sorted((tmp_path / "spool").iterdir())]
    assert len(names) == 2  # a segment is full after its first line
    assert all(name.endswith(f"-{os.getpid()}.jsonl") and name.find("-") == 20 for name in names)


@pytest.mark.parametrize("value", [{1, 2}, object(), b"x"])
def test_what_is_no_value_of_a_row_is_refused(tmp_path: Path, value: object) -> None:
    with pytest.raises(TypeError, match="JSON"):
        spool(tmp_path).put("texts", [{"text": value}])


def test_a_value_that_looks_like_a_time_stays(tmp_path: Path) -> None:
    kept = spool(tmp_path)
    row = {"time": NOW, "probabilities": {"time": 1.0}, "list": ["$time"], "none": None}
    kept.put("texts", [row])
    found: list[Any] = []
    assert kept.deliver(lambda table, rows: found.extend(rows) is None)
    assert found == [row]
    assert found[0]["time"].tzinfo is not None
