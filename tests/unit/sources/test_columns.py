"""Columns of rows: labels, times, and those that nobody named are used only if they fit."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from components.core import params
from components.core.errors import ParamsError
from components.core.params import Source
from components.sources import rows
from tests.unit.sources.table_files import SECRET, opened, read

NOON = datetime(2026, 11, 30, 12, tzinfo=UTC)
ROW = {"text": "one", "label": "a"}


def source(**settings: Any) -> Source:
    return Source.model_validate({"name": "s", "kind": "jsonl", "path": "d", **settings})


def lines(*values: dict[str, Any]) -> bytes:
    return "".join(json.dumps(ROW | value) + "\n" for value in values).encode()


@pytest.mark.parametrize(
    ("value", "label"),
    [
        ("a", "a"), (" a\n", "a"), (["a"], "a"), ([" a "], "a"), ([], None), ("", None),
        ("  ", None), (None, None), ([None], None), (1, "1"), (1.0, "1"), (-0.0, "0"), (1.5, "1.5"),
        (float("nan"), None), (True, "true"), (False, "false"), ([True], "true"), ([2.0], "2"),
    ],
)  # fmt: skip
def test_labels(value: object, label: str | None) -> None:
    document = rows.document(ROW | {"label": value}, 1, source())
    assert (document.label, document.fault) == (label, None)


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        (["a", "SECRET"], "'label' holds 2 labels, a document has one: several labels"),
        ({"SECRET": 1}, "'label' must be a text or a whole number, got dict"),
        ([["SECRET"]], "'label' must be a text or a whole number, got list"),
        (b"SECRET", "'label' must be a text or a whole number, got bytes"),
    ],
)
def test_labels_that_are_none(value: object, fault: str) -> None:
    document = rows.document(ROW | {"label": value}, 1, source())
    assert fault in str(document.fault) and SECRET not in repr(document)


@pytest.mark.parametrize(
    ("names", "value", "label"),
    [
        ({0: "no", 1: "yes"}, 1, "yes"), ({0: "no"}, "0", "no"), ({0: "no"}, 0.0, "no"),
        ({True: "yes"}, True, "yes"), ({True: "yes"}, "true", "yes"), ({1.5: "half"}, 1.5, "half"),
        ({"a": "x"}, [" a "], "x"), ({"a": "x"}, "b", "b"),
    ],
)  # fmt: skip
def test_label_names_of_numbers_and_booleans(
    names: dict[Any, str], value: object, label: str
) -> None:
    document = rows.document(ROW | {"label": value}, 1, source(label_names=names))
    assert document.label == label


@pytest.mark.parametrize(
    ("value", "form"),
    [
        ("2026-11-30 12:00", None), ("2026-11-30T14:00:00+02:00", None),
        ("2026-11-30 12:00:00 UTC", None), ("20261130T120000", None), (1796040000, None),
        (1796040000.0, None), ("1796040000", None), (1796040000000, None),
        (1796040000000000, None), (1796040000000000000, None), ("1796040000000", None),
        ("Mon, 30 Nov 2026 12:00:00 GMT", None), ("Mon Nov 30 12:00:00 +0000 2026", None),
        ("30.11.2026 12:00", "%d.%m.%Y %H:%M"), ("11/30/26 12", "%m/%d/%y %H"),
        (1796040000, "seconds"), ("1796040000000", "milliseconds"),
    ],
)  # fmt: skip
def test_times(value: object, form: str | None) -> None:
    document = rows.document(ROW | {"t": value}, 1, source(time="t", time_format=form))
    assert (document.time, document.fault) == (NOON, None)


@pytest.mark.parametrize(
    ("value", "form"),
    [
        ("12:30", None), ("3 hours ago", None), ("05/01/2023", None), ("30.11.2026", None),
        ("2019", None), (2019, None), (12, None), (True, None), (float("inf"), None), ([], None),
        (1e30, None), ("Mon, 77 SECRET", None), ("2026-11-30", "%d.%m.%Y"), ("x", "seconds"),
        (float("nan"), "seconds"), (1e300, "milliseconds"),
    ],
)  # fmt: skip
def test_what_is_no_time_is_a_fault_where_the_column_is_named(
    value: object, form: str | None
) -> None:
    settings = source(time="time", time_format=form)
    document = rows.document(ROW | {"time": value}, 1, settings)
    assert "'time' must be " in str(document.fault) and SECRET not in repr(document)


@pytest.mark.parametrize(
    ("key", "good", "bad", "why"),
    [
        ("time", "2026-11-30", "12:30", "row 2 has no time there"),
        ("author", "Ann", {"name": SECRET}, "row 2 has no text or whole number there"),
        ("id", "x", ["SECRET"], "row 2 has no text or whole number there"),
        ("id", "x", "x", "row 2 has the same value as a row before"),
    ],
)
def test_a_column_that_nobody_named_is_used_only_if_it_fits(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    key: str,
    good: object,
    bad: object,
    why: str,
) -> None:
    def values(content: bytes, **settings: Any) -> list[Any]:
        documents = read(opened(tmp_path, "d.jsonl", content, "jsonl", **settings))
        assert all(document.fault is None for document in documents)
        return [getattr(document, key) for document in documents]

    unused = ["s/1", "s/2"] if key == "id" else [None, None]
    assert values(lines({key: good}, {key: None}))[0] != unused[0]
    assert capsys.readouterr().err == ""
    content = lines({key: good}, {key: bad})
    assert values(content) == unused
    said = capsys.readouterr().err.splitlines()
    assert len(set(said)) == 1 and why in said[0] and SECRET not in said[0]
    assert f"the column '{key}' is not used" in said[0] and f"`{key}: null`" in said[0]
    assert values(content, **{key: None}) == unused and capsys.readouterr().err == ""
    if bad != good:
        named = read(opened(tmp_path, "d.jsonl", content, "jsonl", **{key: key}))
        assert [document.fault is None for document in named] == [True, False]
    else:
        assert values(content, id="id") == ["s/x", "s/x"]


def test_it_is_decided_once_for_all_files_of_an_archive(tmp_path: Path) -> None:
    import io
    import zipfile

    with zipfile.ZipFile(buffer := io.BytesIO(), "w") as archive:
        archive.writestr("a.jsonl", lines({"id": 1, "time": "2026-11-30"}))
        archive.writestr("b.jsonl", lines({"id": 1, "time": "2026-11-30"}))
    first, second = read(opened(tmp_path, "d.zip", buffer.getvalue(), "jsonl"))
    assert (first.id, second.id) == ("s/a.jsonl/1", "s/b.jsonl/1")
    assert first.time == second.time == NOON.replace(hour=0)


def test_what_does_not_fit_behind_the_rows_that_decide_is_left_out() -> None:
    document = rows.document(ROW | {"time": "noon", "author": [], "id": {}}, 7, source())
    assert document == ("s/7", "one", "a", None, None, None, None)


@pytest.mark.parametrize(
    ("row", "text"),
    [
        ({"title": "one", "body": "two"}, "one\n\ntwo"),
        ({"title": "", "body": "two"}, "two"),
        ({"title": None, "body": "two"}, "two"),
        ({"body": "two"}, "two"),
        ({"title": "one", "parts": [{"body": "x"}]}, "one"),
    ],
)
def test_several_texts_are_joined(row: dict[str, Any], text: str) -> None:
    document = rows.document({"label": "a", **row}, 1, source(text=["title", "body"]))
    assert (document.text, document.fault) == (text, None)


def test_several_texts_of_which_none_is_there_or_one_is_none() -> None:
    settings = source(text=["title", "body"])
    none = rows.document({"label": "a", "title": "", "body": None}, 1, settings)
    assert none.fault == "'title' or 'body' must be a text, got none"
    number = rows.document({"label": "a", "title": "one", "body": 5}, 1, settings)
    assert number.fault == "'body' must be a text, got a value of type int"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"encoding": "utf-9"}, "no encoding of that name"),
        ({"kind": "csv", "header": "yes"}, "header must be auto, true or false"),
        ({"kind": "csv", "delimiter": ";;"}, "at most 1 character"),
        ({"delimiter": ";"}, "a source of kind jsonl has no key delimiter"),
        ({"kind": "json", "sheet": "S"}, "a source of kind json has no key sheet"),
        ({"kind": "http_json", "path": None, "url": "http://x", "header": True, "header_env": "X"},
         "must be the name of a header"),
        ({"text": []}, "at least 1 item"),
    ],
)  # fmt: skip
def test_settings_that_are_wrong(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        source(**settings)


@pytest.mark.parametrize(
    ("value", "came"),
    [(True, "true"), (False, "false"), (0, "0"), (1.5, "1.5"), (None, "null")],
)
def test_a_class_that_yaml_reads_as_no_text(tmp_path: Path, value: object, came: str) -> None:
    shown = json.dumps(value)
    (tmp_path / "params.yaml").write_text(
        "train: {candidates: [linear]}\ningest:\n  sources: [{name: s, kind: csv, path: d}]\n"
        f"  labels: [a, {shown}]\n"
    )
    with pytest.raises(ParamsError) as error:
        params.load(tmp_path / "params.yaml")
    message = str(error.value)
    assert f"label 2 is no text for YAML, but {came}: put it in quotes: " in message
    assert f'"{came}"' in message and not {"None", "True", "False"} & set(
        re.findall(r"\w+", message)
    )
