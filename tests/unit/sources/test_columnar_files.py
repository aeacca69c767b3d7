"""Parquet and Arrow: nested columns, lists of one, names of classes, and files that lie."""

from __future__ import annotations

import io
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from components.core.errors import SourceError
from tests.unit.sources.table_files import TWO, labelled, opened, read, refusal

CLASSES = {"info": {"features": {
    "number": {"names": ["a", "b"], "_type": "ClassLabel"},
    "numbers": {"feature": {"names": ["a", "b"], "_type": "ClassLabel"}, "_type": "Sequence"},
    "nested": {"number": {"names": ["a", "b"], "_type": "ClassLabel"}},
    "text": {"dtype": "string", "_type": "Value"},
}}}  # fmt: skip
TABLE = pa.table(
    {
        "text": pa.array(["one", "two"], pa.large_string()),
        "label": pa.array([["a"], ["b"]]),
        "category": pa.array(["a", "b"]).dictionary_encode(),
        "number": pa.array([0, 1]),
        "numbers": pa.array([[0], [1]], pa.list_(pa.int8())),
        "nested": pa.array([{"text": "one", "number": 0}, {"text": "two", "number": 1}]),
        "choices": pa.array([[{"value": "a"}], [{"value": "b"}]]),
        "deep": pa.array([{"list": ["a"]}] * 2),
        "truth": pa.array([True, False]),
        "part.of": pa.array(["a", "b"]),
    }
).replace_schema_metadata({"huggingface": json.dumps(CLASSES)})
Write = Callable[[Any], bytes]


def parquet(table: Any) -> bytes:
    pq.write_table(table, buffer := io.BytesIO())
    return buffer.getvalue()


def arrow(kind: Any = pa.ipc.new_file, compression: str | None = "lz4") -> Write:
    def write(table: Any) -> bytes:
        options = pa.ipc.IpcWriteOptions(compression=compression)
        with kind(buffer := io.BytesIO(), table.schema, options=options) as writer:
            writer.write_table(table)
        return buffer.getvalue()

    return write


def polars(table: Any) -> bytes:
    plain = table.select(["text", "category"]).rename_columns(["text", "label"])
    pl.DataFrame(pl.from_arrow(plain)).write_ipc(buffer := io.BytesIO())
    return buffer.getvalue()


WRITERS: dict[str, tuple[str, Write]] = {
    "parquet": ("parquet", parquet),
    "file": ("arrow", arrow()),
    "stream": ("arrow", arrow(pa.ipc.new_stream, None)),
    "zstd": ("arrow", arrow(compression="zstd")),
}


@pytest.mark.parametrize("writer", WRITERS)
@pytest.mark.parametrize(
    "settings",
    [
        {}, {"label": "category"}, {"label": "number"}, {"label": "numbers"},
        {"text": "nested.text", "label": "nested.number"}, {"label": "choices.0.value"},
        {"label": "label.0"}, {"label": "part.of"},
        {"label": "truth", "label_names": {True: "a", False: "b"}},
    ],
)  # fmt: skip
def test_columns(tmp_path: Path, writer: str, settings: dict[str, Any]) -> None:
    kind, write = WRITERS[writer]
    reader = opened(tmp_path, "d", write(TABLE), kind, **settings)
    assert labelled(read(reader)) == TWO


@pytest.mark.parametrize("writer", ["parquet", "file"])
def test_records_and_refusals(tmp_path: Path, writer: str) -> None:
    kind, write = WRITERS[writer]
    reader = opened(tmp_path, "d", write(TABLE), kind)
    (row,) = reader.records(1)
    assert row["nested"] == {"text": "one", "number": 0} and row["label"] == ["a"]
    assert "deep" not in row and set(row) == set(TABLE.column_names) - {"deep"}
    assert "lists inside" in refusal(opened(tmp_path, "d", write(TABLE), kind, label="deep.list"))
    assert "`text: text`" in refusal(opened(tmp_path, "d", write(TABLE), kind, text="Text"))
    several = TABLE.slice(0, 1).set_column(1, "label", pa.array([["a", "b"]]))
    (document,) = read(opened(tmp_path, "d", write(several), kind))
    assert "several labels for a document are not supported" in str(document.fault)
    unknown = TABLE.set_column(3, "number", pa.array([-1, 7]))
    first, second = read(opened(tmp_path, "d", write(unknown), kind, label="number"))
    assert (first.label, first.fault) == (None, None) and "no number of a class" in str(
        second.fault
    )
    named = {"label": "number", "label_names": {0: "zero", "b": "bee"}}
    assert [d.label for d in read(opened(tmp_path, "d", write(TABLE), kind, **named))] == [
        "zero", "bee"
    ]  # fmt: skip


def test_what_polars_writes(tmp_path: Path) -> None:
    assert labelled(read(opened(tmp_path, "d", polars(TABLE), "arrow"))) == TWO


def test_a_list_is_cut_before_its_values_become_objects(tmp_path: Path) -> None:
    values = pa.DictionaryArray.from_arrays(pa.array([0] * 400_000, pa.int32()), ["x" * 1000])
    lists = pa.ListArray.from_arrays(pa.array([0, 400_000], pa.int32()), values)
    limits = {"unpacked_ratio": 1_000_000}
    for writer in ("parquet", "file"):
        kind, write = WRITERS[writer]
        content = write(pa.table({"text": ["t"], "label": lists}))
        (document,) = read(opened(tmp_path, "d", content, kind, limits=limits))
        assert "'label' holds 16 labels" in str(document.fault)


def test_an_arrow_file_that_unpacks_to_more_than_allowed(tmp_path: Path) -> None:
    content = arrow(compression="zstd")(pa.table({"text": ["a" * 30_000_000], "label": ["a"]}))
    assert len(content) < 100_000
    assert "unpacked_ratio" in refusal(opened(tmp_path, "d", content, "arrow", limits={}))


@pytest.mark.parametrize("writer", WRITERS)
def test_spoiled_files_are_refused(tmp_path: Path, writer: str) -> None:
    kind, write = WRITERS[writer]
    content, dice = write(TABLE.select(["text", "label"])), random.Random(7)
    for _ in range(25):
        spoiled = bytearray(content)
        for _ in range(5):
            spoiled[dice.randrange(len(spoiled))] = dice.randrange(256)
        try:
            read(
                opened(tmp_path, "d", bytes(spoiled[: dice.choice([len(spoiled), -9, 300])]), kind)
            )
        except SourceError as error:
            assert "\n" not in str(error) and len(str(error)) < 600
