"""JSON and JSON Lines in the shapes that people and programs write, and spoiled ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from components.sources.budget import Budget
from components.sources.tabular import json_stream
from components.sources.tabular.json_stream import BadJson, JsonStream
from tests.unit.sources.table_files import SECRET, TWO, labelled, opened, read, refusal

ROWS = [{"text": "one", "label": "a"}, {"text": "two", "label": "b"}]
LISTS = [["one", "a"], ["two", "b"]]


@pytest.mark.parametrize(
    ("value", "settings"),
    [
        (ROWS, {}),
        ({"version": 1, "data": ROWS, "more": {"x": []}}, {}),
        ({"data": {"rows": ROWS}, "count": 2}, {}),
        ({"other": [{"x": 1}], "data": {"rows": ROWS}, "end": 1}, {"items": "data.rows"}),
        ({"id1": ROWS[0], "id2": ROWS[1]}, {}),
        ({"1": ROWS[0], "2": ROWS[1]}, {}),
        ({"rows": {"id1": ROWS[0], "id2": ROWS[1]}}, {"items": "rows"}),
        ({"text": {"0": "one", "1": "two"}, "label": {"0": "a", "1": "b"}}, {}),
        ({"text": ["one", "two"], "label": ["a", "b"]}, {}),
        ({"text": ["one", "two"], "label": [["a"], ["b"]]}, {}),
        ({"columns": ["text", "label"], "index": [0, 1], "data": LISTS}, {}),
        ({"schema": {"fields": [{"name": "text"}], "version": "1"}, "data": ROWS}, {}),
        (LISTS, {"text": "column_1", "label": "column_2"}),
        ("one after another", {}),
        ([{"data": {"text": text}, "annotations": [{"result": [{"choices": [label]}]}]}
          for text, label in LISTS],
         {"text": "data.text", "label": "annotations.0.result.0.choices"}),
        ([{"data.text": text, "data": {"text": SECRET}, "label": label} for text, label in LISTS],
         {"text": "data.text"}),
    ],
)  # fmt: skip
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_shapes_of_json(
    tmp_path: Path, value: Any, settings: dict[str, Any], encoding: str
) -> None:
    content = json.dumps(value)
    if isinstance(value, str):
        content = "\n".join(json.dumps(row, indent=2) for row in ROWS)
    reader = opened(tmp_path, "d.json", content.encode(encoding), "json", **settings)
    assert labelled(read(reader)) == TWO


def test_records_are_rows_as_they_are(tmp_path: Path) -> None:
    rows = [{"data": {"text": "one"}, "label": ["a"]}, {"other": 1}]
    reader = opened(tmp_path, "d.json", json.dumps({"rows": rows}).encode(), "json")
    assert list(reader.records()) == rows and list(reader.records(1)) == rows[:1]
    assert list(reader.records(0)) == []
    lines = b"\xef\xbb\xbf" + b"\n\n".join(json.dumps(row).encode() for row in rows) + b"\n{bad\n"
    assert list(opened(tmp_path, "d.jsonl", lines, "jsonl").records()) == rows


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (json.dumps({"train": ROWS, "test": ROWS}), "several, at 'train', 'test'.*`items:`"),
        ('{"a": 1, "b": "SECRET"}', "an object with 'a', 'b'"),
        ('{"SECRET is a long text that is no key": 1}', "an object with 1 keys"),
        ('"SECRET"', "a single value"),
        ("{}", "no keys"),
        ('{"text": "SECRET", "l": [{}]}\n{"text": "two", "l": []}\n', "`kind: jsonl`"),
        ('[{"text": "one", "label": "a"}, {"text": "SECRET', "after row 1, got damaged JSON"),
        ('[{"text": "one", "label": "a"} {"text": "SECRET"}]', "after row 1, got damaged JSON"),
        ('[{"text": SECRET}]', "damaged JSON"),
        ("[" * 100_000, "nested too deeply"),
        ('{"a":' * 100_000, "nested too deeply"),
        ("[" + "1" * 5000 + "]", "a number that is too long"),
        ('{"text": ["SECRET", "x"], "label": ["a"]}', "columns of different lengths"),
        ('[{"Text": "SECRET", "label": "a"}]', "write `text: Text`"),
        ('[{"data": {"text": "SECRET"}, "label": "a"}]', "write `text: data.text`"),
        ('[{"body": "SECRET", "label": "a"}]', "only 'body', 'label'"),
    ],
)
def test_what_is_no_table_is_refused(tmp_path: Path, content: str, message: str) -> None:
    import re

    came = refusal(opened(tmp_path, "d.json", content.encode(), "json"))
    assert re.search(message, came), came


def test_values_that_other_parsers_refuse(tmp_path: Path) -> None:
    content = b'[{"text": "two\nlines", "label": NaN}, 5, {"text": "\\ud800", "label": "a"}, []]'
    documents = read(opened(tmp_path, "d.json", content, "json"))
    assert documents[0][1:3] == ("two\nlines", None)
    faults = [document.fault for document in documents[1:]]
    assert faults[:2] == ["the item is no object", "the text is not valid UTF-8"]


def test_limits_of_one_piece(tmp_path: Path) -> None:
    limits = {"document_mib": 1, "values": 1000, "unpacked_ratio": 100_000}
    many = ("[" + '{"a": [' + "1," * 400_000 + "1]}]").encode()
    assert "values" in refusal(opened(tmp_path, "d.json", many, "json", limits=limits))
    column = json.dumps({"text": ["x"] * 600, "label": ["a"] * 600}).encode()
    assert "values" in refusal(opened(tmp_path, "d.json", column, "json", limits=limits))
    long = json.dumps([{"text": "x" * 5_000_000, "label": "a"}]).encode()
    assert "document_mib" in refusal(opened(tmp_path, "d.json", long, "json", limits=limits))
    rows = json.dumps([{"text": "x" * 5000, "label": "a"}] * 2000).encode()
    assert len(list(opened(tmp_path, "d.json", rows, "json", limits=limits).records())) == 2000


@pytest.mark.parametrize("first", range(1, 40))
def test_a_stream_may_be_cut_anywhere(first: int, monkeypatch: pytest.MonkeyPatch) -> None:
    import io

    monkeypatch.setattr(json_stream, "_FIRST", first)
    value = {"a": [1, -2.5, 1234567, 'x\\"y\u00e9\n', None, True, [], {}], "b": {"c": [{}]}}
    stream = JsonStream(io.BytesIO(json.dumps(value, indent=1).encode()), 10_000, Budget(None))
    found = {}
    for key in stream.members():
        found[key] = [stream.value() for _ in stream.items()] if key == "a" else stream.value()
    assert found == value and stream.next() == ""
    with pytest.raises(BadJson):
        stream.value()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le"])
def test_lines_with_dotted_paths_and_encodings(tmp_path: Path, encoding: str) -> None:
    lines = [json.dumps({"data": {"text": text}, "l": [label]}) for text, label in LISTS]
    content = "\n\n".join(lines).encode(encoding)
    settings = {"text": "data.text", "label": "l.0"}
    assert labelled(read(opened(tmp_path, "d.jsonl", content, "jsonl", **settings))) == TWO
