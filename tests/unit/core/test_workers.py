"""Map work: in order, whoever works; a worker that dies takes nothing with it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from components.core import params as parameters
from components.core.errors import ScrubError
from components.core.scrub import policy_hash
from components.core.scrub.work import ScrubWork
from components.core.workers import open_workers
from components.core.workers.base import SCHEDULER, Work, Workers
from components.core.workers.processes import InProcess, Processes

ROOT = Path(__file__).parents[3]
SETTINGS = parameters.load(ROOT / "params.yaml").ingest.scrub
BATCHES = [[f"text {i}", f"other {i}"] for i in range(8)]


def upper(texts: Sequence[str]) -> list[str]:
    return [text.upper() for text in texts]


def wrong(texts: Sequence[str]) -> list[str]:
    raise KeyError(f"SECRET {texts[0]}")


def refuse(texts: Sequence[str]) -> list[str]:
    raise ScrubError("our own words")


@dataclass(frozen=True)
class Dies:
    """Kills its process when it meets `victim`, `times` times over; `folder` counts."""

    folder: str
    victim: str
    times: int

    def __call__(self, texts: Sequence[str]) -> list[str]:
        if self.victim in texts:
            deaths = len(list(Path(self.folder).iterdir()))
            if deaths < self.times:
                (Path(self.folder) / str(deaths)).touch()
                os.kill(os.getpid(), signal.SIGKILL)
        return upper(texts)


def done_by(workers: Workers[str]) -> list[list[str]]:
    with workers:
        tasks = [workers.submit(batch) for batch in BATCHES]
        return [workers.result(task) for task in tasks]


@pytest.mark.parametrize("count", [1, 2])
def test_results_come_in_the_order_of_the_batches(count: int) -> None:
    workers = open_workers(upper, count, attempts=1, seconds=1)
    assert isinstance(workers, InProcess if count == 1 else Processes)
    assert done_by(workers) == [upper(batch) for batch in BATCHES]


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize(("work", "message"), [(wrong, "got KeyError"), (refuse, "our own words")])
def test_what_fails_is_said_without_a_text(count: int, work: Work[str], message: str) -> None:
    with pytest.raises(ScrubError, match=message) as caught:
        done_by(open_workers(work, count, attempts=1, seconds=1))
    assert "SECRET" not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("victim", ["text 0", "text 3", "text 7"])
def test_batches_of_a_worker_that_was_killed_are_done_again(tmp_path: Path, victim: str) -> None:
    work = Dies(str(tmp_path), victim, times=2)
    assert done_by(Processes(work, 2, attempts=3)) == [upper(batch) for batch in BATCHES]
    assert len(list(tmp_path.iterdir())) == 2


def test_a_batch_that_always_kills_ends_the_run(tmp_path: Path) -> None:
    with pytest.raises(ScrubError, match=r"one died 3 times .* ingest\.scrub\.workers") as caught:
        done_by(Processes(Dies(str(tmp_path), "text 3", times=99), 2, attempts=3))
    assert "text" not in str(caught.value)


def test_workers_end_with_a_parent_that_was_killed() -> None:
    code = """
import sys
from components.core.workers.processes import Processes
from tests.unit.core.test_workers import upper
workers = Processes(upper, 2, 1)
for task in [workers.submit(["a"]) for _ in range(4)]:
    workers.result(task)
print("ready", flush=True)
sys.stdin.read()
"""
    parent = subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert parent.stdout is not None
    assert parent.stdout.readline() == b"ready\n"
    children = psutil.Process(parent.pid).children(recursive=True)
    assert len(children) >= 2
    parent.kill()
    parent.communicate()
    deadline = time.monotonic() + 20
    while any(child.is_running() and child.status() != "zombie" for child in children):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_worker_with_other_rules_refuses() -> None:
    work = ScrubWork(SETTINGS.model_dump_json(), "0" * 64)
    ours = policy_hash(SETTINGS)
    with pytest.raises(ScrubError, match=f"rules {'0' * 12}, got one with {ours[:12]}"):
        work(["a text"])
    assert ScrubWork.of(SETTINGS, b"SECRET").policy == ours


def test_the_key_travels_only_where_it_is_needed_and_never_into_a_log() -> None:
    assert ScrubWork.of(SETTINGS, b"SECRET").secret is None
    entities = {**SETTINGS.entities, "PERSON": "pseudonym"}
    work = ScrubWork.of(SETTINGS.model_copy(update={"entities": entities}), b"SECRET")
    assert work.secret == b"SECRET" and "SECRET" not in repr(work).replace('SECRET":', "")
    assert "<PERSON_" in work(["My name is Angela Merkel"])[0].text


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("cluster", "got ValueError: no address of the form"),
        ("http://cluster:8786", "got ValueError: no address of the form"),
        ("tls://127.0.0.1:8786", "got FileNotFoundError: no certificate"),
    ],
)
def test_a_cluster_that_cannot_be_meant_is_said_at_once(
    monkeypatch: pytest.MonkeyPatch, address: str, message: str
) -> None:
    monkeypatch.setenv(SCHEDULER, address)
    with pytest.raises(ScrubError, match=f"Dask scheduler at {address}.*{message}"):
        open_workers(upper, 1, attempts=1, seconds=600)
