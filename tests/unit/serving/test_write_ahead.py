"""Rows that were answered outlive a killed service, arrive once, and cost no space afterwards."""

from __future__ import annotations

import itertools
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from components.core.ledger import PREDICTIONS, Ledger
from serving.recording import write_ahead
from serving.recording.outbox import Outbox
from serving.recording.spool import Spool
from serving.recording.write_ahead import WriteAhead
from tests.unit.serving.test_spool import room_for_files

NOW = datetime(2026, 1, 5, 3, tzinfo=UTC)
# A service that puts rows, says that the first of them arrived, and is killed.
KILLED = """
import os, signal, sys
from datetime import UTC, datetime
from pathlib import Path
from serving.recording import write_ahead
from serving.recording.write_ahead import WriteAhead
from tests.unit.serving.test_write_ahead import row
folder, rows, done, most = Path(sys.argv[1]), *map(int, sys.argv[2:])
write_ahead.SEGMENT_ROWS = most
ahead = WriteAhead(folder)
for i in range(rows):
    ahead.put("predictions", [row(i)])
ahead.done(done)
os.kill(os.getpid(), signal.SIGKILL)
"""


def row(i: int) -> dict[str, Any]:
    """A row of ledger.PREDICTIONS."""
    return {
        "id": f"{i:032x}", "time": NOW, "bundle": "b" * 64, "label": "tech", "confidence": 0.9,
        "probabilities": {"tech": 0.9}, "words": 4, "unknown_share": 0.25, "features": [0.5],
        "source": None,
    }  # fmt: skip


