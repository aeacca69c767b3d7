"""The operator's page, and whether a retraining helped, with a real ledger and no model."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from components.core import tables
from components.core.ledger import LABELS, PREDICTIONS, labels
from components.core.ledger import decisions as ledger_decisions
from components.core.target import SingleLabel
from flows import retrain_requests, write_operator_page
from monitoring import retraining_effect
from monitoring.alerts import Alert, AlertKind, tell
from monitoring.operator_page import charts, judged
from tests.watched import NOW, Reader, World, sample

MOST_BYTES = 1_000_000


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World.make(tmp_path)
    yield world
    world.ledger.close()


def hour(hours: float) -> object:
    return NOW + timedelta(hours=hours)


def window(world: World, hours: float, rows: int, drifted: bool | None, verdict: str) -> None:
    """A judged window of the newest `rows` predictions, and its decision."""
    signals = [
        {"name": name, "drifted": drifted if name == "feature_0" else False}
        for name in sample(1, 0).columns
    ]
    after, decision_id = world.served - rows, f"{int(hours * 100):032x}"
    estimate = {"accuracy": {"value": 0.9, "low": 0.87, "high": 0.93}, "trusted": not drifted}
    source = {"name": "desk", "rows": rows, "finding": "drift", "p_value": 0.0123,
              "signals": ["label", "words"]}  # fmt: skip
    details = {"bundle": world.bundle, "rule": verdict, "world_moved": drifted, "signals": signals,
               "estimate": estimate, "by_source": [source]}  # fmt: skip
    world.ledger.add_window(
        {"time": hour(hours), "bundle": world.bundle, "after": after, "until": world.served,
         "rows": rows, "verdict": "drift" if drifted else "none", "details": details},
        {"id": decision_id, "kind": "governor", "time": hour(hours), "verdict": verdict,
         "reasons": ["Because of <b>numbers</b>.", f"So {verdict}."], "details": details},
    )  # fmt: skip


def retrained(world: World, hours: float) -> str:
    """A request that a run took up and released a second version for; the decision's id."""
    decision_id, _ = retrain_requests.ask_as_person(
        world.ledger, world.params, hour(hours), "a test"
    )
    retrain_requests.take_up(world.ledger, world.params, decision_id, "", "run", hour(hours + 0.1))
    world.release(version=2)
    details = {"version": "newsloop@v2.0.0"}
    ledger_decisions.end(world.ledger, "run", decision_id, "released", hour(hours + 0.2), details)
    return decision_id


def say(world: World, first: int, labels: list[str]) -> None:
    rows = [
        {"prediction_id": f"{first + i:032x}", "label": label, "time": NOW}
        for i, label in enumerate(labels)
    ]
    world.ledger.insert(LABELS, rows)


class Wrong(Reader):
    """A model that says "b" of every text."""

    def predict(self, texts):  # type: ignore[no-untyped-def]
        found = super().predict(texts)
        return type(found)(**{**vars(found), "labels": ["b"] * len(texts)})


def test_helped_is_said_in_the_decisions_row(world: World) -> None:
    assert retraining_effect.run(world.params, world.paths, world.ledger, Wrong) is None
    decision_id = retrained(world, 0)
    assert (
        retraining_effect.run(world.params, world.paths, world.ledger, Wrong) is None
    )  # no window yet
    world.serve(60)
    window(world, 2, 60, False, "wait")
    first = retraining_effect.run(world.params, world.paths, world.ledger, Wrong)
    assert first is not None
    assert (first["answer"], first["labelled"], first["windows"]) == ("cannot say", 0, 1)
    given = [json.loads(row)["label"] for row in texts(world)]
    say(world, 0, given)  # people agree with the new model; the old one said "b" of all
    found = retraining_effect.run(world.params, world.paths, world.ledger, Wrong)
    assert found is not None
    assert (found["answer"], found["right_after"]) == ("helped", 60)
    assert found["right_before"] == given.count("b")
    row = ledger_decisions.decision(world.ledger, decision_id)
    assert row is not None
    assert row["details"]["effect"] == found
    assert row["details"]["by"] == "person"
    # Nothing new: nothing is computed again.
    assert retraining_effect.run(world.params, world.paths, world.ledger, Wrong) is None


def texts(world: World) -> list[str]:
    from components.core.ledger import TEXTS, sa

    return [row["text"] for row in world.ledger.query(sa.select(TEXTS))]


@pytest.mark.parametrize(
    ("before", "after", "labelled", "answer"),
    [
        (30, 30, 60, "no difference seen"),
        (10, 50, 60, "helped"),
        (50, 10, 60, "made it worse"),
        (0, 19, 19, "cannot say"),
        (0, 20, 20, "helped"),
    ],
)
def test_compare(world: World, before: int, after: int, labelled: int, answer: str) -> None:
    def said(right: int) -> list[str]:
        return ["a"] * right + ["b"] * (labelled - right) + ["b"]

    table = pl.DataFrame(
        {"before": said(before), "label": said(after), "actual": ["a"] * labelled + [None]}
    )
    found = retraining_effect.compare(table, SingleLabel(["a", "b"]), world.params.gate)
    assert (found["answer"], found["labelled"], found["texts"]) == (answer, labelled, labelled + 1)


