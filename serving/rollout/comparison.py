"""What two models say of the same labelled texts, so that a worse one is told from a harder world.

Labels of before a release are of another world than those after it. So both models answer the texts
that people labelled since then: the scrubbed ones of the ledger, each once, on a thread of its own
that lets the service's answers go first.
"""

from __future__ import annotations

import hashlib
import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from components.core.errors import NewsloopError
from components.core.ledger import Ledger
from components.core.ledger import windows as ledger_windows
from components.core.ledger.trials import LabelledText
from serving.models.model_cache import ModelCache
from serving.rollout.paired_test import log_evidence

LOG = logging.getLogger("newsloop.serving")
NICENESS = 10
TOGETHER = 64  # texts that are computed at once
PAUSE = 0.002  # seconds that the thread lets waiting requests go first


@dataclass(frozen=True)
class Comparison:
    """Two models on the same labelled texts.

    Attributes:
        labels: different texts that people labelled and both models answered.
        right, other_right: on how many of them each model is right.
        log_evidence: that the model is worse; see serving/rollout/paired_test.py.
    """

    labels: int = 0
    right: int = 0
    other_right: int = 0
    log_evidence: float = 0.0


class LabelledTexts:
    """Answers of bundles to labelled texts, computed once and kept while something is on trial.

    Args:
        ledger: has the texts.
        model_cache: where bundles come from; one that served a while ago is still in memory.
        busy: True while requests wait for a model.
    """

    def __init__(self, ledger: Ledger, model_cache: ModelCache, busy: Callable[[], bool]) -> None:
        self._ledger, self._model_cache, self._busy = ledger, model_cache, busy
        self._digests: dict[int, bytes] = {}  # sequence number of a prediction -> of its text
        self._labels: dict[tuple[str, bytes], str] = {}  # bundle, text -> label
        self._refused: set[str] = set()  # bundles that cannot be loaded
        self._used: set[str] = set()
        self._work: Future[None] | None = None
        self._stop = threading.Event()
        self._pool = ThreadPoolExecutor(1, "labelled-texts", initializer=_let_others_go_first)

    def close(self) -> None:
        self._stop.set()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def clear(self) -> None:
        """Forgets all answers, and gives the bundles back; nothing is on trial any more."""
        if self._work is not None and not self._work.done():
            return  # asked again at the next look
        for user in self._used:
            self._model_cache.release(user)
        self._used.clear()
        self._refused.clear()
        self._digests.clear()
        self._labels.clear()

    def compare(self, rows: Sequence[LabelledText], bundle: str, other: str) -> Comparison:
        """Compares two bundles on the texts whose answers are known, and has the others computed.

        Args:
            rows: labelled predictions. A text that several of them hold counts once, by the first.
            bundle, other: names.
        """
        self._compute([row.seq for row in rows], (bundle, other))
        labels = {
            digest: row.label for row in reversed(rows) if (digest := self._digests.get(row.seq))
        }
        said = [
            (label, self._labels[bundle, digest], self._labels[other, digest])
            for digest, label in labels.items()
            if (bundle, digest) in self._labels and (other, digest) in self._labels
        ]
        right = sum(label == ours for label, ours, _ in said)
        other_right = sum(label == theirs for label, _, theirs in said)
        both = sum(label == ours == theirs for label, ours, theirs in said)
        evidence = float(log_evidence(other_right - both, right - both))
        return Comparison(len(said), right, other_right, evidence)

    def wait(self) -> None:
        """Waits until what was asked for is computed."""
        if self._work is not None:
            self._work.result()

    def _compute(self, seqs: Sequence[int], bundles: Sequence[str]) -> None:
        """Begins to compute what is missing, unless the thread is at work already."""
        if self._work is not None and not self._work.done():
            return
        missing = [
            seq
            for seq in seqs
            if any((bundle, self._digests.get(seq)) not in self._labels for bundle in bundles)
        ]
        if missing and not self._refused.intersection(bundles):
            self._work = self._pool.submit(self._answer, missing, bundles)

    def _answer(self, seqs: Sequence[int], bundles: Sequence[str]) -> None:
        try:
            rows = ledger_windows.texts(self._ledger, seqs)
            texts = {hashlib.sha256(row["text"].encode()).digest(): row["text"] for row in rows}
            for name in bundles:
                self._answer_by(name, texts)
            self._digests |= {
                row["seq"]: hashlib.sha256(row["text"].encode()).digest() for row in rows
            }
        except NewsloopError as error:
            LOG.error("Labelled texts are not compared: %s", error)
        except Exception as error:  # noqa: BLE001 - its text may hold text; the next look asks again
            LOG.error("Comparing labelled texts gave %s.", type(error).__name__)

    def _answer_by(self, name: str, texts: dict[bytes, str]) -> None:
        user = f"labelled texts {name}"
        try:
            bundle = self._model_cache.use(user, name)
        except NewsloopError:
            self._refused.add(name)
            raise
        self._used.add(user)
        asked = [digest for digest in texts if (name, digest) not in self._labels]
        for start in range(0, len(asked), TOGETHER):
            while self._busy() and not self._stop.is_set():
                time.sleep(PAUSE)
            if self._stop.is_set():
                return
            part = asked[start : start + TOGETHER]
            labels = bundle.predict([texts[digest] for digest in part]).labels
            self._labels |= {(name, d): label for d, label in zip(part, labels, strict=True)}


def _let_others_go_first() -> None:
    if sys.platform == "linux":  # there a thread has a niceness of its own
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