def killed(folder: Path, rows: int, done: int, most: int = 2_000) -> None:
    process = subprocess.run(
        [sys.executable, "-c", KILLED, str(folder), str(rows), str(done), str(most)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert process.returncode == -9, process.stderr


def sizes(folder: Path) -> list[int]:
    return [path.stat().st_size for path in sorted(folder.iterdir())]


@pytest.mark.parametrize(("done", "left"), [(0, 9), (6, 5), (8, 1), (9, 0)])
def test_what_a_killed_service_left_arrives_once(tmp_path: Path, done: int, left: int) -> None:
    """Files of up to 4 rows; one goes when the last of its rows has arrived."""
    folder, into = tmp_path / "ahead", tmp_path / "spool"
    killed(folder, rows=9, done=done, most=4)
    write_ahead.adopt(folder, into)
    assert list(folder.iterdir()) == []
    ledger = Ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}")
    ledger.insert(PREDICTIONS, [row(i) for i in range(done)])
    spool = Spool(into, 10**6)
    outbox = Outbox(ledger, spool, 0.01, {PREDICTIONS.name: "id"})
    spooled = sum(path.read_text().count('"id"') for path in into.glob("*"))
    assert spooled == left
    outbox.deliver()
    stored = [found["id"] for found in ledger.query(sa.select(PREDICTIONS.c.id))]
    assert sorted(stored) == [f"{i:032x}" for i in range(9)]
    outbox.close()
    ledger.close()


def test_files_of_a_living_service_stay(tmp_path: Path) -> None:
    ahead = WriteAhead(tmp_path)
    ahead.put("predictions", [row(0)])
    assert write_ahead.adopt(tmp_path, tmp_path / "spool") == 0
    ahead.done(1)
    assert sizes(tmp_path) == [0]
    ahead.close()
    assert sizes(tmp_path) == []


def test_the_space_of_rows_that_arrived_is_used_again(tmp_path: Path) -> None:
    ahead = WriteAhead(tmp_path)
    for i in range(3):
        ahead.put("predictions", [row(2 * i), row(2 * i + 1)])
        ahead.done(1)
        assert sizes(tmp_path)[0] > 0
        ahead.done(1)
        assert sizes(tmp_path) == [0]
    ahead.close()


def test_only_the_owner_reads_it(tmp_path: Path) -> None:
    ahead = WriteAhead(tmp_path / "ahead")
    ahead.put("predictions", [row(0)])
    assert (tmp_path / "ahead").stat().st_mode & 0o777 == 0o700
    assert [path.stat().st_mode & 0o777 for path in (tmp_path / "ahead").iterdir()] == [0o600]
    ahead.done(1)
    ahead.close()


def test_rows_that_did_not_arrive_stay_at_shutdown(tmp_path: Path) -> None:
    ahead = WriteAhead(tmp_path / "ahead")
    ahead.put("predictions", [row(0)])
    ahead.close()
    assert write_ahead.adopt(tmp_path / "ahead", tmp_path / "spool") == 1


def test_a_full_disk_costs_the_row_its_file_and_no_half_line(tmp_path: Path) -> None:
    """A limit on the size of files fills the disk at some byte within a line."""
    code = (
        "import resource, signal, sys\n"
        "from pathlib import Path\n"
        "from serving.recording.write_ahead import WriteAhead\n"
        "from tests.unit.serving.test_write_ahead import row\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "ahead = WriteAhead(Path(sys.argv[1]))\n"
        "for i in range(9): ahead.put('predictions', [row(i)])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert done.stderr.count("not kept ahead: File too large") == 1
    (file,) = tmp_path.iterdir()
    lines = file.read_text().splitlines(keepends=True)
    assert 1 <= len(lines) < 9
    assert all(line.endswith("}]}\n") for line in lines)


def test_a_file_goes_when_all_its_rows_have_arrived(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files of two rows; the newest one is emptied and used again."""
    monkeypatch.setattr(write_ahead, "SEGMENT_ROWS", 2)
    ticks = itertools.count()
    ahead = WriteAhead(tmp_path, lambda: next(ticks))
    for i in range(5):
        ahead.put("predictions", [row(i)])
    first, second, third = (path.name for path in sorted(tmp_path.iterdir()))
    assert [name.split("-")[0] for name in (first, second, third)] == [
        f"{i:020d}" for i in range(3)
    ]
    for done, left in ((1, 3), (1, 2), (1, 2), (1, 1)):
        ahead.done(done)
        assert len(sizes(tmp_path)) == left
        assert all(sizes(tmp_path))
    ahead.done(1)
    assert sizes(tmp_path) == [0]
    ahead.put("predictions", [row(5), row(6)])
    assert [path.name for path in tmp_path.iterdir()] == [third]
    ahead.done(1)  # the half of a put is no reason to let go of it
    assert sizes(tmp_path) != [0]
    ahead.close()
    assert write_ahead.adopt(tmp_path, tmp_path / "spool") == 1
    assert write_ahead.adopt(tmp_path, tmp_path / "spool") == 0
    assert (tmp_path / "spool").stat().st_mode & 0o777 == 0o700
    (file,) = (tmp_path / "spool").iterdir()
    assert file.read_text().count('"id"') == 2


def test_an_empty_file_of_a_killed_service_is_removed(tmp_path: Path) -> None:
    (tmp_path / "ahead").mkdir()
    (tmp_path / "ahead" / f"{0:020d}-1.jsonl").touch()
    assert write_ahead.adopt(tmp_path / "ahead", tmp_path / "spool") == 0
    assert list((tmp_path / "ahead").iterdir()) == []
    assert not (tmp_path / "spool").exists()


def test_a_full_disk_is_told_once_until_a_row_fits_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ahead = WriteAhead(tmp_path)
    ahead.put("predictions", [row(0)])
    (size,) = sizes(tmp_path)
    with room_for_files(size + 50):
        for i in (1, 2):
            ahead.put("predictions", [row(i)])
    assert (sizes(tmp_path), caplog.text.count("not kept ahead")) == ([size], 1)
    ahead.put("predictions", [row(3)])
    assert sizes(tmp_path) == [2 * size]
    with room_for_files(2 * size + 50):
        ahead.put("predictions", [row(4)])
    assert (sizes(tmp_path), caplog.text.count("not kept ahead")) == ([2 * size], 2)
    # Rows without a file count too, or those behind them would be taken for arrived.
    ahead.done(3)
    assert sizes(tmp_path) == [2 * size]
    ahead.done(1)
    assert sizes(tmp_path) == [0]
    ahead.close()
