"""Exports of annotation tools: one text, one label, votes of several annotators."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from components.core.errors import SourceError
from components.core.params import Source
from components.core.paths import Paths
from components.sources import RawDocument, open_source


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths(tmp_path, tmp_path / ".newsloop")


def read(
    paths: Paths, records: list[Any], name: str = "a.jsonl", **settings: Any
) -> list[RawDocument]:
    if name.startswith("a.jsonl"):
        content = b"".join(json.dumps(record).encode() + b"\n" for record in records)
    else:
        content = json.dumps(records, indent=1).encode()
    (paths.root / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    source = {"name": "s", "kind": "annotations", "path": name, **settings}
    opened = open_source(Source.model_validate(source), paths)
    return list(opened.read(opened.pin()))


def studio(*choices: list[str], text: str = "one", **more: Any) -> dict[str, Any]:
    """A task of Label Studio with an annotation for each list."""
    return {
        "id": 7,
        "data": {"text": text},
        "annotations": [
            {"result": [{"from_name": "topic", "type": "choices", "value": {"choices": given}}]}
            | more
            for given in choices
        ],
        "predictions": [{"result": [{"from_name": "topic", "value": {"choices": ["z"]}}]}],
    }


def argilla(*values: str | None, **more: Any) -> dict[str, Any]:
    return {
        "id": "r-1",
        "fields": {"text": "one"},
        "suggestions": {"label": {"value": "guess", "score": 0.4}},
        "responses": {"label": [{"value": value, "user_id": "u"} for value in values]},
        **more,
    }


# The record, and its label, or words of its fault after a "!".
RECORDS: list[tuple[str, dict[str, Any], str | None]] = [
    ("doccano", {"id": 1, "text": "one", "label": ["a"]}, "a"),
    ("doccano", {"id": 1, "text": "one", "label": "a"}, "a"),
    ("doccano", {"id": 1, "text": "one", "labels": ["a"]}, "a"),
    ("doccano", {"id": 1, "text": "one", "label": []}, None),
    ("doccano", {"id": 1, "text": "one", "label": ["a", "b"]}, "!2 labels, a document has one"),
    ("doccano", {"id": 1, "text": "one", "label": [[0, 3, "PER"]]}, "!spans"),
    ("doccano", {"id": 1, "text": "one", "annotations": [{"label": 3, "user": 1}]}, "3"),
    ("doccano", {"id": 1, "text": "", "label": ["a"]}, "!empty"),
    ("studio", studio(["a"]), "a"),
    ("studio", studio(["a"], ["b"], ["a"]), "a"),
    ("studio", studio(["a"], ["b"]), "!disagree: 2 labels"),
    ("studio", studio(["a"], was_cancelled=True), None),
    ("studio", studio(), None),
    ("studio", studio(["a", "b"]), "!2 labels"),
    ("studio", studio(["a"]) | {"annotations": [
        *studio(["a"], ["a"])["annotations"], *studio(["b"], ground_truth=True)["annotations"]]},
     "b"),
    ("old studio", {"id": 7, "data": {"text": "one"},
     "completions": studio(["a"])["annotations"]}, "a"),
    ("studio min", {"id": 7, "text": "one", "sentiment": "a", "annotator": 1,
     "lead_time": 2.1}, "a"),
    ("studio min", {"id": 7, "text": "one", "annotation_id": 1, "topic": {"choices": ["a", "b"]}},
     "!2 labels"),
    ("argilla", argilla("a"), "a"),
    ("argilla", argilla("a", "b", "b"), "b"),
    ("argilla", argilla("a", "b"), "!disagree"),
    ("argilla", argilla(), "guess"),
    ("argilla", argilla("a", status="discarded"), None),
    ("argilla", argilla() | {"responses": {"label": [{"value": None, "status": "discarded"}]}},
     None),
    ("argilla", argilla() | {
        "responses": [{"values": {"label": {"value": "a"}}, "status": "submitted"},
                      {"values": {"label": {"value": "b"}}, "status": "draft"}],
        "suggestions": [{"question_name": "label", "value": "guess"}]}, "a"),
    ("argilla", argilla() | {
        "responses": [], "suggestions": [{"question_name": "label", "value": "guess"}]}, "guess"),
    ("argilla flat", {"id": "1", "text": "one", "label.responses": ["a"],
                      "label.responses.users": ["u"], "label.suggestion": "b"}, "a"),
    ("argilla flat", {"id": "1", "text": "one", "label.responses": None,
     "label.suggestion": "b"}, "b"),
    ("argilla 1", {"inputs": {"text": "one"}, "annotation": "a", "status": "Validated"}, "a"),
    ("argilla 1", {"text": "one", "annotation": None, "prediction": [["a", 0.9]]}, None),
    ("argilla 1", {"text": "one", "annotation": "a", "status": "Discarded"}, None),
    ("prodigy", {"text": "one", "label": "a", "answer": "accept", "_input_hash": 5}, "a"),
    ("prodigy", {"text": "one", "accept": ["a"], "options": [{"id": "a"}],
     "answer": "accept"}, "a"),
    ("prodigy", {"text": "one", "accept": [], "options": [{"id": "a"}], "answer": "accept"}, None),
    ("prodigy", {"text": "one", "label": "a", "answer": "reject"}, None),
    ("prodigy", {"text": "one", "label": "a", "answer": "ignore"}, None),
]  # fmt: skip


@pytest.mark.parametrize("name", ["a.jsonl", "a.json"])
@pytest.mark.parametrize(("tool", "record", "expected"), RECORDS)
def test_a_record_of_each_tool_is_a_document(
    paths: Paths, name: str, tool: str, record: dict[str, Any], expected: str | None
) -> None:
    del tool
    (found,) = read(paths, [record], name)
    if expected and expected.startswith("!"):
        assert expected[1:] in str(found.fault) and found.text == ""
    else:
        assert (found.text, found.label, found.fault) == ("one", expected, None)


def test_records_with_one_id_are_votes(paths: Paths) -> None:
    votes = [("1", "a"), ("2", "b"), ("1", "c"), ("1", "a"), ("2", "c"), ("3", "a")]
    records = [{"id": i, "text": f"text {i}", "label": label} for i, label in votes]
    found = read(paths, records, "a.jsonl.gz", label_names={"a": "A"})
    assert [(d.id, d.label) for d in found] == [("s/1", "A"), ("s/2", None), ("s/3", "A")]
    assert "disagree" in str(found[1].fault)
    hashes = [
        {"text": "x", "label": label, "answer": "accept", "_input_hash": -5} for label in "aba"
    ]
    (one,) = read(paths, hashes)
    assert (one.id, one.label) == ("s/-5", "a")
    others = [{"id": 1, "text": "one", "label": "a"}, {"id": 1, "text": "two", "label": "b"}]
    assert [(d.id, d.label) for d in read(paths, others)] == [("s/1", "a"), ("s/2", "b")]
    fixed = read(paths, records, fixed_label="z")
    assert [d.label for d in fixed] == ["z"] * 3


def test_other_names_of_text_and_question(paths: Paths) -> None:
    task = studio(["a"])
    task["data"] = {"review": "one", "title": "head"}
    task["annotations"][0]["result"].append({"from_name": "tone", "value": {"choices": ["good"]}})
    (one,) = read(paths, [task], text="review", label="tone")
    assert (one.text, one.label) == ("one", "good")
    (two,) = read(paths, [task], text=["title", "review"], label="topic")
    assert (two.text, two.label) == ("head\n\none", "a")
    with pytest.raises(SourceError, match=r"one question.*several: 'topic', 'tone'.*`label:`"):
        read(paths, [task], text="review")
    with pytest.raises(SourceError, match=r"a field 'text'.*only 'review', 'title'.*`text:`"):
        read(paths, [task], label="tone")


STRANGE: list[Any] = [
    [], 5, {"text": 5}, {"fields": {"text": None}}, {"text": "x", "label": {"choices": {"a": 1}}},
    {"data": {"text": "x"}, "annotations": [{"result": [{}]}]},
    {"fields": {"text": "x"}, "responses": {"label": 5}, "suggestions": "x"},
    {"id": [1], "text": "x", "annotations": [5]},
]  # fmt: skip


@pytest.mark.parametrize("record", STRANGE)
def test_a_strange_record_is_no_failure(paths: Paths, record: Any) -> None:
    good, strange = read(paths, [{"text": "one", "label": "a"}, record])
    assert strange.label is None and (good.text, good.label) == ("one", "a")
