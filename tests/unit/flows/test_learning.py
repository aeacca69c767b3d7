"""Which candidates are trained, and what becomes of them, by what the gate says."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from components.core.errors import GateRefused, RehearsalUndecided
from components.core.ledger import Champion
from components.core.ledger.verdicts import GateVerdict, RunOutcome
from components.gate import Decision
from flows import notify, retrain_requests
from flows.learning import Summary, in_turn

RELEASE, KEEP, REFUSE, _, CANNOT_SAY = GateVerdict

CHAMPION = Champion(
    version=1, bundle="b" * 64, tag="newsloop@v1.0.0", commit="c", dvc_lock="l", snapshot="s",
    metrics={}, decision={}, time=datetime(2026, 1, 5, tzinfo=UTC), reason="a test",
)  # fmt: skip
SAME = "the champion itself"
MANY = "refused for a thousand reasons"


def learn(
    verdicts: list[str], champion: Champion | None, summary: Summary | None = None
) -> tuple[Summary, int, list[str]]:
    """What a run makes of candidates of which the gate says this: (summary, tried, released)."""
    tried: list[str] = []
    released: list[str] = []

    def attempt(candidate: str) -> Decision | None:
        verdict = verdicts[len(tried)]
        tried.append(candidate)
        if verdict == SAME:
            return None
        name = champion.bundle if champion else None
        reasons = ["not good enough"] * (1 if verdict != MANY else 1000)
        kind = GateVerdict.REFUSE if verdict == MANY else verdict
        return Decision("d", kind, "a" * 64, name, candidate, [], reasons, None)

    def publish(decision: Decision) -> str:
        released.append(decision.architecture)
        return "newsloop@v2.0.0"

    summary = summary or Summary(version=champion.tag if champion else None)
    in_turn(["textcnn", "bilstm"], attempt, publish, champion, summary)
    return summary, len(tried), released


@pytest.mark.parametrize(
    ("verdicts", "outcome", "version", "tried", "released"),
    [
        ([RELEASE], "released", "newsloop@v2.0.0", 1, ["textcnn"]),
        ([REFUSE, RELEASE], "released", "newsloop@v2.0.0", 2, ["bilstm"]),
        # As good as the champion, as far as is known: it stays, and the next one is not trained.
        ([KEEP], "kept", "newsloop@v1.0.0", 1, []),
        ([REFUSE, KEEP], "kept", "newsloop@v1.0.0", 2, []),
        ([SAME], "unchanged", "newsloop@v1.0.0", 1, []),
    ],
)
def test_candidates_are_tried_until_the_gate_has_an_answer(
    verdicts: list[str], outcome: str, version: str, tried: int, released: list[str]
) -> None:
    found = learn(verdicts, CHAMPION)
    assert (found[0].outcome, found[0].version, *found[1:]) == (outcome, version, tried, released)
    assert (found[0].decision is None) == (verdicts == [SAME])


@pytest.mark.parametrize(
    ("verdicts", "champion", "words"),
    [
        ([REFUSE, REFUSE], CHAMPION, r"textcnn: not good enough; bilstm.*newsloop@v1.0.0 stays"),
        ([REFUSE, REFUSE], None, "Nothing was released"),
        ([KEEP, KEEP], None, "Nothing was released"),  # there is nothing to keep
        ([MANY, REFUSE], None, r"textcnn: (not good enough, ){8}and 992 more; bilstm: not good"),
    ],
)
def test_refused_candidates_leave_all_as_it_was(
    verdicts: list[str], champion: Champion | None, words: str
) -> None:
    with pytest.raises(GateRefused, match=words):
        learn(verdicts, champion)


@pytest.mark.parametrize(("verdicts", "tried"), [([CANNOT_SAY], 1), ([REFUSE, CANNOT_SAY], 2)])
def test_nothing_else_is_trained_for_a_rehearsal_without_a_result(
    verdicts: list[str], tried: int
) -> None:
    summary = Summary()
    with pytest.raises(RehearsalUndecided, match="not good enough This says nothing") as raised:
        learn([*verdicts, RELEASE], CHAMPION, summary)
    assert (summary.outcome, summary.version) == (RunOutcome.CANNOT_SAY, CHAMPION.tag)
    assert len(summary.decisions) == tried
    # A scheduled run is recorded as such, and an operator hears of it.
    outcome, details = retrain_requests.failure(raised.value)
    assert (outcome, details) == (RunOutcome.CANNOT_SAY, {"error": "RehearsalUndecided"})
    (alert,) = notify.of_learning(outcome, "run", raised.value)
    assert alert.kind == "rehearsal undecided"