class Addresses(HTMLParser):
    """What a page would load by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.loaded += [value or "" for name, value in attrs if name in ("src", "srcset")]


def filled(world: World, hours: int = 48) -> None:
    """Windows of two versions, a retraining, labels, an alert."""
    rng = np.random.default_rng(0)
    for i in range(hours):
        if i == hours // 2:
            retrained(world, i - 0.5)
        world.serve(40)
        window(world, i, 40, hours // 3 < i < hours // 2 or None if i == 5 else
               hours // 3 < i < hours // 2, "wait")  # fmt: skip
        if i % 4 == 0:
            given = [json.loads(one)["label"] for one in texts(world)[-40:]]
            kept = [one if rng.random() < 0.9 else "b" for one in given[:20]]
            say(world, world.served - 40, kept)
    alert = Alert(AlertKind.DRIFT, "newsloop@v1.0.0: drift in 40 predictions.", "k")
    tell([alert], world.ledger, [], world.params.alerts, hour(hours))


def test_the_page_is_one_small_file_without_scripts_or_hosts(world: World) -> None:
    filled(world)
    tables.write_json({"texts": {"PERSON": 12, "EMAIL_ADDRESS": 3}},
                      world.paths.home / "reports" / "privacy.json")  # fmt: skip
    page = write_operator_page.write(world.params, world.paths, world.ledger, hour(48))
    text = page.read_text()
    assert len(text) < MOST_BYTES
    found = Addresses()
    found.feed(text)
    assert (found.loaded, found.tags & {"script", "link", "iframe", "img"}) == ([], set())
    for words in (
        "newsloop@v2.0.0 serves; 1 alert in a day", "drift in 40 predictions", "no channel",
        "PERSON 12, EMAIL_ADDRESS 3", "So wait.", "var(--alarm)", "released",
        "0.900 (0.870 to 0.930)", "estimated", "not to be trusted", "desk", "0.012",
        "predicted class, length in words", "text vectors",
    ):  # fmt: skip
        assert words in text, words
    assert "feature_0" not in text
    assert not re.search(r"#0\d0\d0\d", text)
    assert "<b>numbers" not in text


@pytest.mark.parametrize("minutes", [0, 1, 4, 50, 170, 60 * 5, 60 * 70, 1440 * 9, 1440 * 80])
def test_a_chart_has_a_scale_for_any_stretch_of_time(minutes: float) -> None:
    times = [NOW, NOW + timedelta(minutes=minutes)]
    drawn = charts.traffic([charts.Judged(time, {}, 9, None, 0) for time in times], [])
    assert drawn.count("xtick") >= 1


def test_late_labels_change_old_windows(world: World) -> None:
    world.serve(40)
    window(world, 1, 40, False, "wait")
    assert [one.accuracy for one in judged(world.ledger, 0.95)] == [None]
    given = [json.loads(one)["label"] for one in texts(world)]
    say(world, 0, [*given[:20], *["neither"] * 20])
    (found,) = judged(world.ledger, 0.95)
    assert found.accuracy is not None
    assert (found.accuracy.value, found.labelled) == (0.5, 40)
    say(world, 20, given[20:])  # they think again
    (found,) = judged(world.ledger, 0.95)
    assert found.accuracy is not None
    assert (found.accuracy.value, found.labelled) == (1.0, 40)


def test_labels_that_are_held_back_are_shown(world: World) -> None:
    world.serve(3)
    say(world, 0, ["a", "b", "a"])
    labels.set_aside(world.ledger, [1, 3], "suspect", NOW)
    labels.set_aside(world.ledger, [2], "withdrawn", NOW)
    text = write_operator_page.write(world.params, world.paths, world.ledger, hour(1)).read_text()
    assert "2 labels that look wrong" in text
    labels.take_back(world.ledger, [1, 3])
    text = write_operator_page.write(world.params, world.paths, world.ledger, hour(1)).read_text()
    assert "look wrong" not in text


def test_what_waits_is_counted_with_the_reason(world: World) -> None:
    def waits() -> list[str]:
        page = write_operator_page.write(world.params, world.paths, world.ledger, hour(1))
        card = r"<small>waits to be \w+</small><b>(.*?)</b><small>(.*?)</small>"
        return [": ".join(found) for found in re.findall(card, page.read_text())]

    assert waits() == ["no prediction: all were judged"]
    needed = world.params.monitor.min_rows
    world.serve(needed - 10)
    assert waits() == [f"{needed - 10} predictions: a window needs {needed} texts, 10 more"]
    world.serve(20)
    say(world, 0, ["a", "b"])
    assert waits() == [f"{needed + 10} predictions: the next monitoring run judges them"]
    newest = {"id": "f" * 32, "time": NOW, "bundle": world.bundle, "probabilities": {},
              **sample(1, 0).drop("feature_0").to_dicts()[0], "features": [0.0]}  # fmt: skip
    world.ledger.insert(PREDICTIONS, [newest])
    assert waits()[0].endswith("judges them; 1 are not scrubbed yet")
    tables.write_text("x" * 300_000, world.paths.spool / "1")
    page = write_operator_page.write(world.params, world.paths, world.ledger, hour(1))
    assert "0.3 MB of predictions" in page.read_text()


def test_a_drifting_model_does_not_just_serve(world: World) -> None:
    world.serve(40)
    window(world, 1, 40, True, "retrain")
    text = write_operator_page.write(world.params, world.paths, world.ledger, hour(2)).read_text()
    assert "serves, and its newest texts have drifted; a retraining was requested" in text
    assert '<h1 class="warn">' in text
    # What the champion before it got says nothing about the new one.
    world.release(version=2)
    text = write_operator_page.write(world.params, world.paths, world.ledger, hour(3)).read_text()
    assert "newsloop@v2.0.0 serves; its own traffic was not judged yet" in text


def test_a_page_before_any_window(world: World) -> None:
    text = write_operator_page.write(world.params, world.paths, world.ledger, NOW).read_text()
    assert "No window could be judged yet." in text
    assert "newsloop@v1.0.0 is released; no traffic was judged yet" in text
