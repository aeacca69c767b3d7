"""Which answers are put to people, and how their labels come back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from components.core.errors import DataError, UsageError
from monitoring import label_queue

LABELS = ["a", "b"]


def answer(text: str, first: float, name: str = "1" * 32) -> dict[str, Any]:
    return {
        "id": name,
        "text": text,
        "label": "a",
        "probabilities": {"a": first, "b": 1 - first},
    }


@pytest.mark.parametrize(
    ("answers", "count", "chosen"),
    [
        ([], 3, []),
        ([answer("x", 0.9), answer("y", 0.6), answer("z", 0.7)], 2, [1, 2]),
        # The second is as unsure, but says the same as the first.
        ([answer("x y", 0.5), answer("y x", 0.5), answer("z", 0.7)], 2, [0, 2]),
        ([answer("x", 0.5), answer("y", 0.5)], 5, [0, 1]),
    ],
)
def test_the_unsure_and_the_unlike_come_first(
    answers: list[dict[str, Any]], count: int, chosen: list[int]
) -> None:
    assert label_queue.choose(answers, count) == chosen


@pytest.mark.parametrize("ending", ["csv", "jsonl"])
def test_a_file_goes_out_and_comes_back(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"queue.{ending}"
    given = [answer('=1+1, "quoted"\nline', 0.6, "1" * 32), answer("plain", 0.6, "2" * 32)]
    label_queue.write(given, path)
    assert label_queue.read(path, LABELS) == []  # nobody has filled anything in
    text = path.read_text(encoding="utf-8")
    if ending == "csv":
        assert "'=1+1" in text  # a spreadsheet must not compute it
        path.write_text("prediction_id,label\n" + "2" * 32 + ", b \n" + "1" * 32 + ",\n")
    else:
        assert json.loads(text.splitlines()[1])["predicted"] == "a"
        path.write_text(json.dumps({"prediction_id": "2" * 32, "label": "b"}) + "\n")
    assert label_queue.read(path, LABELS) == [("2" * 32, "b")]


@pytest.mark.parametrize(
    ("name", "content", "error", "says"),
    [
        ("q.txt", "", UsageError, "ends with .csv or .jsonl"),
        ("q.csv", None, DataError, "Expected a table"),
        ("q.csv", "", DataError, "Expected a table"),
        ("q.csv", "prediction_id;label\n1;a\n", DataError, "separator"),
        ("q.csv", "prediction_id,label\n1,a\n2,secret words\n", DataError, "1 of 2 filled rows"),
    ],
)
def test_what_cannot_be_read_is_refused_whole(
    tmp_path: Path, name: str, content: str | None, error: type[Exception], says: str
) -> None:
    if content is not None:
        (tmp_path / name).write_text(content)
    with pytest.raises(error, match=says) as caught:
        label_queue.read(tmp_path / name, LABELS)
    assert "secret" not in str(caught.value)


def test_another_ending_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="xlsx"):
        label_queue.write([], tmp_path / "queue.xlsx")
