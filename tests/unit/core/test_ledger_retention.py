"""Erasure and retention in the ledger: what goes, what stays, and that its room is given back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import sqlalchemy as sa

from components.core.ledger import (
    DECISIONS,
    LABELS,
    OUTCOMES,
    PREDICTIONS,
    RUNS,
    TEXTS,
    WINDOWS,
    Ledger,
)
from components.core.ledger import (
    decisions as ledger_decisions,
)
from components.core.ledger import (
    retention as ledger_retention,
)

NOW = datetime(2026, 6, 1, tzinfo=UTC)
SECRET = "the quick brown fox wrote to <EMAIL_ADDRESS> and <PERSON> and <PERSON> a < b > c <br>"


def days(count: float) -> datetime:
    return NOW - timedelta(days=count)


def predict(
    ledger: Ledger, id_: str, age: float, text: str | None, label: str | None = None
) -> None:
    ledger.insert(
        PREDICTIONS,
        [{"id": id_, "time": days(age), "bundle": "b", "label": "x", "confidence": 0.5,
          "probabilities": {}, "words": 1, "unknown_share": 0.0, "features": [1.0]}],
    )  # fmt: skip
    ledger.insert(TEXTS, [{"prediction_id": id_, "text": text}])
    if label:
        ledger.add_labels([(id_, label)], days(age))


def texts(ledger: Ledger) -> dict[str, str | None]:
    return {row["prediction_id"]: row["text"] for row in ledger.query(sa.select(TEXTS))}


def expire(ledger: Ledger, dry_run: bool = False) -> dict[str, int]:
    return ledger_retention.expire(ledger, days(30), days(365), days(730), dry_run=dry_run)


def test_a_text_is_forgotten_and_its_label_leaves_the_feedback(ledger: Ledger) -> None:
    predict(ledger, "a", 1, SECRET, "x")
    predict(ledger, "b", 1, "another text", "x")
    predict(ledger, "c", 1, "a third text", "x")
    watermark = ledger.feedback_watermark()
    found = ledger_retention.find(ledger, [SECRET], ["c", "nobody"])
    assert found == ["a", "c"]
    assert ledger_retention.forget(ledger, found) == 2
    assert texts(ledger) == {"a": None, "b": "another text", "c": None}
    assert [row["prediction_id"] for row in ledger.feedback(watermark)] == ["b"]
    assert ledger.feedback_watermark() == watermark
    assert ledger.feedback_without_text(watermark) == 2
    features = {row["id"]: row["features"] for row in ledger.query(sa.select(PREDICTIONS))}
    assert features == {"a": [], "b": [1.0], "c": []}
    assert ledger_retention.find(ledger, [SECRET], ["c"]) == []


def test_what_is_forgotten_is_in_no_byte_of_the_files(ledger: Ledger, tmp_path: Path) -> None:
    for i in range(200):
        predict(ledger, f"{i}", 1, f"{SECRET} number {i} " * 20)
    ledger_retention.forget(ledger, [f"{i}" for i in range(200)])
    ledger_retention.compact(ledger)
    predict(ledger, "later", 1, "still usable")
    for path in tmp_path.iterdir():
        assert b"brown fox" not in path.read_bytes()


def test_old_texts_go_first_and_labelled_ones_later(ledger: Ledger) -> None:
    predict(ledger, "new", 29, "text")
    predict(ledger, "old", 31, "text")
    predict(ledger, "labelled", 31, "text", "x")
    predict(ledger, "old labelled", 366, "text", "x")
    before = texts(ledger)
    expected = {"texts": 1, "labelled_texts": 1, "predictions": 0, "labels": 0, "windows": 0,
                "decisions": 0, "outcomes": 0, "alerts": 0}  # fmt: skip
    assert expire(ledger, dry_run=True) == expected
    assert texts(ledger) == before
    assert expire(ledger) == expected
    kept = {"new": "text", "old": None, "labelled": "text", "old labelled": None}
    assert texts(ledger) == kept
    assert set(expire(ledger).values()) == {0}


def test_old_rows_go_but_never_the_newest_label(ledger: Ledger) -> None:
    predict(ledger, "ancient", 731, "text", "x")
    predict(ledger, "old", 731, "text", "x")
    watermark = ledger.feedback_watermark()
    assert expire(ledger, dry_run=True)["predictions"] == 2
    found = expire(ledger)
    assert (found["predictions"], found["labels"]) == (2, 1)
    assert [row["prediction_id"] for row in ledger.query(sa.select(LABELS))] == ["old"]
    assert texts(ledger) == {"old": None}
    assert ledger.feedback_watermark() == watermark == 2
    assert ledger.feedback(watermark) == []


def test_the_last_window_and_the_last_request_stay(ledger: Ledger) -> None:
    for seq, age in ((1, 900), (2, 800)):
        ledger.insert(
            WINDOWS,
            [{"time": days(age), "bundle": "b", "after": 0, "until": seq, "rows": 1,
              "verdict": "none", "details": {}}],
        )  # fmt: skip
        for kind in ("governor", "gate"):
            ledger.add_decision(
                {"id": f"{kind}{seq}", "kind": kind, "time": days(age), "verdict": "retrain",
                 "reasons": [], "details": {}}
            )  # fmt: skip
    found = expire(ledger)
    assert (found["windows"], found["decisions"]) == (1, 1)
    assert [row["until"] for row in ledger.query(sa.select(WINDOWS))] == [2]
    ids = sorted(row["id"] for row in ledger.query(sa.select(DECISIONS)))
    assert ids == ["gate1", "gate2", "governor2"]


def test_old_runs_go_with_their_outcomes_and_no_run_is_taken_for_dead(ledger: Ledger) -> None:
    for run, began, ended in (("old", 731, 731), ("long", 731, 729), ("at work", 731, None)):
        ledger.claim(run, run, days(began))
        if ended:
            ledger_decisions.end(ledger, run, run, "released", days(ended))
    ledger_decisions.end(ledger, "no claim", None, "merged", days(731))
    for age in (731, 729):
        ledger_decisions.add_alert(ledger, "drift", f"{age}", "moved", days(age))
    before = expire(ledger, dry_run=True)
    assert (before["outcomes"], before["alerts"]) == (2, 1)
    assert expire(ledger) == before
    assert [row["flow_run"] for row in ledger.query(sa.select(RUNS))] == ["long", "at work"]
    assert [row["flow_run"] for row in ledger.query(sa.select(OUTCOMES))] == ["long"]
    assert [row["flow_run"] for row in ledger_decisions.unfinished(ledger)] == ["at work"]
    assert [row["key"] for row in ledger_decisions.alerts(ledger)] == ["729"]


def test_the_service_s_masks_are_counted_by_their_placeholders(ledger: Ledger) -> None:
    predict(ledger, "a", 1, SECRET)
    predict(ledger, "b", 1, "<PERSON_0123456789ab> alone")
    predict(ledger, "c", 1, None)
    assert ledger_retention.masked(ledger) == {"EMAIL_ADDRESS": 1, "PERSON": 3}
