"""Queries of the ledger over several tables, compared with the same said in plain Python.

The ledgers are random: late, repeated and withdrawn labels by several callers, texts that are kept,
left out by a sample, lost or waiting, shadows, and times that are exactly the limit.
"""

from __future__ import annotations

import itertools
import random
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from components.core.errors import LedgerError
from components.core.ledger import (
    DECISIONS,
    LABELS,
    OUTCOMES,
    PREDICTIONS,
    TEXTS,
    WINDOWS,
    Ledger,
    decisions,
    labels,
    trials,
    windows,
)
from components.core.ledger.labels import Sender
from components.core.ledger.tables import SET_ASIDE, SHADOWS
from components.core.ledger.verdicts import AlertDelivery, RunOutcome, WindowFinding

NOW = datetime(2026, 1, 5, 3, tzinfo=UTC)
BUNDLES, CLASSES, SOURCES = "ab", ("x", "y"), (None, "desk", "press")
SENDERS = (None, Sender("k1"), Sender("k2", trusted=True), Sender("k3", trusted=False))
PREDICTED = 40


def at(minutes: float) -> datetime:
    return NOW + timedelta(minutes=minutes)


class Written:
    """A ledger with random rows, and the rows as they were written."""

    def __init__(self, ledger: Ledger, seed: int) -> None:
        chance = random.Random(seed)
        self.ledger = ledger
        self.predictions = [self._predict(i, chance) for i in range(PREDICTED)]
        ledger.insert(PREDICTIONS, [{**row} for row in self.predictions])
        for seq, row in enumerate(self.predictions, 1):
            row["seq"] = seq
        # id -> (text, share); without an entry it waits for the scrubber.
        self.texts: dict[str, tuple[str | None, float | None]] = {}
        for row in self.predictions:
            if kind := chance.randrange(5):
                text = None if kind in (1, 2) else f"text {row['seq']}"
                self.texts[row["id"]] = (text, (0.25, None, None, 0.5)[kind - 1])
        ledger.insert(
            TEXTS,
            [{"prediction_id": id_, "text": t, "share": s} for id_, (t, s) in self.texts.items()],
        )
        self.labels: list[dict[str, Any]] = []
        for minute in range(60):
            self._label(minute, chance)
        self.shadows = {
            (row["id"], bundle): chance.choice(CLASSES)
            for row in self.predictions
            for bundle in BUNDLES
            if bundle != row["bundle"] and chance.random() < 0.5
        }
        ledger.insert(
            SHADOWS,
            [{"prediction_id": id_, "bundle": bundle, "label": label, "confidence": 0.5}
             for (id_, bundle), label in self.shadows.items()],
        )  # fmt: skip

    def _predict(self, number: int, chance: random.Random) -> dict[str, Any]:
        return {
            "id": f"{chance.getrandbits(128):032x}", "time": at(number // 2),
            "bundle": chance.choice(BUNDLES), "label": chance.choice(CLASSES), "confidence": 0.5,
            "probabilities": {"x": 0.5}, "words": 1, "unknown_share": 0.0, "features": [],
            "source": chance.choice(SOURCES),
        }  # fmt: skip

    def _label(self, minute: int, chance: random.Random) -> None:
        row, label = chance.choice(self.predictions), chance.choice(CLASSES)
        sender, origin = chance.choice(SENDERS), chance.choice((None, None, windows.QUEUE, "other"))
        caller = sender.caller if sender else None
        own = [one for one in self.labels if (one["id"], one["caller"]) == (row["id"], caller)]
        count = self.ledger.add_labels([(row["id"], label)], at(minute), origin, sender)
        if own and own[-1]["label"] == label:
            assert count == {"accepted": 0, "duplicate": 1, "unknown": 0}
            return
        assert count == {"accepted": 1, "duplicate": 0, "unknown": 0}
        said = {"seq": len(self.labels) + 1, "id": row["id"], "label": label, "time": at(minute)}
        trusted = sender is None or sender.trusted
        self.labels.append({**said, "origin": origin, "caller": caller, "trusted": trusted})

    def prediction(self, id_: str) -> dict[str, Any]:
        return next(row for row in self.predictions if row["id"] == id_)

    def last(self, until: int = 10**6) -> list[dict[str, Any]]:
        """The last label of each prediction, by number."""
        newest = {row["id"]: row for row in self.labels if row["seq"] <= until}
        return sorted(newest.values(), key=lambda row: row["seq"])


def counting(row: dict[str, Any]) -> str | None:
    """The caller of a label that does not count alone."""
    return None if row["trusted"] else row["caller"]


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a ledger with its tables."""
    file = tmp_path_factory.mktemp("empty") / "ledger.sqlite"
    Ledger(f"sqlite:///{file}").close()
    return file


@pytest.fixture(scope="module", params=range(2), ids=lambda seed: f"seed {seed}")
def made(
    request: pytest.FixtureRequest, empty: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Written]:
    file = Path(shutil.copy(empty, tmp_path_factory.mktemp("made")))
    ledger = Ledger(f"sqlite:///{file}", create=False)
    written = Written(ledger, request.param)
    ledger.close()
    return file, written


@pytest.fixture
def written(made: tuple[Path, Written], tmp_path: Path) -> Iterator[Written]:
    """A copy, which the test may change."""
    file, written = made
    written.ledger = Ledger(f"sqlite:///{shutil.copy(file, tmp_path)}", create=False)
    yield written
    written.ledger.close()


def test_what_is_learned_is_the_last_label_of_each_text(written: Written) -> None:
    for until in (0, 7, 30, 999):
        last = written.last(until)
        assert written.ledger.feedback(until) == [
            {"prediction_id": row["id"], "text": written.texts[row["id"]][0],
             "label": row["label"], "time": written.prediction(row["id"])["time"]}
            for row in last
            if written.texts.get(row["id"], (None,))[0] is not None
        ]  # fmt: skip
        assert labels.learnable(written.ledger, until) == [
            {"seq": row["seq"], "prediction_id": row["id"], "label": row["label"],
             "caller": counting(row)}
            for row in last
        ]  # fmt: skip
        assert written.ledger.feedback_without_text(until) == sum(
            written.texts.get(row["id"], ("waits",))[0] is None
            for row in written.labels
            if row["seq"] <= until
        )
        assert written.ledger.count_labels(until) == sum(
            row["seq"] > until for row in written.labels
        )
    assert labels.learnable(written.ledger) == labels.learnable(written.ledger, 999)
    waiting = [row["seq"] for row in written.labels if row["id"] not in written.texts]
    before = [row["seq"] for row in written.labels if row["seq"] < min(waiting, default=999)]
    assert written.ledger.feedback_watermark() == max(before, default=0)


def test_what_is_set_aside_counts_nowhere_and_comes_back_with_its_number(written: Written) -> None:
    ledger = written.ledger
    callers = ("k1", "k2", "k3", "nobody")
    sent = {
        caller: [labels.sent(ledger, caller, at(minute)) for minute in (-1, 20, 59)]
        for caller in callers
    }
    assert sent == {
        caller: [
            sum(row["caller"] == caller and row["time"] > at(minute) for row in written.labels)
            for minute in (-1, 20, 59)
        ]
        for caller in callers
    }
    everything = ledger.query(sa.select(LABELS).order_by(LABELS.c.seq))
    gone = [row["seq"] for row in written.labels if row["caller"] == "k1"]
    suspects = [row["seq"] for row in written.labels if row["caller"] == "k3"]
    assert labels.set_aside(ledger, [*gone, 999], "withdrawn", NOW) == len(gone)
    assert labels.set_aside(ledger, suspects, "suspect", NOW) == len(suspects)
    assert {row["caller"] for row in labels.learnable(ledger)} <= {None}
    assert [row["seq"] for row in labels.aside(ledger)] == sorted([*gone, *suspects])
    assert [row["seq"] for row in labels.aside(ledger, "suspect")] == suspects
    assert {row["since"] for row in labels.aside(ledger)} <= {NOW}
    # A caller's rate is what was sent, whatever became of it.
    assert sent == {
        caller: [labels.sent(ledger, caller, at(minute)) for minute in (-1, 20, 59)]
        for caller in callers
    }
    assert labels.withdraw_suspects(ledger, suspects[:1]) == len(suspects[:1])
    assert [row["seq"] for row in labels.aside(ledger, "suspect")] == suspects[1:]
    assert labels.take_back(ledger, [*gone, *suspects]) == len([*gone, *suspects])
    assert ledger.query(sa.select(SET_ASIDE)) == []
    back = {*gone, *suspects}
    expected = [{**row, "trusted": True} if row["seq"] in back else row for row in everything]
    assert ledger.query(sa.select(LABELS).order_by(LABELS.c.seq)) == expected
    # Who looked at them lets them decide alone.
    assert {row["caller"] for row in labels.learnable(ledger)} == {None}


def test_more_values_than_a_statement_takes_are_all_looked_up(
    written: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(labels, "_TOGETHER", 7)
    monkeypatch.setattr(windows, "_TOGETHER", 7)
    ids = [row["id"] for row in written.predictions]
    assert labels.texts(written.ledger, [*ids, "nobody"]) == {
        row["id"]: {"id": row["id"], "predicted": row["label"],
                    "text": written.texts.get(row["id"], (None,))[0]}
        for row in written.predictions
    }  # fmt: skip
    order = [row["seq"] for row in written.predictions][::-1]
    assert windows.texts(written.ledger, [*order, 999]) == [
        {"seq": seq, "id": row["id"], "text": text, "source": row["source"]}
        for seq, row in ((seq, written.predictions[seq - 1]) for seq in order)
        if (text := written.texts.get(row["id"], (None,))[0]) is not None
    ]
    seqs = [row["seq"] for row in written.labels]
    assert labels.set_aside(written.ledger, seqs, "suspect", NOW) == len(seqs)
    assert labels.withdraw_suspects(written.ledger, seqs) == len(seqs)
    assert labels.take_back(written.ledger, seqs) == len(seqs)


def state(written: Written, id_: str) -> str:
    if id_ not in written.texts:
        return "waiting"
    text, share = written.texts[id_]
    return "kept" if text is not None else "lost" if share is None else "sampled_out"


def test_texts_are_counted_by_what_became_of_them(written: Written) -> None:
    for minute in (-1, 5, 19):
        states = [
            state(written, row["id"]) for row in written.predictions if row["time"] > at(minute)
        ]
        counts = windows.text_counts(written.ledger, at(minute))
        assert counts._asdict() == {name: states.count(name) for name in windows.TextCounts._fields}
    for until, verdict in ((3, "none"), (9, "cannot say"), (14, "drift")):
        row = {"time": NOW, "bundle": "a", "after": 0, "until": until, "rows": 1,
               "verdict": verdict, "details": {}}  # fmt: skip
        written.ledger.insert(WINDOWS, [row])
    assert windows.judged_until(written.ledger, "a") == 14
    assert windows.judged_until(written.ledger, "b") == 0
    assert windows.last_with(written.ledger, "a", WindowFinding.CANNOT_SAY) == 9
    assert windows.last_with(written.ledger, "b", WindowFinding.NONE) == 0
    for bundle, until in (("a", 14), ("b", 0)):
        states = [
            state(written, row["id"])
            for row in written.predictions
            if row["seq"] > until and row["bundle"] == bundle
        ]
        counts = windows.unjudged(written.ledger, bundle)
        assert counts == tuple(states.count(name) for name in windows.TextCounts._fields)


@pytest.mark.parametrize("source", SOURCES)
def test_a_window_has_the_predictions_of_its_bundle_and_source(
    written: Written, source: str | None
) -> None:
    for bundle, after in itertools.product(BUNDLES, (0, 11)):
        own = [
            row
            for row in written.predictions
            if (row["bundle"], True) == (bundle, row["seq"] > after)
            and source in (None, row["source"])
        ]
        later = sum(row["seq"] > 20 for row in own)
        assert windows.counts(written.ledger, bundle, after, 20, source) == {
            "within": len(own) - later, "later": later,
        }  # fmt: skip
        assert windows.sampled(written.ledger, bundle, after, source) == [
            (row["seq"], int(row["id"][:12], 16) / 16**12,
             1.0 if (share := written.texts[row["id"]][1]) is None else share,
             state(written, row["id"]) == "kept")
            for row in own
            if state(written, row["id"]) in ("kept", "sampled_out")
        ]  # fmt: skip


def test_the_truth_about_answers_is_the_last_label_that_nobody_asked_for(written: Written) -> None:
    for bundle, minute in itertools.product(BUNDLES, (-1, 5)):
        expected = []
        for row in written.last():
            answer = written.prediction(row["id"])
            if row["origin"] == windows.QUEUE or answer["bundle"] != bundle:
                continue
            if answer["time"] > at(minute):
                expected.append((answer["time"], answer["label"] == row["label"], counting(row)))
        found = windows.truths(written.ledger, bundle, at(minute))
        assert [time for time, _, _ in found] == sorted(time for time, _, _ in found)
        assert sorted(found, key=repr) == sorted(expected, key=repr)


def test_what_can_be_labelled_is_the_newest_with_a_text_and_without_a_label(
    written: Written,
) -> None:
    labelled = {row["id"] for row in written.labels}
    for bundle, most in itertools.product(BUNDLES, (2, 99)):
        expected = [
            row["id"]
            for row in reversed(written.predictions)
            if row["bundle"] == bundle
            and row["id"] not in labelled
            and state(written, row["id"]) == "kept"
        ]
        found = windows.unlabelled(written.ledger, bundle, most)
        assert [row["id"] for row in found] == expected[:most]


def test_labelled_answers_of_a_bundle_are_its_own_and_its_shadows(written: Written) -> None:
    last = {row["id"]: row["label"] for row in written.last()}
    for bundle, since in itertools.product(BUNDLES, (None, at(10))):
        answers = [
            (row["id"], row["label"]) for row in written.predictions if row["bundle"] == bundle
        ]
        answers += [(id_, said) for (id_, of), said in written.shadows.items() if of == bundle]
        judged = [
            last[id_] == said
            for id_, said in answers
            if id_ in last and (since is None or written.prediction(id_)["time"] >= since)
        ]
        assert trials.labelled(written.ledger, bundle, since) == (sum(judged), len(judged))


def test_two_models_are_compared_by_each_callers_last_label_of_new_texts(
    written: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    for minute in (0, 10):
        newest: dict[Any, dict[str, Any]] = {}
        for row in written.labels:
            if row["time"] >= at(minute):
                newest[row["id"], row["caller"]] = row
        expected = [
            trials.LabelledText(answer["seq"], row["label"], counting(row))
            for row in sorted(newest.values(), key=lambda row: row["seq"])
            if (answer := written.prediction(row["id"]))["time"] >= at(minute)
            and row["origin"] != windows.QUEUE
        ]
        assert trials.labelled_texts(written.ledger, at(minute)) == expected
    monkeypatch.setattr(trials, "_LABELLED_TEXTS", 3)
    assert trials.labelled_texts(written.ledger, at(10)) == expected[:3]


# Decisions, runs and alerts


@pytest.fixture
def ledger(empty: Path, tmp_path: Path) -> Iterator[Ledger]:
    opened = Ledger(f"sqlite:///{shutil.copy(empty, tmp_path)}", create=False)
    yield opened
    opened.close()


def decide(
    ledger: Ledger, id_: str, days: float, kind: str = "governor", verdict: str = "retrain",
    **details: Any,
) -> None:  # fmt: skip
    ledger.insert(
        DECISIONS,
        [{"id": id_, "kind": kind, "time": NOW - timedelta(days=days), "verdict": verdict,
          "reasons": ["why"], "details": details}],
    )  # fmt: skip


def test_what_was_asked_for_in_a_month_and_what_is_still_open(ledger: Ledger) -> None:
    decide(ledger, "old", 30)
    decide(ledger, "first", 29.9, bundle="a")
    decide(ledger, "waits", 3, verdict="wait")
    decide(ledger, "gate", 2, kind="gate", verdict="release")
    decide(ledger, "later", -1, bundle="a")
    asked = decisions.asked(ledger, NOW)
    assert [row["id"] for row in asked] == ["later", "first"]
    assert decisions.open_request(ledger, [], "a") is None
    assert decisions.open_request(ledger, asked, "b") is None
    assert decisions.open_request(ledger, asked, "a") == asked[0]
    # A request that names no bundle concerns whichever serves.
    decide(ledger, "any", 0)
    assert decisions.open_request(ledger, decisions.asked(ledger, NOW), "z") is not None
    ledger.claim("first", "run 1", NOW)
    assert decisions.open_request(ledger, asked, "a") == asked[0]
    ledger.claim("later", "run 2", at(5))
    assert decisions.open_request(ledger, asked, "a") is None
    assert decisions.last_taken_up(ledger) == at(5)
    assert [row["flow_run"] for row in decisions.unfinished(ledger)] == ["run 1", "run 2"]
    assert decisions.end(ledger, "run 1", "first", RunOutcome.KEPT, at(6), {"why": 1})
    assert not decisions.end(ledger, "run 1", "first", RunOutcome.FAILED, at(7))
    (row,) = ledger.query(sa.select(OUTCOMES))
    assert (row["outcome"], row["details"], row["time"]) == ("kept", {"why": 1}, at(6))
    assert [row["flow_run"] for row in decisions.unfinished(ledger)] == ["run 2"]
    story = {row["id"]: (row["flow_run"], row["outcome"]) for row in decisions.story(ledger, 9)}
    assert list(story) == ["any", "later", "waits", "first", "old"]
    assert (story["later"], story["first"]) == (("run 2", None), ("run 1", "kept"))
    assert story["any"] == (None, None)
    assert [row["id"] for row in decisions.story(ledger, 2)] == ["any", "later"]


def test_windows_that_moved_are_those_of_the_bundle_the_newest_first(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    for i, (bundle, moved) in enumerate(
        [("a", True), ("a", True), ("b", True), ("a", None), ("a", False)]
    ):
        decide(ledger, f"d{i}", 1, verdict="wait", bundle=bundle, world_moved=moved)
    decide(ledger, "gate", 1, kind="gate", verdict="release", bundle="a", world_moved=True)
    assert decisions.moved(ledger, "a", 9) == (False, True, True)
    assert decisions.moved(ledger, "a", 2) == (False, True)
    assert decisions.moved(ledger, "c", 9) == ()
    monkeypatch.setattr(decisions, "_RECENT_WINDOWS", 3)
    assert decisions.moved(ledger, "a", 9) == (False, True)


def test_failures_are_those_since_the_last_good_run_or_the_closed_circuit(ledger: Ledger) -> None:
    for minute, outcome in enumerate(
        ["failed", "released", "crashed", "merged", "interrupted", "refused", "cannot say"]
    ):
        assert decisions.end(ledger, f"run {minute}", None, RunOutcome(outcome), at(minute))
    assert decisions.failures(ledger) == (at(6), at(5), at(2))
    row = {"id": "c" * 32, "kind": "circuit", "time": at(5), "verdict": "closed", "reasons": []}
    ledger.add_decision({**row, "details": {}})
    assert decisions.failures(ledger) == (at(6),)


def test_facts_are_added_to_a_decision_and_none_is_lost(ledger: Ledger) -> None:
    decide(ledger, "one", 1, a=1)
    decide(ledger, "two", 1, a=1)
    decisions.add_details(ledger, "one", {"a": 2, "b": 3})
    decisions.add_details(ledger, "nobody", {"a": 2})
    found = {id_: decisions.decision(ledger, id_) for id_ in ("one", "two", "nobody")}
    assert found["nobody"] is None
    assert [(row or {})["details"] for row in list(found.values())[:2]] == [
        {"a": 2, "b": 3}, {"a": 1},
    ]  # fmt: skip


def test_alerts_are_told_once_and_listed_from_both_ends(ledger: Ledger) -> None:
    for minute in range(5):
        decisions.add_alert(ledger, "drift", "k", f"alert {minute}", at(minute))
    assert [row["text"][-1] for row in decisions.alerts(ledger, limit=2)] == ["4", "3"]
    assert [row["text"][-1] for row in decisions.alerts(ledger, at(2))] == ["4", "3"]
    assert [row["text"][-1] for row in decisions.alerts(ledger)] == ["4", "3", "2", "1", "0"]
    assert [row["seq"] for row in decisions.untold(ledger, 2)] == [1, 2]
    decisions.mark_alerts(ledger, [], AlertDelivery.TOLD)
    decisions.mark_alerts(ledger, [1, 3], AlertDelivery.TOLD)
    assert [row["seq"] for row in decisions.untold(ledger)] == [2, 4, 5]
    newest = decisions.alerts(ledger)[0]
    assert (newest["kind"], newest["key"]) == ("drift", "k")


def release(ledger: Ledger, number: int, watermark: int | None = None) -> dict[str, Any]:
    decision = {} if watermark is None else {"feedback_watermark": watermark}
    row = {
        "version": number, "bundle": f"{number:064x}", "time": NOW,
        "tag": f"newsloop@v{number}.0.0", "commit": "c" * 40, "dvc_lock": "d" * 64,
        "snapshot": "e" * 64, "metrics": {}, "decision": decision,
    }  # fmt: skip
    ledger.add_version(row, "a test")
    return row


def test_versions_that_had_a_label_to_learn_from(ledger: Ledger) -> None:
    for number, watermark in ((1, None), (2, 4), (3, 7)):
        release(ledger, number, watermark)
    assert labels.learned_by(ledger, [4, 5, 7, 8]) == {"newsloop@v2.0.0": 1, "newsloop@v3.0.0": 3}
    assert list(labels.learned_by(ledger, [1])) == ["newsloop@v2.0.0", "newsloop@v3.0.0"]
    assert labels.learned_by(ledger, [8]) == {}


def test_rollbacks_since_a_time_name_the_version_that_was_left(ledger: Ledger) -> None:
    for number in (1, 2, 3):
        release(ledger, number)
    ledger.deploy(1, at(5), "back")
    ledger.deploy(2, at(6), "forth")
    ledger.deploy(1, at(7), "back again")
    found = decisions.setbacks(ledger, at(4))
    assert [(row["before"], row["version"], row["time"]) for row in found] == [
        ("newsloop@v3.0.0", 1, at(5)), ("newsloop@v2.0.0", 1, at(7)),
    ]  # fmt: skip
    assert [row["time"] for row in decisions.setbacks(ledger, at(5))] == [at(7)]


def test_a_version_is_retired_once(ledger: Ledger) -> None:
    release(ledger, 1)
    with pytest.raises(LedgerError, match="champion to serve in the ledger"):
        Ledger("sqlite://").need_champion("to serve")
    assert ledger.need_champion("to serve").version == 1
    assert ledger.retire(1, "b", NOW, "erased", "0123456789ab")
    assert not ledger.retire(1, "b", NOW, "erased again")
    (row,) = ledger.retired().values()
    assert (row["reason"], row["erasure"], row["bundle"]) == ("erased", "0123456789ab", "b")
    assert [one.version for one in ledger.deployments(limit=1)] == [1]


def test_windows_tell_what_they_were_allowed_and_where_texts_come_from(ledger: Ledger) -> None:
    rows = [
        ("a", 0, 5, "none", {"level": 0.01, "sources": {"desk": 3}}),
        ("a", 5, 9, "drift", {"level": 0.02, "sources": {"desk": 1, "press": 2}}),
        ("a", 9, 12, "bad data", {"level": None, "sources": {"crawler": 99}}),
        ("a", 12, 20, "none", {}),
        ("b", 0, 4, "none", {"sources": {"other": 1}}),
    ]
    for i, (bundle, after, until, verdict, details) in enumerate(rows):
        row = {"time": at(i), "bundle": bundle, "after": after, "until": until, "rows": 1}
        ledger.insert(WINDOWS, [{**row, "verdict": verdict, "details": details}])
    assert windows.spent(ledger, at(-1)) == pytest.approx(0.03)
    assert windows.spent(ledger, at(0)) == pytest.approx(0.02)
    assert windows.usual_sources(ledger, "a", 9) == {"desk": 4, "press": 2}
    assert windows.usual_sources(ledger, "a", 2) == {"desk": 1, "press": 2}
    assert windows.spans(ledger, "a", WindowFinding.NONE) == [(0, 5), (12, 20)]
    assert windows.last_with(ledger, "a", WindowFinding.NONE, WindowFinding.DRIFT) == 20
