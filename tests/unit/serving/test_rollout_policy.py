"""What makes a version on trial fail, pass, or need more time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from components.core import params as parameters
from components.core.ledger.counts import Counts
from serving.rollout.comparison import Comparison
from serving.rollout.policy import Evidence, judge

PROJECT = Path(__file__).resolve().parents[3]
LIMITS = parameters.load(PROJECT / "params.yaml").serve.challenger.model_copy(
    update={
        "absent_seconds": 30, "min_failures": 3, "max_error_share": 0.01, "max_slow_share": 0.05,
        "min_texts": 100, "max_confidence_drop": 0.1, "max_disagreement": 0.2, "min_labels": 20,
        "level": 0.01,
    }
)  # fmt: skip
STEP = 60
GOOD = Counts(batches=100, texts=200, confidence=180.0, compared=200, disagreed=20)


def evidence(ours: Counts = GOOD, **changes: Any) -> Evidence:
    return Evidence(ours, **({"other": GOOD, "seconds": STEP} | changes))


def counts(**changes: Any) -> Counts:
    return Counts(**(vars(GOOD) | changes))


@pytest.mark.parametrize(
    ("given", "verdict", "reason"),
    [
        (evidence(), "passed", "200 texts in 60 s without a fault"),
        (evidence(seconds=59), "wait", "200 of 100 texts, 59 of 60 s"),
        (evidence(counts(texts=99)), "wait", "99 of 100 texts"),
        (evidence(counts(texts=0, compared=100), shadow=True), "passed", "100 texts"),
        (evidence(counts(compared=99, disagreed=0), shadow=True), "wait", "99 of"),
        # Nothing counted is no good sign.
        (evidence(silent_seconds=30.1), "failed", "no metrics for 30 s"),
        (evidence(Counts(), silent_seconds=29, seconds=999), "wait", "0 of 100"),
        (evidence(Counts(), silent_seconds=31), "failed", "no metrics"),
        # Errors: 3 at least, and more than 1 %.
        (evidence(counts(errors=2)), "passed", ""),
        (evidence(counts(errors=3)), "failed", "errors: 3 of 100 batches"),
        (evidence(counts(batches=300, errors=3)), "passed", ""),
        (evidence(counts(slow=5)), "passed", ""),
        (evidence(counts(slow=6)), "failed", "slow: 6 of 100"),
        (evidence(counts(confidence=159.0)), "failed", "confidence 0.795, the champion's 0.900"),
        (evidence(counts(confidence=161.0)), "passed", ""),
        (evidence(counts(confidence=1.0), other=counts(texts=99)), "passed", ""),
        (evidence(counts(disagreed=41)), "failed", "another label than the champion's: 41 of 200"),
        (evidence(counts(compared=99, disagreed=99)), "passed", ""),
        # Accuracy: strong evidence, 20 texts at least, and the other one right on most of them.
        (
            evidence(labelled=Comparison(40, 28, 36, 4.61, True)),
            "failed",
            "28 of 40 labelled texts",
        ),
        (evidence(labelled=Comparison(40, 28, 36, 4.60, True)), "passed", ""),
        (evidence(labelled=Comparison(19, 7, 19, 9.0, True)), "passed", ""),
        (evidence(labelled=Comparison(40, 0, 20, 9.0, False)), "passed", ""),
        (evidence(counts(errors=9, slow=9)), "failed", "errors: 9 of 100 batches; slow: 9"),
    ],
)
def test_judge(given: Evidence, verdict: str, reason: str) -> None:
    found = judge(given, LIMITS, STEP)
    assert found[0] == verdict, found
    assert reason in found[1]


def test_counts_add_up() -> None:
    assert GOOD + Counts(batches=1, confidence=0.5) == counts(batches=101, confidence=180.5)
    assert Counts().mean_confidence == 0
