"""More texts than the scrubber can scrub, nearly all by one caller, through the real scrubber."""

from __future__ import annotations

import time
import uuid
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import sqlalchemy as sa

from components.core.ledger import PREDICTIONS, TEXTS, Ledger
from monitoring import windows
from serving.http.answers import Prediction
from serving.models.predictions import Answer
from serving.recording.recorder import Recorder
from serving.recording.scrubbing import ScrubbingProcess, command

PARAMS = Path(__file__).resolve().parents[2] / "params.yaml"
BUNDLE = "b" * 64
TEXT = "Mr Smith of {} High Street said that profits rose by {} per cent. " * 8
SECONDS = 8
SCRUBBED = 60  # texts a second, at most
FLOOD, STEADY = 700, 1  # texts a second


class SlowMachine(ScrubbingProcess):
    """The real scrubber on a machine that is slow."""

    def scrub(self, texts: Sequence[str]) -> list[str | None]:
        time.sleep(len(texts) / SCRUBBED)
        return super().scrub(texts)


def test_a_caller_that_floods_leaves_the_others_texts_and_an_even_sample(tmp_path: Path) -> None:
    ledger = Ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}")
    process = SlowMachine(command(PARAMS))
    process.scrub([TEXT])  # it is loaded
    recorder = Recorder(ledger, process, texts_held=1_200_000)
    recorder.start()
    sent: Counter[str | None] = Counter()

    def send(caller: str | None) -> None:
        prediction = Prediction(uuid.uuid4().hex, "tech", 0.9, {"tech": 0.9}, False)
        recorder.record(
            BUNDLE,
            [Answer(prediction, 4, 0.0, [0.5])],
            [TEXT.format(*range(sent.total(), sent.total() + 60))],
            caller,
        )
        sent[caller] += 1

    started = time.monotonic()
    while (elapsed := time.monotonic() - started) < SECONDS:
        while sent[None] < FLOOD * elapsed:
            send(None)
        while sent["steady"] < STEADY * elapsed:
            send("steady")
        time.sleep(0.01)
    assert recorder.levels["texts_waiting"] <= sent.total()
    recorder.close(120)

    rows = ledger.query(
        sa.select(PREDICTIONS.c.source, TEXTS.c.text, TEXTS.c.share).join(
            TEXTS, TEXTS.c.prediction_id == PREDICTIONS.c.id
        )
    )
    assert len(rows) == sent.total()  # every prediction is there, with a row of its text
    kept = Counter(row["source"] for row in rows if row["text"] is not None)
    assert kept["steady"] / sent["steady"] >= 0.75
    assert kept[None] / sent[None] < 0.5
    assert recorder.counts["texts_sampled_out"] == sum(
        row["text"] is None and row["share"] is not None for row in rows
    )
    assert not any("Smith" in (row["text"] or "") for row in rows)

    window = windows.pick(ledger, BUNDLE, 10_000, uneven=0.05)
    assert window.lost == recorder.counts["texts_dropped"] <= 0.02 * sent.total()
    assert 0 < window.share < 0.5
    ledger.close()
    steady = window.by_source().get("steady", 0)
    assert steady <= 0.2 * window.rows  # of all predictions they were 1 in 700
