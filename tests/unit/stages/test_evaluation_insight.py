"""Slices, words of a class, and labels that look wrong: small cases counted by hand."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from components import slices
from components.core import schema
from components.core.bundle.explanation import Explanation
from components.evaluate import insight

START = datetime(2025, 1, 1, tzinfo=UTC)


def documents(times: Sequence[datetime | None]) -> pl.DataFrame:
    rows: list[dict[str, object]] = [
        {
            "id": f"s/{i}",
            "text": "x" * (10 * i),
            "label": "ab"[i % 2],
            "source": "s" if i else "t",
            "time": time,
            "author": None,
        }
        for i, time in enumerate(times)
    ]
    return schema.documents(rows)


def test_each_document_is_in_one_slice_of_each_kind() -> None:
    found = slices.assign(documents([None] * 4), [10, 30])
    assert found["class"].to_list() == ["a", "b", "a", "b"]
    assert found["length"].to_list() == [
        "0 to 9 characters",
        "10 to 29 characters",
        "10 to 29 characters",
        "30 characters and more",
    ]
    assert found["source"].to_list() == ["t", "s", "s", "s"]
    assert found["time"].to_list() == [None] * 4


def test_times_are_cut_into_periods_with_equally_many_documents() -> None:
    days: list[datetime | None] = [START + timedelta(days=i) for i in (7, 0, 1, 2, 3, 4, 5, 6)]
    found = slices.assign(documents([*days, None]), [10])["time"].to_list()
    assert found[:3] == ["2025-01-07 to 2025-01-08", *["2025-01-01 to 2025-01-02"] * 2]
    assert len(set(found)) == 5
    assert found[-1] is None
    one = slices.assign(documents([START, START]), [10])["time"].to_list()
    assert one == ["2025-01-01 to 2025-01-01"] * 2


def test_accuracy_by_slice() -> None:
    table = slices.assign(documents([None] * 4), [10])
    answers = pl.DataFrame(
        {"id": [f"s/{i}" for i in range(4)], "right": [True, False, True, False]}
    )
    found = slices.accuracy(answers, table, 0.95)
    assert set(found) == {"class", "length", "source"}  # nothing is known of time
    assert found["class"]["a"]["accuracy"]["value"] == 1.0
    assert found["class"]["b"] == {
        "documents": 2,
        "accuracy": {"value": 0.0, "low": 0.0, "high": pytest.approx(0.657620)},
    }
    assert {name: row["documents"] for name, row in found["source"].items()} == {"s": 3, "t": 1}


class Model:
    """Explains each text by its words: one that is longer speaks more for the label."""

    labels = ("a", "b")

    def explain(self, texts: Sequence[str]) -> list[Explanation]:
        return [
            Explanation("a", 0.9, 0.5, {word: len(word) / 10 for word in text.split()})
            for text in texts
        ]


def test_words_of_a_class_stand_in_several_of_its_texts() -> None:
    table = pl.DataFrame({"id": ["1", "2", "3"], "text": ["the goal", "the goal x", "the bank"]})
    model: Any = Model()
    found = insight.class_words(model, table, ["a", "a", "b"], each=9)
    assert found["a"] == [
        {"word": "goal", "weight": 0.4, "documents": 2},
        {"word": "the", "weight": 0.3, "documents": 2},
    ]
    assert found["b"] == []
    assert insight.class_words(model, table, ["a", "a", "b"], each=1)["a"] == []


def test_turned_labels_are_named_the_worst_first() -> None:
    draw = random.Random(3)
    words = {"business": "bank shares market profit", "sports": "goal match team cup"}
    rows = []
    for i in range(200):
        label = list(words)[i % 2]
        text = " ".join([*draw.choices(words[label].split(), k=6), f"n{i}", f"m{i * 7}"])
        rows.append({"id": f"{i:03}", "text": text, "label": label})
    table = pl.DataFrame(rows)
    assert len(insight.suspected_labels(table, 1000, 1)) == 0
    wrong = ["011", "050", "120", "177"]
    other = {"business": "sports", "sports": "business"}
    turned = table.with_columns(
        label=pl.when(pl.col("id").is_in(wrong))
        .then(pl.col("label").replace(other))
        .otherwise("label")
    )
    found = insight.suspected_labels(turned, 1000, 1)
    assert sorted(found["id"]) == wrong
    assert (found["label"] != found["looks_like"]).all()
    assert found["quality"].is_sorted()
    assert len(insight.suspected_labels(turned.head(1), 1000, 1)) == 0
    assert set(insight.suspected_labels(turned, 60, 1)["id"]) < set(wrong)
