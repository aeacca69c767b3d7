"""Compares two models on the same labelled texts, to tell a worse model from harder texts.

Texts from before a release may differ from those after it. Therefore both models answer the texts
that people labelled since then: the scrubbed ones of the ledger, each once. A thread of its own
computes the answers, and lets the service's answers go first.
"""

from __future__ import annotations

import hashlib
import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from components.core.errors import NewsloopError
from components.core.ledger import Ledger
from components.core.ledger import windows as ledger_windows
from components.core.ledger.trials import LabelledText
from serving.models.model_cache import ModelCache
from serving.rollout.paired_test import log_evidence_of_callers

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
        plausible: the other model is right on most of them, those of any one caller aside.
    """

    labels: int = 0
    right: int = 0
    other_right: int = 0
    log_evidence: float = 0.0
    plausible: bool = False


@dataclass
class _CallerCounts:
    """Counts of the texts that one caller labelled."""

    labels: int = 0
    right: int = 0
    other_right: int = 0
    both: int = 0

    @property
    def pairs(self) -> tuple[int, int]:
        """Texts that the model lost, and that it won."""
        return self.other_right - self.both, self.right - self.both


def counted(outcomes: Iterable[tuple[str | None, bool, bool]]) -> Comparison:
    """Counts texts.

    Args:
        outcomes: of each text, the caller who labelled it (None: labels that may decide alone),
            and for each model whether it is right.
    """
    by_caller: dict[str | None, _CallerCounts] = {None: _CallerCounts()}
    for caller, is_right, other_is_right in outcomes:
        counts = by_caller.setdefault(caller, _CallerCounts())
        counts.labels += 1
        counts.right += is_right
        counts.other_right += other_is_right
        counts.both += is_right and other_is_right
    labels = sum(counts.labels for counts in by_caller.values())
    right = sum(counts.right for counts in by_caller.values())
    other_right = sum(counts.other_right for counts in by_caller.values())
    callers = [counts for caller, counts in by_caller.items() if caller is not None]
    return Comparison(
        labels,
        right,
        other_right,
        log_evidence_of_callers(by_caller[None].pairs, [counts.pairs for counts in callers]),
        any(
            2 * (other_right - counts.other_right) > labels - counts.labels
            for counts in (_CallerCounts(), *callers)
        ),
    )


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
            rows: labelled predictions. A text that several of them hold counts once, for the caller
                who labelled it first.
            bundle, other: names.
        """
        self._compute([row.seq for row in rows], (bundle, other))
        texts: dict[bytes, LabelledText] = {}
        for row in rows:
            digest = self._digests.get(row.seq)
            if digest and (bundle, digest) in self._labels and (other, digest) in self._labels:
                texts.setdefault(digest, row)
        return counted(
            (
                row.caller,
                self._labels[bundle, digest] == row.label,
                self._labels[other, digest] == row.label,
            )
            for digest, row in texts.items()
        )

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
