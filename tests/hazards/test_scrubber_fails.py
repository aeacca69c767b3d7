"""Hazard 34: the scrubber raises, dies, or answers nonsense; nothing passes unscrubbed."""

from __future__ import annotations

import io
import json
import shutil
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from components import ingest, snapshot
from components.core import params as parameters
from components.core.errors import ScrubError
from components.core.ledger import PREDICTIONS, TEXTS, Ledger
from components.core.params import edit
from components.core.paths import Paths
from serving.http.answers import Prediction
from serving.models.predictions import Answer
from serving.recording import scrubbing
from serving.recording.recorder import Recorder
from serving.recording.scrubbing import ScrubbingProcess, scrub_each
from tests.project import ROOT

SECRET = "Angela Merkel of 5 Mill Lane"
PROJECT = parameters.load(ROOT / "params.yaml")
BROKEN = {
    "an unknown entity": {"entities": {"NO_SUCH": "mask"}},
    "an unknown entity beside a known one": {"entities": {"PERSON": "mask", "NO_SUCH": "mask"}},
}


def holds_secret(folder: Path) -> list[Path]:
    """Files below `folder` with the secret in them."""
    words = (SECRET, SECRET.upper(), "Merkel")
    return [
        path
        for path in folder.rglob("*")
        if path.is_file() and any(word.encode() in path.read_bytes() for word in words)
    ]


# Ingest


@pytest.mark.parametrize("broken", BROKEN)
def test_ingest_leaves_nothing_behind(tmp_path: Path, broken: str) -> None:
    paths = Paths(tmp_path / "project", tmp_path / "home")
    folder = tmp_path / "outside" / "news"
    folder.mkdir(parents=True)
    for i in range(200):  # several batches
        (folder / f"{i}.txt").write_text(f"{SECRET} wrote letter {i}")
    source = parameters.Source(name="mine", kind="folder", path=str(folder.parent))
    scrub = PROJECT.ingest.scrub.model_copy(update=BROKEN[broken])
    params = PROJECT.model_copy(
        update={"ingest": PROJECT.ingest.model_copy(update={"sources": [source], "scrub": scrub})}
    )
    snapshot.run(params, paths)
    with pytest.raises(ScrubError) as caught:
        ingest.run(params, paths)
    assert SECRET not in str(caught.value)
    assert not list(paths.ingested.glob("*"))
    assert not holds_secret(paths.root) and not holds_secret(paths.home)


# The service's scrubbing process, its far end


def raising(error: BaseException) -> Callable[[list[str]], list[str]]:
    def scrub_many(texts: list[str]) -> list[str]:
        if any(SECRET in text for text in texts):
            raise error
        return [f"masked {text}" for text in texts]

    return scrub_many


@pytest.mark.parametrize(
    "error",
    [
        ScrubError("no"),
        ValueError(SECRET),
        KeyError(SECRET),
        UnicodeError(),
        RecursionError(),
        MemoryError(),
        OSError(28, "No space left on device"),
        AssertionError(),
        StopIteration(),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_text_that_makes_the_scrubber_raise_becomes_nothing(error: Exception) -> None:
    found = scrub_each(raising(error), ["a", SECRET, "b"])
    assert found == ["masked a", None, "masked b"]
    replies = io.StringIO()
    scrubbing.answer(raising(error), io.StringIO(json.dumps([SECRET, "a"]) + "\n"), replies)
    assert json.loads(replies.getvalue()) == [None, "masked a"]
    assert SECRET not in replies.getvalue()


# Its near end, and the ledger


def recorded(tmp_path: Path, argv: list[str]) -> list[str | None]:
    """The texts in the ledger after a prediction on the secret."""
    ledger = Ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}")
    process = ScrubbingProcess(argv, longest=60)
    recorder = Recorder(
        ledger, process, now=lambda: datetime(2026, 1, 5, tzinfo=UTC), retry_seconds=0.01
    )
    recorder.start()
    prediction = Prediction("0" * 32, "tech", 0.9, {"tech": 0.9, "sport": 0.1}, False)
    answer = Answer(prediction, 4, 0.25, [0.5, -0.5])
    recorder.record("b" * 64, [answer], [SECRET])
    assert recorder.flush(30)
    recorder.close(60)
    texts = [row["text"] for row in ledger.query(sa.select(TEXTS))]
    assert len(ledger.query(sa.select(PREDICTIONS.c.id))) == 1  # the answer itself is kept
    ledger.close()
    return texts


@pytest.mark.parametrize("broken", BROKEN)
def test_a_service_whose_scrubber_cannot_be_loaded_keeps_no_text(
    tmp_path: Path, broken: str
) -> None:
    """The real process, with settings that no recognizer can serve."""
    shutil.copy(ROOT / "params.yaml", tmp_path)
    edit.set_values(tmp_path / "params.yaml", {"ingest.scrub.entities": BROKEN[broken]["entities"]})
    assert recorded(tmp_path, scrubbing.command(tmp_path / "params.yaml")) == [None]
    assert not holds_secret(tmp_path)


@pytest.mark.parametrize(
    "reply",
    [
        "[]",
        '["a", "b"]',
        "{}",
        "null",
        "no JSON",
        "",
        '"Angela Merkel of 5 Mill Lane"',
    ],
)
def test_nonsense_from_the_scrubbing_process_is_no_text(tmp_path: Path, reply: str) -> None:
    far = f"import sys\nfor line in sys.stdin: print({reply!r}, flush=True)"
    assert recorded(tmp_path, [sys.executable, "-c", far]) == [None]
    assert not holds_secret(tmp_path)


def test_a_scrubbing_process_that_is_not_there_is_no_way_round_it(tmp_path: Path) -> None:
    assert shutil.which("no-such-program") is None
    assert recorded(tmp_path, ["no-such-program"]) == [None]
    assert not holds_secret(tmp_path)
